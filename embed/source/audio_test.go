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
			if a, b := tiltOf(row), tiltOf(again); math.Abs(a-b) > .25*math.Abs(a) {
				t.Errorf("%d Hz: row %d of tilt %g came back with %g", rate, i, a, b)
			}
			seconds := float64(len(record.([]byte))-44) / 2 / float64(rate)
			if math.Abs(seconds-.2) > .03 {
				t.Errorf("%d Hz: plays for %g s, want the median .2", rate, seconds)
			}
		}
	}
}

// tiltOf is the mean of the second coefficient.
func tiltOf(row []float32) (mean float64) {
	for i := 1; i < len(row); i += 20 {
		mean += float64(row[i]) / float64(len(row)/20)
	}
	return mean
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
