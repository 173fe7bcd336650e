package source_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"image/png"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/latentdb/latentdb/embed/source"
)

func ExampleAudio() {
	spec, _ := source.Audio{}.Resolve([]any{wavOf(8000, 1, chirp(8000, .5, 300, 900))})
	stored, _ := spec.Marshal(wavOf(8000, 1, chirp(8000, .5, 300, 900)))
	fitted, _ := spec.Fit(samples([][]byte{stored}))
	row, faster := make([]float32, fitted.Width()), make([]float32, fitted.Width())
	_ = fitted.Row(row, stored)
	_ = fitted.Row(faster, wavOf(16000, 1, chirp(16000, .3, 300, 900))) // at another rate, too
	back, _ := fitted.Record(row)
	fmt.Println(len(row), bytes.HasPrefix(back.([]byte), []byte("RIFF")))
	fmt.Println("the same sweep, faster, lies near:", fitted.(source.Warper).Warp(row, faster) < 20)
	_ = fitted.Row(faster, wavOf(8000, 1, chirp(8000, .3, 900, 300)))
	fmt.Println("one that falls lies far:", fitted.(source.Warper).Warp(row, faster) > 100)
	// Output:
	// 640 true
	// the same sweep, faster, lies near: true
	// one that falls lies far: true
}

// chirp is a tone that goes from one pitch to another.
func chirp(rate int, seconds, from, to float64) []float64 {
	out := make([]float64, int(float64(rate)*seconds))
	phase := 0.
	for i := range out {
		phase += 2 * math.Pi * (from + (to-from)*float64(i)/float64(len(out))) / float64(rate)
		out[i] = .5 * math.Sin(phase)
	}
	return out
}

// speech is something with formants: pulses through resonances that move.
func speech(seed uint64, rate int, seconds float64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 1))
	out := make([]float64, int(float64(rate)*seconds))
	var a, b float64
	start, end := 400+600*rng.Float64(), 400+600*rng.Float64()
	period := rate / (90 + rng.IntN(120))
	for i := range out {
		in := .02 * rng.NormFloat64()
		if i%period == 0 {
			in += 1
		}
		f := start + (end-start)*float64(i)/float64(len(out))
		const r = .97
		v := in + 2*r*math.Cos(2*math.Pi*f/float64(rate))*a - r*r*b
		a, b = v, a
		out[i] = .05 * v
	}
	return out
}

// wavOf is a WAV file of 16 bits with the same samples in each channel.
func wavOf(rate, channels int, samples []float64) []byte {
	data := make([]byte, 0, 2*channels*len(samples))
	for _, v := range samples {
		for range channels {
			data = binary.LittleEndian.AppendUint16(data, uint16(int16(math.Round(32767*v))))
		}
	}
	return riff(wavHead(1, channels, rate, 16), data)
}

// wavHead is the body of a "fmt " chunk.
func wavHead(tag, channels, rate, bits int) []byte {
	le := binary.LittleEndian
	block := channels * ((bits + 7) / 8)
	out := le.AppendUint16(nil, uint16(tag))
	out = le.AppendUint16(out, uint16(channels))
	out = le.AppendUint32(out, uint32(rate))
	out = le.AppendUint32(out, uint32(rate*block))
	out = le.AppendUint16(out, uint16(block))
	return le.AppendUint16(out, uint16(bits))
}

// riff is a WAV file with a chunk that nobody knows before the data.
func riff(head, data []byte) []byte {
	chunk := func(id string, body []byte) []byte {
		out := append([]byte(id), binary.LittleEndian.AppendUint32(nil, uint32(len(body)))...)
		out = append(out, body...)
		if len(body)%2 == 1 {
			out = append(out, 0)
		}
		return out
	}
	body := slices.Concat([]byte("WAVE"), chunk("fmt ", head), chunk("odd ", []byte("123")), chunk("data", data))
	return chunk("RIFF", body)
}

func fitAudio(t tester, spec source.Audio, stored ...[]byte) source.Fitted {
	t.Helper()
	if spec.Rate == 0 {
		spec.Rate = 8000
	}
	return fit(t, spec, stored...)
}

func distance(a, b []float32) float64 {
	var sum float64
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		sum += d * d
	}
	return math.Sqrt(sum)
}

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

// Channels that differ are mixed down to their mean: opposite ones to silence.
func TestAudioMixesDown(t *testing.T) {
	var data []byte
	for _, v := range chirp(8000, .2, 400, 400) {
		n := int16(20000 * v)
		data = binary.LittleEndian.AppendUint16(data, uint16(n))
		data = binary.LittleEndian.AppendUint16(data, uint16(-n))
	}
	for i, v := range rowOf(t, fitAudio(t, source.Audio{}), riff(wavHead(1, 2, 8000, 16), data)) {
		if math.Abs(float64(v)) > 1e-5 {
			t.Fatalf("feature %d of silence is %g", i, v)
		}
	}
}

// A row tells neither how loud a recording is nor at what rate it was taken, nor what
// silence is around it.
func TestAudioRowsDoNotMind(t *testing.T) {
	fitted := fitAudio(t, source.Audio{})
	sound := speech(2, 8000, .4)
	want := rowOf(t, fitted, wavOf(8000, 1, sound))
	other := distance(want, rowOf(t, fitted, wavOf(8000, 1, speech(3, 8000, .4))))
	quiet := make([]float64, len(sound))
	for i, v := range sound {
		quiet[i] = v / 4
	}
	silence := make([]float64, 1600)
	for name, encoded := range map[string][]byte{
		"quieter":             wavOf(8000, 1, quiet),
		"silence around it":   wavOf(8000, 1, slices.Concat(silence, sound, silence)),
		"base64 of a channel": []byte(base64.StdEncoding.EncodeToString(wavOf(8000, 1, sound))),
	} {
		row := make([]float32, fitted.Width())
		var err error
		if strings.HasPrefix(name, "base64") {
			err = fitted.(source.Direct).RowOf(row, string(encoded))
		} else {
			err = fitted.Row(row, encoded)
		}
		if d := distance(want, row); err != nil || d > other/4 {
			t.Errorf("%s: %v, %g away, another sound %g", name, err, d, other)
		}
	}
	loud := rowOf(t, fitAudio(t, source.Audio{KeepSilence: true}), wavOf(8000, 1, slices.Concat(silence, sound, silence)))
	if distance(want, loud) < other/10 {
		t.Error("silence that is kept does not show")
	}
}

// Resampled tones are the tones: what both rates can hold is there, and nothing folds back.
func TestAudioResamples(t *testing.T) {
	narrow := fitAudio(t, source.Audio{KeepSilence: true})
	want := rowOf(t, narrow, wavOf(8000, 1, chirp(8000, .5, 300, 3000)))
	far := distance(want, rowOf(t, narrow, wavOf(8000, 1, chirp(8000, .5, 3000, 300))))
	for _, rate := range []int{11025, 16000, 22050, 44100, 44101, 48000, 96000} {
		got := rowOf(t, narrow, wavOf(rate, 1, chirp(rate, .5, 300, 3000)))
		if d := distance(want, got); d > far/10 {
			t.Errorf("from %d: %g away, the opposite %g", rate, d, far)
		}
		// A tone above 4 kHz beside it must leave no trace.
		sound := chirp(rate, .5, 300, 3000)
		if rate > 11025 {
			for i, v := range chirp(rate, .5, 5000, 5500) {
				sound[i] = (sound[i] + v) / 2
			}
		}
		if d := distance(want, rowOf(t, narrow, wavOf(rate, 1, sound))); d > far/10 {
			t.Errorf("from %d with a high tone: %g away", rate, d)
		}
	}
}

func TestAudioResolvesRate(t *testing.T) {
	low, high := wavOf(8000, 1, chirp(8000, .1, 300, 300)), wavOf(44100, 1, chirp(44100, .1, 300, 300))
	if got := resolve(t, source.Audio{}, low).(source.Audio).Rate; got != 8000 {
		t.Errorf("8 kHz: %d", got)
	}
	if got := resolve(t, source.Audio{}, low, high).(source.Audio).Rate; got != 16000 {
		t.Errorf("with 44.1 kHz: %d", got)
	}
	if _, err := (source.Audio{}).Fit(nil); !errors.Is(err, source.ErrSpec) {
		t.Errorf("fit of an unresolved spec: %v", err)
	}
}

func TestAudioSpecErrors(t *testing.T) {
	for _, bad := range []source.Audio{
		{Rate: 11025}, {Frames: 3}, {Frames: 513}, {Coefficients: 3}, {Coefficients: 33}, {Hop: 1}, {Window: .01},
		{Window: 601}, {Window: 1, Hop: 2}, {Window: 1, Hop: .01}, {MaxSeconds: 3601}, {MaxSeconds: -1}, {Window: math.NaN()},
	} {
		if _, err := bad.Resolve(nil); !errors.Is(err, source.ErrSpec) {
			t.Errorf("%+v: got %v, want ErrSpec", bad, err)
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

// What a row plays has that row again, nearly, and is as long as the recordings were.
func TestAudioPlaysRows(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		var stored [][]byte
		for seed := range uint64(3) {
			stored = append(stored, wavOf(rate, 1, speech(10+seed, rate, .15+.05*float64(seed))))
		}
		fitted := fitAudio(t, source.Audio{Rate: rate}, stored...)
		checkBytes(t, fitted)
		for i, s := range stored {
			row := rowOf(t, fitted, s)
			record, err := fitted.Record(row)
			if err != nil {
				t.Fatal(err)
			}
			again := rowOf(t, fitted, marshal(t, fitted.Spec(), record))
			size := distance(row, make([]float32, len(row)))
			if d := distance(row, again); d > .4*size {
				t.Errorf("%d Hz: row %d of length %g came back %g away", rate, i, size, d)
			}
			seconds := float64(len(record.([]byte))-44) / 2 / float64(rate)
			if math.Abs(seconds-.2) > .03 {
				t.Errorf("%d Hz: plays for %g s, want the median .2", rate, seconds)
			}
		}
	}
}

func TestAudioPicture(t *testing.T) {
	fitted := fitAudio(t, source.Audio{})
	row := rowOf(t, fitted, wavOf(8000, 1, chirp(8000, .5, 300, 3000)))
	encoded, err := fitted.(source.Pictured).Picture(row)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(encoded))
	if err != nil {
		t.Fatal(err)
	}
	size := picture.Bounds().Size()
	brightest := func(x int) (at int) {
		most := uint32(0)
		for y := range size.Y {
			if v, _, _, _ := picture.At(x, y).RGBA(); v > most {
				at, most = y, v
			}
		}
		return at
	}
	if size.X != 32*8 || size.Y != 32*8 || brightest(20) <= brightest(size.X-20) {
		t.Errorf("%v: a rising tone is at %d and then at %d from the top", size, brightest(20), brightest(size.X-20))
	}
}

// Strange numbers in a decoded row give a sound and a picture, not a panic.
func TestAudioTakesAnyRow(t *testing.T) {
	fitted := fitAudio(t, source.Audio{}, wavOf(8000, 1, chirp(8000, .1, 300, 900)))
	for _, v := range []float64{0, math.NaN(), math.Inf(1), math.Inf(-1), 3e38, -3e38} {
		row := make([]float32, fitted.Width())
		for i := range row {
			row[i] = float32(v)
		}
		record, err := fitted.Record(row)
		if err != nil {
			t.Fatal(err)
		}
		rowOf(t, fitted, record.([]byte))
		if _, err := fitted.(source.Pictured).Picture(row); err != nil {
			t.Error(err)
		}
	}
	if _, err := fitted.Record(make([]float32, 3)); !errors.Is(err, source.ErrRecord) {
		t.Errorf("a short row: %v", err)
	}
}

// The weights of parts add up to the contributions, and lie where two sounds differ.
func TestAudioParts(t *testing.T) {
	sound := wavOf(8000, 1, chirp(8000, .5, 1000, 1000))
	fitted := fitAudio(t, source.Audio{}, sound)
	a := rowOf(t, fitted, sound)
	later := chirp(8000, .5, 1000, 1000)
	for i, v := range chirp(8000, .5, 2600, 2600) {
		if i > 3000 {
			later[i] += .5 * v
		}
	}
	b := rowOf(t, fitted, wavOf(8000, 1, later))
	contributions, total := make([]float64, len(a)), 0.
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		contributions[i] = d * d
		total += d * d
	}
	parts := fitted.Parts(contributions, a, b)
	sum := 0.
	for i, p := range parts {
		sum += p.Weight
		if i > 0 && p.Weight > parts[i-1].Weight {
			t.Errorf("part %d weighs more than the one before", i)
		}
	}
	if len(parts) != 8*16 || math.Abs(sum-total) > 1e-6*total {
		t.Errorf("%d parts weigh %g, contributions are %g", len(parts), sum, total)
	}
	var band int
	var from, to float64
	if _, err := fmt.Sscanf(parts[0].Name, "band %d, %f-%f s", &band, &from, &to); err != nil || band != 7 || from < .36 || to > .51 {
		t.Errorf("the largest part is %+v: %v", parts[0], err)
	}
	if parts[0].Expected.(float64) < parts[0].Value.(float64)+5 {
		t.Errorf("the tone is not in what was expected: %+v", parts[0])
	}
	if fitted.Parts(nil, a, b) != nil {
		t.Error("parts of no contributions")
	}
}

func TestWindows(t *testing.T) {
	const rate = 8000
	sound := chirp(rate, 2.3, 300, 3000)
	spec := source.Audio{Rate: rate, Window: 1, KeepSilence: true}
	var got []source.AudioWindow
	for w, err := range spec.Windows(wavOf(rate, 2, sound)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, w)
	}
	want := [][2]float64{{0, 1}, {.5, 1.5}, {1, 2}, {1.3, 2.3}}
	if len(got) != len(want) {
		t.Fatalf("%d windows, want %d", len(got), len(want))
	}
	fitted := fitAudio(t, spec)
	for i, w := range got {
		if w.Start != want[i][0] || w.End != want[i][1] || w.Whole {
			t.Errorf("window %d is %g to %g", i, w.Start, w.End)
		}
		cut := sound[int(w.Start*rate):int(w.End*rate)]
		if d := distance(rowOf(t, fitted, w.Record), rowOf(t, fitted, wavOf(rate, 1, cut))); d > .5 {
			t.Errorf("window %d is %g away from its samples", i, d)
		}
	}
	if name := got[3].Name("talk.mp3"); name != "talk.mp3#t=1.3,2.3" {
		t.Error(name)
	}
	for w, err := range spec.Windows(wavOf(rate, 1, sound[:4000])) { // shorter than a window
		if err != nil || w.Start != 0 || w.End != .5 || !w.Whole {
			t.Errorf("%g to %g, %v", w.Start, w.End, err)
		}
	}
	for _, err := range (source.Audio{}).Windows(wavOf(rate, 1, sound)) {
		if !errors.Is(err, source.ErrSpec) {
			t.Errorf("without a window: %v", err)
		}
	}
	for _, err := range spec.Windows([]byte("hello")) {
		if !errors.Is(err, source.ErrRecord) {
			t.Errorf("of no audio: %v", err)
		}
	}
}

// All of a recording is in its windows, and none is shorter than told if the recording
// is not.
func TestWindowsCover(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := source.Audio{Window: rapid.Float64Range(.1, 2).Draw(t, "window")}
		spec.Hop = spec.Window * rapid.Float64Range(.07, 1).Draw(t, "hop")
		n := rapid.IntRange(1, 4000).Draw(t, "samples")
		end, windows := 0., 0
		for w, err := range spec.Windows(wavOf(1000, 1, make([]float64, n))) {
			if err != nil {
				t.Fatal(err)
			}
			if w.Start > end+.002 || w.End <= end && windows > 0 {
				t.Fatalf("%g to %g after %g", w.Start, w.End, end)
			}
			if length := (len(w.Record) - 44) / 2; length != min(n, int(math.Round(1000*spec.Window))) {
				t.Fatalf("window of %d samples of %d", length, n)
			}
			end = w.End
			windows++
		}
		if math.Abs(end-float64(n)/1000) > 1e-9 {
			t.Fatalf("windows end at %g of %d samples", end, n)
		}
	})
}

// The warped distance is that of a plain recursion over all paths.
func TestWarp(t *testing.T) {
	const frames, k = 9, 4
	fitted := fitAudio(t, source.Audio{Frames: frames, Coefficients: k})
	warp := fitted.(source.Warper).Warp
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) []float32 {
			return rapid.SliceOfN(rapid.Float32Range(-9, 9), frames*k, frames*k).Draw(t, name)
		}
		a, b := draw("a"), draw("b")
		var least func(i, j int) float64
		known := map[[2]int]float64{}
		least = func(i, j int) float64 {
			if i < 0 && j < 0 {
				return 0
			}
			if i < 0 || j < 0 || i-j > 1 || j-i > 1 {
				return math.Inf(1)
			}
			if v, ok := known[[2]int{i, j}]; ok {
				return v
			}
			d := distance(a[i*k:(i+1)*k], b[j*k:(j+1)*k])
			v := min(least(i-1, j-1)+d*d, least(i-1, j)+d*d/1.5, least(i, j-1)+d*d/1.5)
			known[[2]int{i, j}] = v
			return v
		}
		want, got := math.Sqrt(least(frames-1, frames-1)), float64(warp(a, b))
		if math.Abs(got-want) > 1e-4*(1+want) {
			t.Fatalf("got %g, want %g", got, want)
		}
		if other := float64(warp(b, a)); math.Abs(other-got) > 1e-4*(1+got) {
			t.Fatalf("%g one way, %g the other", got, other)
		}
		if got > distance(a, b)*(1+1e-5) || warp(a, a) != 0 {
			t.Fatalf("%g, straight %g, to itself %g", got, distance(a, b), warp(a, a))
		}
	})
	if v := warp(make([]float32, 3), make([]float32, 3)); v == v {
		t.Errorf("short rows: %g", v)
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
