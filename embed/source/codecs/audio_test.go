package codecs_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"log"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/embed/source"
	_ "github.com/latentdb/latentdb/embed/source/codecs"
)

// TestMain keeps what mewkiz/flac says of frames at 24 kHz out of the output.
func TestMain(m *testing.M) {
	log.SetOutput(io.Discard)
	os.Exit(m.Run())
}

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// samplesOf decodes a file as the one window of a recording, at its own rate.
func samplesOf(t testing.TB, encoded []byte) (samples []float64, rate int) {
	t.Helper()
	for w, err := range (source.Audio{Window: 10}).Windows(encoded) {
		if err != nil {
			t.Fatal(err)
		}
		rate = int(binary.LittleEndian.Uint32(w.Record[24:]))
		for at := 44; at < len(w.Record); at += 2 {
			samples = append(samples, float64(int16(binary.LittleEndian.Uint16(w.Record[at:]))))
		}
	}
	return samples, rate
}

// Files that another program wrote have the samples it was given.
func TestFLACIsExact(t *testing.T) {
	samples, rate := samplesOf(t, fixture(t, "stereo16.flac"))
	if rate != 44100 || len(samples) != 1200 {
		t.Fatalf("%d samples at %d", len(samples), rate)
	}
	for i, got := range samples {
		left, right := (i*i*7+i*13)%20001-10000, (i*31)%4001-2000
		if want := float64(left+right) / 2; math.Abs(got-want) > 0.5 {
			t.Fatalf("sample %d is %g, want the mean of %d and %d", i, got, left, right)
		}
	}
	samples, rate = samplesOf(t, fixture(t, "mono24.flac"))
	if rate != 24000 || len(samples) != 1200 {
		t.Fatalf("%d samples at %d", len(samples), rate)
	}
	for i, got := range samples {
		if want := float64((i*i*7919+i*131)%16000001-8000000) / 256; math.Abs(got-want) > 0.5 {
			t.Fatalf("sample %d is %g, want %g", i, got, want)
		}
	}
}

// power is how much of a signal is a tone, and how much there is in all.
func power(samples []float64, hertz, rate float64) (tone, all float64) {
	var re, im float64
	for i, v := range samples {
		re += v * math.Cos(2*math.Pi*hertz*float64(i)/rate)
		im += v * math.Sin(2*math.Pi*hertz*float64(i)/rate)
		all += v * v
	}
	return 2 * (re*re + im*im) / float64(len(samples)), all
}

func TestMP3KeepsTones(t *testing.T) {
	for _, test := range []struct {
		name        string
		hertz, rate float64
		amplitude   float64
	}{
		{"tone440_16k_mono.mp3", 440, 16000, .5},
		{"tone1000_44k_left.mp3", 1000, 44100, .25},
	} {
		samples, rate := samplesOf(t, fixture(t, test.name))
		middle := samples[len(samples)/3 : len(samples)*2/3]
		tone, all := power(middle, test.hertz, test.rate)
		amplitude := math.Sqrt(2*all/float64(len(middle))) / (1 << 15)
		if rate != int(test.rate) || tone < .99*all || math.Abs(amplitude-test.amplitude) > .02 {
			t.Errorf("%s: at %d, %.3f of it is the tone, amplitude %.3f", test.name, rate, tone/all, amplitude)
		}
		tagged := append([]byte("ID3\x04\x00\x00\x00\x00\x01\x05"), make([]byte, 128+5)...)
		if again, _ := samplesOf(t, append(tagged, fixture(t, test.name)...)); len(again) != len(samples) {
			t.Errorf("%s: %d samples after a tag, %d without", test.name, len(again), len(samples))
		}
	}
}

func TestRefusals(t *testing.T) {
	flac := fixture(t, "stereo16.flac")
	long := bytes.Clone(flac)
	long[21] |= 0x0f // of the 36 bits of declared samples
	spec := source.Audio{}
	for name, test := range map[string]struct {
		encoded []byte
		want    string
	}{
		"MPEG-2.5":           {fixture(t, "tone440_8k_mono.mp3"), "no known format"},
		"cut short FLAC":     {flac[:len(flac)-50], "flac audio is unreadable"},
		"damaged FLAC":       {append(bytes.Clone(flac[:200]), bytes.Repeat([]byte{0x55}, 300)...), "flac audio is unreadable"},
		"FLAC declares much": {long, "600 seconds and 33554432 samples"},
		"MP3 of nothing":     {[]byte("\xff\xfb\x90\x00"), "mp3 audio is unreadable"},
	} {
		if _, err := spec.Marshal(test.encoded); !errors.Is(err, source.ErrRecord) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want ErrRecord with %q", name, err, test.want)
		}
	}
	short := source.Audio{MaxSeconds: .1}
	for _, name := range []string{"tone440_16k_mono.mp3"} { // which does not declare its length
		if _, err := short.Marshal(fixture(t, name)); !errors.Is(err, source.ErrRecord) || !strings.Contains(err.Error(), "0.1 seconds") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func FuzzFLAC(f *testing.F) {
	f.Add(fixture(f, "stereo16.flac"))
	f.Add(fixture(f, "mono24.flac"))
	fuzz(f, "fLaC")
}

func FuzzMP3(f *testing.F) {
	f.Add(fixture(f, "tone440_16k_mono.mp3"))
	f.Add(fixture(f, "tone1000_44k_left.mp3"))
	fuzz(f, "\xff\xfb")
}

// fuzz checks that a file is refused as a bad record, or makes a finite row.
func fuzz(f *testing.F, magic string) {
	spec := source.Audio{Rate: 8000, MaxSeconds: 2}
	fitted, err := spec.Fit(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, encoded []byte) {
		if !bytes.HasPrefix(encoded, []byte(magic)) {
			encoded = append([]byte(magic), encoded...)
		}
		if _, err := spec.Marshal(encoded); err != nil {
			if !errors.Is(err, source.ErrRecord) {
				t.Fatal(err)
			}
			return
		}
		row := make([]float32, fitted.Width())
		if err := fitted.Row(row, encoded); err != nil {
			t.Fatal(err)
		}
		for i, v := range row {
			if v-v != 0 {
				t.Fatalf("feature %d is %g", i, v)
			}
		}
	})
}
