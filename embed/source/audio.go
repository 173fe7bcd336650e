package source

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/latentdb/latentdb/embed"
)

// Limits of audio. What a file declares is checked before it is decoded, and what it
// holds while it is.
const (
	MaxAudioBytes    = 128 << 20 // encoded
	MaxAudioSamples  = 1 << 25   // of one channel, at the file's own rate
	MaxAudioChannels = 32
	MinAudioRate     = 1000    // samples a second
	MaxAudioRate     = 384_000 // samples a second
	MaxAudioSeconds  = 3600    // Audio.MaxSeconds
	// DefaultAudioSeconds is how long a recording may be when not told.
	DefaultAudioSeconds = 600
	// MinAudioWindow is the shortest Audio.Window, in seconds.
	MinAudioWindow = 0.1
	// maxOverlap is how many windows may hold one sample.
	maxOverlap = 16
)

// Audio is the source of recordings. A record is the []byte of a WAV file (8 to 32-bit
// PCM, 32 or 64-bit float), or of any format that the program registered with
// RegisterAudio: package embed/source/codecs brings FLAC and MP3. A base64 string, which
// JSON gives, is taken as well. Channels are mixed down to their mean.
//
// A feature row has Frames × Coefficients values, frame by frame: mel-frequency cepstral
// coefficients (Davis and Mermelstein, IEEE Trans. ASSP 28, 1980) of the recording
// between the first and the last sound in it, brought to Frames frames however long that
// is, and blurred over those beside it. Coefficient k is weighed by 1 + k/10, and the
// first, which is a frame's loudness against the recording's mean, by 0.3; of the second's
// mean half is taken away. So a row tells neither how loud a recording is nor how long.
// What it is good for is short sounds of one kind: words, calls, knocks.
// Cost: 0.3 ms a second of sound at 8 kHz, 0.7 at 16, 1.1 from 44.1 to 8.
type Audio struct {
	// Rate is the samples a second that recordings are brought to: 8000 or 16000.
	// 0 means 16000 if one of the first recordings has as much, else 8000.
	Rate int `json:"rate,omitempty"`
	// Frames and Coefficients shape a feature row. Defaults 32 (4 to 512) and 20 (4 to 32).
	Frames       int `json:"frames,omitempty"`
	Coefficients int `json:"coefficients,omitempty"`
	// Window, if not 0, is how many seconds of a recording are one point where records
	// enter in bulk: see Windows. At least MinAudioWindow.
	Window float64 `json:"window,omitempty"`
	// Hop is how many seconds a window begins after the one before, Window/16 to Window.
	// Default Window/2.
	Hop float64 `json:"hop,omitempty"`
	// KeepSilence keeps the silence before and after the sound, so that where in a
	// record something is heard counts.
	KeepSilence bool `json:"keep_silence,omitempty"`
	// MaxSeconds is how long a recording may be. Default DefaultAudioSeconds, at most
	// MaxAudioSeconds.
	MaxSeconds float64 `json:"max_seconds,omitempty"`
}

// The shape of a row when not told.
const (
	defaultFrames       = 32
	defaultCoefficients = 20
)

// Rates that recordings are brought to.
const (
	narrowRate = 8000
	wideRate   = 16000
)

// Kind is "audio".
func (a Audio) Kind() string { return "audio" }

// Resolve decides the rate, decoding the first recordings until one has 16 kHz.
func (a Audio) Resolve(first []any) (Spec, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	if a.Rate != 0 || len(first) == 0 {
		return a, nil
	}
	a.Rate = narrowRate
	for _, record := range first {
		sound, err := a.sound(record)
		if err != nil {
			return nil, err
		}
		if sound.Rate >= wideRate {
			a.Rate = wideRate
			break
		}
	}
	return a, nil
}

func (a Audio) check() error {
	inRange := func(name string, v, low, high float64) error {
		if v != 0 && !(v >= low && v <= high) {
			return fmt.Errorf("%w: audio %s %g, want %g..%g", ErrSpec, name, v, low, high)
		}
		return nil
	}
	if a.Rate != 0 && a.Rate != narrowRate && a.Rate != wideRate {
		return fmt.Errorf("%w: audio rate %d, want %d, %d, or 0 to decide", ErrSpec, a.Rate, narrowRate, wideRate)
	}
	if a.Hop != 0 && a.Window == 0 {
		return fmt.Errorf("%w: audio hop %g without a window", ErrSpec, a.Hop)
	}
	for _, err := range []error{
		inRange("frames", float64(a.Frames), 4, 512),
		inRange("coefficients", float64(a.Coefficients), 4, narrowBands),
		inRange("max_seconds", a.MaxSeconds, MinAudioWindow, MaxAudioSeconds),
		inRange("window", a.Window, MinAudioWindow, a.maxSeconds()),
		inRange("hop", a.Hop, a.Window/maxOverlap, a.Window),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

// shape is what a row has of frames and of coefficients in each.
func (a Audio) shape() (frames, coefficients int) {
	frames, coefficients = a.Frames, a.Coefficients
	if frames == 0 {
		frames = defaultFrames
	}
	if coefficients == 0 {
		coefficients = defaultCoefficients
	}
	return frames, coefficients
}

func (a Audio) maxSeconds() float64 {
	if a.MaxSeconds == 0 {
		return DefaultAudioSeconds
	}
	return a.MaxSeconds
}

// Marshal decodes the recording in full, to prove that it can be, and stores its
// encoded bytes unchanged.
func (a Audio) Marshal(record any) ([]byte, error) {
	encoded, err := encodedAudio(record)
	if err != nil {
		return nil, err
	}
	if _, err := decodeSound(encoded, a.maxSeconds()); err != nil {
		return nil, err
	}
	return bytes.Clone(encoded), nil
}

// Unmarshal returns the encoded bytes.
func (a Audio) Unmarshal(stored []byte) (any, error) { return bytes.Clone(stored), nil }

// fitSamples is how many recordings tell how long one is.
const fitSamples = 256

// Fit reads the first recordings for how long the sound in them is: the median is what
// a decoded row is played at, for a row does not tell.
func (a Audio) Fit(samples iter.Seq2[[]byte, error]) (Fitted, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	if a.Rate == 0 {
		return nil, fmt.Errorf("%w: audio rate is not resolved", ErrSpec)
	}
	fitted := newFittedAudio(a, audioState{Seconds: defaultPlayed})
	if samples == nil {
		return fitted, nil
	}
	var lengths []float64
	for stored, err := range samples {
		if err != nil {
			return nil, err
		}
		sound, err := decodeSound(stored, a.maxSeconds())
		if err != nil {
			return nil, err
		}
		lengths = append(lengths, float64(len(fitted.front.heard(sound)))/float64(a.Rate))
		if len(lengths) == fitSamples {
			break
		}
	}
	if len(lengths) > 0 {
		slices.Sort(lengths)
		fitted.state.Seconds = math.Round(1000*min(max(lengths[len(lengths)/2], minPlayed), maxPlayed)) / 1000
	}
	return fitted, nil
}

// encodedAudio is the encoded form of any record that is a recording.
func encodedAudio(record any) ([]byte, error) {
	switch r := record.(type) {
	case []byte:
		return r, nil
	case string:
		if base64.StdEncoding.DecodedLen(len(r)) > MaxAudioBytes+2 {
			return nil, fmt.Errorf("%w: base64 audio of %d characters, the limit is %d bytes", ErrRecord, len(r), MaxAudioBytes)
		}
		encoded, err := base64.StdEncoding.DecodeString(r)
		if err != nil {
			return nil, fmt.Errorf("%w: audio is not base64: %w", ErrRecord, err)
		}
		return encoded, nil
	}
	return nil, fmt.Errorf("%w: got %T, want an encoded recording", ErrRecord, record)
}

// sound decodes a record.
func (a Audio) sound(record any) (*Sound, error) {
	encoded, err := encodedAudio(record)
	if err != nil {
		return nil, err
	}
	return decodeSound(encoded, a.maxSeconds())
}

// audioState is what was learned from recordings.
type audioState struct {
	// Seconds is how long a decoded row is played.
	Seconds float64 `json:"seconds"`
}

// How long decoded rows are played, in seconds: when no recording told, and at least
// and at most.
const (
	defaultPlayed = 1
	minPlayed     = 0.05
	maxPlayed     = 30
)

// fittedAudio is safe for concurrent use: what the front end works in is pooled.
type fittedAudio struct {
	spec  Audio
	state audioState
	front *frontEnd
}

func newFittedAudio(spec Audio, state audioState) *fittedAudio {
	return &fittedAudio{spec, state, newFrontEnd(spec)}
}

func restoreAudio(spec Spec, state json.RawMessage) (Fitted, error) {
	var s audioState
	if err := decodeStrict(state, &s); err != nil {
		return nil, err
	}
	if !(s.Seconds >= minPlayed && s.Seconds <= maxPlayed) {
		return nil, fmt.Errorf("%g seconds, want %g..%g", s.Seconds, minPlayed, float64(maxPlayed))
	}
	audio := spec.(Audio)
	if audio.Rate == 0 {
		return nil, fmt.Errorf("%w: audio rate is not resolved", ErrSpec)
	}
	return newFittedAudio(audio, s), nil
}

func (f *fittedAudio) Spec() Spec                     { return f.spec }
func (f *fittedAudio) Width() int                     { return f.front.frames * f.front.coefficients }
func (f *fittedAudio) Layout() embed.Layout           { return embed.NumericLayout(f.Width()) }
func (f *fittedAudio) InputScale() []float32          { return nil }
func (f *fittedAudio) MarshalBinary() ([]byte, error) { return marshalFitted(f.spec, f.state) }

// Row decodes the recording and takes its cepstrum.
func (f *fittedAudio) Row(dst []float32, stored []byte) error {
	if err := checkRow(dst, f.Width()); err != nil {
		return err
	}
	sound, err := decodeSound(stored, f.spec.maxSeconds())
	if err != nil {
		return err
	}
	f.front.row(dst, sound)
	return nil
}

// RowOf is Row for a record that is not stored: it is decoded once.
func (f *fittedAudio) RowOf(dst []float32, record any) error {
	encoded, err := encodedAudio(record)
	if err != nil {
		return err
	}
	return f.Row(dst, encoded)
}
