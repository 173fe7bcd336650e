package source_test

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/embed/source"
)

// All widths and forms of samples hold the same sound, as do more channels of it.
func TestWAVForms(t *testing.T) {
	const rate = 8000
	sound := speech(1, rate, .3)
	le := binary.LittleEndian
	pcm := func(bits int) func([]byte, float64) []byte {
		return func(out []byte, v float64) []byte {
			n := int64(math.Round(v * float64(int64(1)<<(bits-1)-1)))
			if bits == 8 {
				n += 128
			}
			for i := range bits / 8 {
				out = append(out, byte(n>>(8*i)))
			}
			return out
		}
	}
	extensible := func(head []byte, tag uint16) []byte {
		out := slices.Clone(head)
		le.PutUint16(out, 0xfffe)
		out = le.AppendUint16(out, 22)
		out = append(out, make([]byte, 6)...)
		return append(le.AppendUint16(out, tag), make([]byte, 14)...)
	}
	floats := func(out []byte, v float64) []byte { return le.AppendUint32(out, math.Float32bits(float32(v))) }
	doubles := func(out []byte, v float64) []byte { return le.AppendUint64(out, math.Float64bits(v)) }
	fitted := fitAudio(t, source.Audio{})
	want := rowOf(t, fitted, riff(wavHead(3, 1, rate, 64), encodeAll(sound, 1, doubles)))
	for _, test := range []struct {
		name string
		head []byte
		put  func([]byte, float64) []byte
		most float64
	}{
		{"8 bits", wavHead(1, 1, rate, 8), pcm(8), 40},
		{"16 bits", wavHead(1, 1, rate, 16), pcm(16), 3},
		{"24 bits", wavHead(1, 1, rate, 24), pcm(24), .02},
		{"32 bits", wavHead(1, 1, rate, 32), pcm(32), .001},
		{"float", wavHead(3, 1, rate, 32), floats, .001},
		{"extensible 24 bits", extensible(wavHead(1, 1, rate, 24), 1), pcm(24), .02},
		{"extensible float", extensible(wavHead(3, 1, rate, 32), 3), floats, .001},
		{"stereo", wavHead(3, 2, rate, 32), floats, .001},
		{"six channels of 24 bits", wavHead(1, 6, rate, 24), pcm(24), .02},
	} {
		encoded := riff(test.head, encodeAll(sound, int(test.head[2]), test.put))
		if d := distance(want, rowOf(t, fitted, encoded)); !(d <= test.most) {
			t.Errorf("%s: row is %g away, want %g at most", test.name, d, test.most)
		}
	}
	// A writer into a pipe does not know the size.
	piped := riff(wavHead(1, 1, rate, 16), encodeAll(sound, 1, pcm(16)))
	le.PutUint32(piped[len(piped)-2*len(sound)-4:], math.MaxUint32)
	if d := distance(want, rowOf(t, fitted, piped)); d > 3 {
		t.Errorf("piped: row is %g away", d)
	}
}

func encodeAll(sound []float64, channels int, put func([]byte, float64) []byte) (out []byte) {
	for _, v := range sound {
		for range channels {
			out = put(out, v)
		}
	}
	return out
}

// Samples are what the file says, at both ends of their range.
func TestWAVExact(t *testing.T) {
	for _, test := range []struct {
		bits int
		data []byte
		want []int16
	}{
		{8, []byte{0, 1, 128, 255}, []int16{-32768, -32512, 0, 32512}},
		{16, []byte{0, 0x80, 0xff, 0xff, 0, 0, 0xff, 0x7f}, []int16{-32768, -1, 0, 32767}},
		{24, []byte{9, 0, 0x80, 0, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0x7f}, []int16{-32768, -1, 0, 32767}},
		{32, []byte{9, 9, 0, 0x80, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0x7f}, []int16{-32768, -1, 0, 32767}},
	} {
		for w, err := range (source.Audio{Window: 1}).Windows(riff(wavHead(1, 1, 8000, test.bits), test.data)) {
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range test.want {
				if got := int16(binary.LittleEndian.Uint16(w.Record[44+2*i:])); got != want {
					t.Errorf("%d bits: sample %d is %d, want %d", test.bits, i, got, want)
				}
			}
		}
	}
}

func TestAudioRefuses(t *testing.T) {
	whole := wavOf(8000, 1, chirp(8000, .1, 300, 300))
	nan := riff(wavHead(3, 1, 8000, 32), binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(math.NaN()))))
	spec := source.Audio{MaxSeconds: 1}
	for name, test := range map[string]struct {
		record any
		want   string
	}{
		"empty":         {[]byte{}, "empty"},
		"not audio":     {[]byte("hello"), "no known format, want one of: wav"},
		"cut short":     {whole[:len(whole)-9], "cut short"},
		"no data":       {whole[:36], "no data"},
		"no samples":    {riff(wavHead(1, 1, 8000, 16), nil), "no samples"},
		"too long":      {wavOf(8000, 1, make([]float64, 8001)), "1 seconds"},
		"too slow":      {riff(wavHead(1, 1, 999, 16), []byte{0, 0}), "rate 999"},
		"too fast":      {riff(wavHead(1, 1, 384001, 16), []byte{0, 0}), "rate 384001"},
		"many channels": {riff(wavHead(1, 33, 8000, 16), make([]byte, 66)), "33 channels"},
		"no channels":   {riff(wavHead(1, 0, 8000, 16), []byte{0, 0}), "0 channels"},
		"12 bytes":      {riff(wavHead(1, 1, 8000, 96), make([]byte, 12)), "96 bits"},
		"A-law":         {riff(wavHead(6, 1, 8000, 8), []byte{0}), "format 6"},
		"not a number":  {nan, "sample 0 is NaN"},
		"large":         {make([]byte, source.MaxAudioBytes+1), "134217728"},
		"large base64":  {strings.Repeat("A", source.MaxAudioBytes/3*4+8), "134217728"},
		"not base64":    {"***", "base64"},
		"number":        {7, "got int"},
	} {
		if _, err := spec.Marshal(test.record); !errors.Is(err, source.ErrRecord) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want ErrRecord with %q", name, err, test.want)
		}
	}
}

// A decoder of others that panics, or goes on for ever, refuses a record.
func TestRegisteredDecoders(t *testing.T) {
	source.RegisterAudio("broken", "PANIC", func([]byte, *source.Sound) error { panic("oh") })
	source.RegisterAudio("endless", "END?ESS", func(_ []byte, into *source.Sound) error {
		err := into.Begin(8000, 2, 0)
		for err == nil {
			err = into.Add(make([]float32, 2000))
		}
		return err
	})
	source.RegisterAudio("early", "EARLY", func(_ []byte, into *source.Sound) error { return into.Add([]float32{1}) })
	for data, want := range map[string]string{"PANIC": "broken audio is unreadable: oh", "ENDLESS": "600 seconds", "EARLY": "in 0 channels"} {
		if _, err := (source.Audio{}).Marshal([]byte(data)); !errors.Is(err, source.ErrRecord) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", data, err)
		}
	}
}

// Whatever WAV Marshal accepts makes a row and, where it is long enough, windows.
func FuzzWAV(f *testing.F) {
	f.Add(wavOf(8000, 1, chirp(8000, .05, 300, 900)))
	f.Add(wavOf(44100, 2, chirp(44100, .02, 300, 900)))
	f.Add(riff(wavHead(3, 1, 1000, 64), make([]byte, 80)))
	f.Add(riff(wavHead(1, 3, 384000, 24), make([]byte, 90)))
	spec := source.Audio{Rate: 8000, MaxSeconds: 2, Window: 1}
	f.Fuzz(func(t *testing.T, encoded []byte) {
		stored, err := spec.Marshal(encoded)
		if err != nil {
			if !errors.Is(err, source.ErrRecord) {
				t.Fatal(err)
			}
			return
		}
		rowOf(t, fitAudio(t, spec), stored)
		for w, err := range spec.Windows(stored) {
			if err != nil {
				t.Fatal(err)
			}
			marshal(t, spec, w.Record)
		}
	})
}
