package source

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Formats of samples in a WAV file.
const (
	wavPCM        = 1
	wavFloat      = 3
	wavExtensible = 0xfffe
)

// unknownSize is the least size of a chunk that was written before its end was known.
const unknownSize = 0x7fff_f000

// wavFormat is what a "fmt " chunk says.
type wavFormat struct {
	tag      uint16
	channels int
	rate     int
	width    int // bytes of a sample
}

// decodeWAV reads a RIFF WAVE file of whole numbers or floats.
func decodeWAV(data []byte, into *Sound) error {
	var format *wavFormat
	for rest := data[12:]; len(rest) >= 8; {
		id, size := string(rest[:4]), uint64(binary.LittleEndian.Uint32(rest[4:]))
		rest = rest[8:]
		body := rest[:min(size, uint64(len(rest)))]
		switch id {
		case "fmt ":
			f, err := parseWAVFormat(body)
			if err != nil {
				return err
			}
			format = &f
		case "data":
			if size > uint64(len(rest)) && size < unknownSize {
				return fmt.Errorf("%w: wav audio is cut short: %d bytes of %d", ErrRecord, len(rest), size)
			}
			if format == nil {
				return fmt.Errorf("%w: wav audio has data before its format", ErrRecord)
			}
			return format.read(body, into)
		}
		rest = rest[min(size+size%2, uint64(len(rest))):]
	}
	return fmt.Errorf("%w: wav audio has no data", ErrRecord)
}

func parseWAVFormat(chunk []byte) (f wavFormat, err error) {
	if len(chunk) < 16 {
		return f, fmt.Errorf("%w: wav format of %d bytes, want 16 or more", ErrRecord, len(chunk))
	}
	u16 := func(at int) int { return int(binary.LittleEndian.Uint16(chunk[at:])) }
	f.tag, f.channels = uint16(u16(0)), u16(2)
	f.rate = int(binary.LittleEndian.Uint32(chunk[4:]))
	block, bits := u16(12), u16(14)
	if f.tag == wavExtensible {
		if len(chunk) < 40 {
			return f, fmt.Errorf("%w: extensible wav format of %d bytes, want 40", ErrRecord, len(chunk))
		}
		f.tag = uint16(u16(24)) // the first two bytes of the sub-format
	}
	f.width = (bits + 7) / 8
	known := f.tag == wavPCM && f.width >= 1 && f.width <= 4 || f.tag == wavFloat && (bits == 32 || bits == 64)
	if !known {
		return f, fmt.Errorf("%w: wav audio of format %d with %d bits a sample, want 8 to 32 bits (1, PCM) or 32 or 64 (3, float)", ErrRecord, f.tag, bits)
	}
	if f.channels < 1 || block != f.channels*f.width {
		return f, fmt.Errorf("%w: wav audio has blocks of %d bytes for %d channels of %d bits", ErrRecord, block, f.channels, bits)
	}
	return f, nil
}

// read decodes samples in pieces. Bytes after the last whole one are left.
func (f wavFormat) read(body []byte, into *Sound) error {
	block := f.channels * f.width
	n := len(body) / block
	if err := into.Begin(f.rate, f.channels, uint64(n)); err != nil {
		return err
	}
	into.Samples = make([]float32, 0, n)
	const piece = 1024
	values := make([]float32, piece*f.channels)
	for at := 0; at < n; at += piece {
		some := values[:min(piece, n-at)*f.channels]
		f.values(some, body[at*block:])
		if err := into.Add(some); err != nil {
			return err
		}
	}
	return nil
}

// values reads len(dst) samples. Whole numbers are left-justified in their bytes, 8 bits
// from 0 and all others signed.
func (f wavFormat) values(dst []float32, from []byte) {
	le := binary.LittleEndian
	for i := range dst {
		b := from[i*f.width:]
		switch {
		case f.tag == wavFloat && f.width == 4:
			dst[i] = math.Float32frombits(le.Uint32(b))
		case f.tag == wavFloat:
			dst[i] = float32(math.Float64frombits(le.Uint64(b)))
		case f.width == 1:
			dst[i] = float32(int(b[0])-1<<7) / (1 << 7)
		case f.width == 2:
			dst[i] = float32(int16(le.Uint16(b))) / (1 << 15)
		case f.width == 3:
			dst[i] = float32(int32(uint32(b[0])<<8|uint32(b[1])<<16|uint32(b[2])<<24)) / (1 << 31)
		default:
			dst[i] = float32(int32(le.Uint32(b))) / (1 << 31)
		}
	}
}

// encodeWAV is one channel of samples as a WAV file of 16-bit PCM; what lies beyond -1
// to 1 is cut.
func encodeWAV(samples []float32, rate int) []byte {
	const width = 2
	le := binary.LittleEndian
	size := width * len(samples)
	out := make([]byte, 0, 44+size)
	out = append(out, "RIFF"...)
	out = le.AppendUint32(out, uint32(36+size))
	out = append(out, "WAVEfmt "...)
	out = le.AppendUint32(out, 16)
	out = le.AppendUint16(out, wavPCM)
	out = le.AppendUint16(out, 1)
	out = le.AppendUint32(out, uint32(rate))
	out = le.AppendUint32(out, uint32(rate*width))
	out = le.AppendUint16(out, width)
	out = le.AppendUint16(out, 8*width)
	out = append(out, "data"...)
	out = le.AppendUint32(out, uint32(size))
	for _, v := range samples {
		s := math.Round(float64(v) * (1 << 15))
		out = le.AppendUint16(out, uint16(int16(max(math.MinInt16, min(s, math.MaxInt16)))))
	}
	return out
}
