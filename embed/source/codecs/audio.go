package codecs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/hajimehoshi/go-mp3"
	"github.com/mewkiz/flac"
	"github.com/mewkiz/flac/frame"

	"github.com/latentdb/latentdb/embed/source"
)

func init() {
	source.RegisterAudio("flac", "fLaC", decodeFLAC)
	// The first two bytes of a frame of MPEG-1 or MPEG-2, layer III, without and with
	// a checksum.
	for _, magic := range []string{"\xff\xfb", "\xff\xfa", "\xff\xf3", "\xff\xf2"} {
		source.RegisterAudio("mp3", magic, decodeMP3)
	}
}

// decodeFLAC decodes a FLAC file of 4 to 32 bits a sample. It is read by mewkiz/flac, which
// tells the standard logger of frames at 24 and 176.4 kHz.
func decodeFLAC(encoded []byte, into *source.Sound) error {
	stream, err := flac.New(bytes.NewReader(encoded))
	if err != nil {
		return err
	}
	info := stream.Info
	if info.BitsPerSample < 4 || info.BitsPerSample > 32 {
		return fmt.Errorf("%d bits a sample, want 4..32", info.BitsPerSample)
	}
	channels := int(info.NChannels)
	if err := into.Begin(int(info.SampleRate), channels, info.NSamples); err != nil {
		return err
	}
	scale := 1 / float32(uint64(1)<<(info.BitsPerSample-1))
	var values []float32
	for {
		f, err := stream.ParseNext()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if len(f.Subframes) != channels {
			return fmt.Errorf("a frame of %d channels among those of %d", len(f.Subframes), channels)
		}
		values = interleave(values[:0], f, scale)
		if err := into.Add(values); err != nil {
			return err
		}
	}
	if n := uint64(len(into.Samples)); n < info.NSamples {
		return fmt.Errorf("%d samples of %d", n, info.NSamples)
	}
	return nil
}

// interleave puts the samples of all channels at one moment side by side.
func interleave(dst []float32, f *frame.Frame, scale float32) []float32 {
	n := len(f.Subframes[0].Samples)
	for i := range n {
		for _, sub := range f.Subframes {
			dst = append(dst, float32(sub.Samples[i])*scale)
		}
	}
	return dst
}

// decodeMP3 decodes an MP3 file of MPEG-1 or MPEG-2, which has 16 to 48 kHz. The decoder
// gives two channels of 16 bits whatever the file has.
func decodeMP3(encoded []byte, into *source.Sound) error {
	// Behind a plain Reader the decoder does not read the file twice to know its length.
	decoder, err := mp3.NewDecoder(struct{ io.Reader }{bytes.NewReader(encoded)})
	if err != nil {
		return err
	}
	const channels, width = 2, 2
	if err := into.Begin(decoder.SampleRate(), channels, 0); err != nil {
		return err
	}
	buf := make([]byte, 4096*channels*width)
	values := make([]float32, len(buf)/width)
	for {
		n, err := io.ReadFull(decoder, buf)
		for i := range n / width {
			values[i] = float32(int16(binary.LittleEndian.Uint16(buf[width*i:]))) / (1 << 15)
		}
		if err := into.Add(values[:n/(channels*width)*channels]); err != nil {
			return err
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
