package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/store"
)

// tone is a WAV file at 8 kHz of tones, each so many seconds.
func tone(seconds float64, hertz ...float64) []byte {
	const rate = 8000
	le := binary.LittleEndian
	var data []byte
	for _, f := range hertz {
		for i := range int(seconds * rate) {
			data = le.AppendUint16(data, uint16(int16(9000*math.Sin(2*math.Pi*f*float64(i)/rate))))
		}
	}
	out := append([]byte("RIFF\x00\x00\x00\x00WAVEfmt "), 16, 0, 0, 0, 1, 0, 1, 0)
	out = le.AppendUint32(out, rate)
	out = le.AppendUint32(out, 2*rate)
	out = append(out, 2, 0, 16, 0)
	out = le.AppendUint32(append(out, "data"...), uint32(len(data)))
	return append(out, data...)
}

// A folder of recordings, one of FLAC among them, becomes a collection that finds, shows
// and plays them.
func TestImportFolderOfRecordings(t *testing.T) {
	eachTarget(t, func(t *testing.T, on target) {
		dir := t.TempDir()
		put := func(data []byte, name ...string) {
			t.Helper()
			path := filepath.Join(append([]string{dir}, name...)...)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 70 {
			put(tone(.1, 300+20*float64(i), 1000+30*float64(i%9)), "tones", fmt.Sprintf("%02d.wav", i))
		}
		flac, err := os.ReadFile("../../embed/source/codecs/testdata/stereo16.flac")
		if err != nil {
			t.Fatal(err)
		}
		put(flac, "noise.flac")
		put([]byte("not a sound"), "broken.mp3")
		var r importResult
		on.json(&r, "import", "sounds", dir, "--dim", "8")
		on.run("fit", "sounds")
		if r.Imported != 71 || r.Failed != 1 || !strings.Contains(r.Errors[0].Reason, "no known format") {
			t.Errorf("imported %+v", r)
		}
		query := writeFile(t, "query.wav", tone(.13, 700, 1060))
		var found struct{ Points []store.Hit }
		on.json(&found, "search", "sounds", "--record", query, "--warp", "--limit", "3")
		if len(found.Points) != 3 || found.Points[0].ID != store.StringID("tones/20.wav") || found.Points[0].Payload["folder"] != "tones" {
			t.Errorf("found %+v", found.Points)
		}
		contains(t, on.run("search", "sounds", "--record", query, "--warp", "--explain"), "50 candidates scored by warped distance")
		out := t.TempDir()
		on.run("reconstruct", "sounds", "noise.flac", "-o", out)
		on.run("sample", "sounds", "-n", "1", "-o", out)
		for file, magic := range map[string]string{"noise.flac.wav": "RIFF", "noise.flac.png": "\x89PNG", "sample-0001.wav": "RIFF"} {
			if data, err := os.ReadFile(filepath.Join(out, file)); err != nil || !strings.HasPrefix(string(data), magic) {
				t.Errorf("%s: %d bytes, %v", file, len(data), err)
			}
		}
	})
}

// Long recordings are cut, and a hit tells where.
func TestImportCutsWindows(t *testing.T) {
	eachTarget(t, func(t *testing.T, on target) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "long.wav"), tone(1, 300, 300, 2000, 500, 300), 0o600); err != nil {
			t.Fatal(err)
		}
		var r importResult
		on.json(&r, "import", "talks", dir, "--window", "1", "--hop", "1")
		if r.Imported != 5 {
			t.Errorf("imported %+v", r)
		}
		var found struct{ Points []store.Hit }
		on.json(&found, "search", "talks", "--record", writeFile(t, "query.wav", tone(.5, 2000)), "--limit", "1")
		p := found.Points[0]
		if p.ID != store.StringID("long.wav#t=2,3") || p.Payload["recording"] != "long.wav" || fmt.Sprint(p.Payload["start"], p.Payload["end"]) != "2 3" {
			t.Errorf("found %+v", p)
		}
		// What an export holds comes back as it was.
		file := filepath.Join(dir, "talks.jsonl")
		on.run("export", "talks", "-o", file)
		on.run("import", "again", file, "--kind", "audio", "--window", "1", "--hop", "1")
		again := filepath.Join(dir, "again.jsonl")
		on.run("export", "again", "-o", again)
		a, _ := os.ReadFile(file)
		b, err := os.ReadFile(again)
		if err != nil || len(a) == 0 || string(a) != string(b) {
			t.Errorf("%d bytes came back as %d, %v", len(a), len(b), err)
		}
	})
}

func TestAudioUsage(t *testing.T) {
	for _, args := range [][]string{
		{"--rate", "44100"}, {"--hop", "1"}, {"--window", "1", "--hop", "2"}, {"--window", "1000"}, {"--kind", "video"},
	} {
		got := cli(append([]string{"import", "x", t.TempDir(), "--data", t.TempDir()}, args...)...)
		if got.code != exitUsage {
			t.Errorf("%v: exit code %d, %s", args, got.code, got.stderr)
		}
	}
}
