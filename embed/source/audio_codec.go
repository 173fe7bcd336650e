package source

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
)

// Sound is a recording as it is decoded: one channel of samples, -1 to 1 in formats of
// whole numbers.
type Sound struct {
	// Rate is in samples a second.
	Rate    int
	Samples []float32

	channels   int
	maxSeconds float64
	limit      int // samples that Rate and maxSeconds leave room for
}

// AudioDecoder decodes a file. It calls Begin on the sound before it decodes a sample
// and Add as it goes, and ends with the error of either.
type AudioDecoder func(encoded []byte, into *Sound) error

// loudest is the largest sample of a float file: room for those that count in steps
// of 16 bits, and too little for squares to overflow.
const loudest = 1e6

// Begin takes a file's rate and channels, and how many samples it declares to have of
// each; 0 means that it does not tell.
func (s *Sound) Begin(rate, channels int, samples uint64) error {
	if rate < MinAudioRate || rate > MaxAudioRate {
		return fmt.Errorf("%w: audio rate %d, want %d..%d samples a second", ErrRecord, rate, MinAudioRate, MaxAudioRate)
	}
	if channels < 1 || channels > MaxAudioChannels {
		return fmt.Errorf("%w: audio has %d channels, want 1..%d", ErrRecord, channels, MaxAudioChannels)
	}
	s.Rate, s.channels, s.limit = rate, channels, min(MaxAudioSamples, int(s.maxSeconds*float64(rate)))
	if samples > uint64(s.limit) {
		return s.tooLong(samples)
	}
	return nil
}

func (s *Sound) tooLong(samples uint64) error {
	return fmt.Errorf("%w: audio of %d samples or more at %d a second, the limits are %g seconds and %d samples",
		ErrRecord, samples, s.Rate, s.maxSeconds, MaxAudioSamples)
}

// Add takes samples, those of all channels at one moment side by side, and mixes them down.
func (s *Sound) Add(interleaved []float32) error {
	if s.channels == 0 || len(interleaved)%s.channels != 0 {
		return fmt.Errorf("%w: audio has %d samples in %d channels", ErrRecord, len(interleaved), s.channels)
	}
	n := len(interleaved) / s.channels
	if n > s.limit-len(s.Samples) {
		return s.tooLong(uint64(len(s.Samples) + n))
	}
	share := 1 / float32(s.channels)
	s.Samples = slices.Grow(s.Samples, n)
	for at := range n {
		var sum float32
		for _, v := range interleaved[at*s.channels : (at+1)*s.channels] {
			sum += v
		}
		if v := sum * share; math.Abs(float64(v)) <= loudest {
			s.Samples = append(s.Samples, v)
		} else {
			return fmt.Errorf("%w: audio sample %d is %g, the limit is %g", ErrRecord, len(s.Samples), v, float64(loudest))
		}
	}
	return nil
}

// audioFormat is a registered format.
type audioFormat struct {
	name, magic string
	decode      AudioDecoder
}

var (
	audioLock    sync.RWMutex
	audioFormats []audioFormat
)

// RegisterAudio makes a format known to all audio sources, as image.RegisterFormat does
// for pictures. A file is of the format if it begins with magic, in which ? stands for
// any byte, after an ID3v2 tag if it has one. Typically an init function calls it. A decoder may be
// of others' making: if it panics, the record is refused.
func RegisterAudio(name, magic string, decode AudioDecoder) {
	audioLock.Lock()
	defer audioLock.Unlock()
	audioFormats = append(audioFormats, audioFormat{name, magic, decode})
}

// wav is the one format that needs no registration.
var wav = audioFormat{"wav", "RIFF????WAVE", decodeWAV}

// decodeSound decodes a recording of any known format within the limits.
func decodeSound(encoded []byte, maxSeconds float64) (*Sound, error) {
	if len(encoded) == 0 {
		return nil, fmt.Errorf("%w: audio is empty", ErrRecord)
	}
	if len(encoded) > MaxAudioBytes {
		return nil, fmt.Errorf("%w: audio has %d bytes, the limit is %d", ErrRecord, len(encoded), MaxAudioBytes)
	}
	data := withoutTag(encoded)
	format, err := formatOf(data)
	if err != nil {
		return nil, err
	}
	sound := &Sound{maxSeconds: maxSeconds}
	if err := format.run(data, sound); err != nil {
		return nil, err
	}
	if len(sound.Samples) == 0 {
		return nil, fmt.Errorf("%w: audio has no samples", ErrRecord)
	}
	return sound, nil
}

// run decodes. A registered decoder is code of others, and files are of strangers.
func (f audioFormat) run(data []byte, into *Sound) (err error) {
	if f.name != wav.name {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("%w: %s audio is unreadable: %v", ErrRecord, f.name, p)
			}
		}()
	}
	err = f.decode(data, into)
	if err != nil && !errors.Is(err, ErrRecord) {
		err = fmt.Errorf("%w: %s audio is unreadable: %w", ErrRecord, f.name, err)
	}
	return err
}

func formatOf(data []byte) (audioFormat, error) {
	audioLock.RLock()
	defer audioLock.RUnlock()
	names := []string{wav.name}
	if wav.begins(data) {
		return wav, nil
	}
	for _, f := range audioFormats {
		if f.begins(data) {
			return f, nil
		}
		if !slices.Contains(names, f.name) {
			names = append(names, f.name)
		}
	}
	if len(names) == 1 {
		names = append(names, "and flac or mp3 where the program imports embed/source/codecs")
	}
	return audioFormat{}, fmt.Errorf("%w: audio is of no known format, want one of: %s", ErrRecord, strings.Join(names, ", "))
}

func (f audioFormat) begins(data []byte) bool {
	if len(data) < len(f.magic) {
		return false
	}
	for i, b := range []byte(f.magic) {
		if b != '?' && b != data[i] {
			return false
		}
	}
	return true
}

// withoutTag is a file without the ID3v2 tag before it, of which players write MP3s
// and FLACs some.
func withoutTag(data []byte) []byte {
	const header = 10
	if len(data) < header || !bytes.HasPrefix(data, []byte("ID3")) {
		return data
	}
	size := header
	for i, b := range data[6:10] {
		size += int(b&0x7f) << (7 * (3 - i)) // seven bits a byte
	}
	if data[5]&0x10 != 0 { // a footer as long as the header
		size += header
	}
	return bytes.TrimLeft(data[min(size, len(data)):], "\x00")
}
