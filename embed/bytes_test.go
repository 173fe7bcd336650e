package embed

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
)

var trainedEncoders = []Encoder{PCA, Linear, Deep}

func TestModelRoundTrip(t *testing.T) {
	rows := mixed(newRand(1), 60)
	for _, encoder := range trainedEncoders {
		m := trainedModel(t, encoder, mixedLayout, rows, 3, []int{5, 4})
		data := mustMarshal(t, m)
		back, err := UnmarshalModel(data)
		if err != nil {
			t.Fatalf("%s: %v", encoder, err)
		}
		if !bytes.Equal(mustMarshal(t, back), data) {
			t.Errorf("%s: other bytes after a round trip", encoder)
		}
		if back.Encoder() != encoder || back.Dim() != 3 || back.Features() != 9 || back.Scale() != m.Scale() ||
			!slices.Equal(back.Layout(), m.Layout()) || !slices.Equal(back.Settings().Hidden, m.settings.Hidden) || back.Settings().Reason != m.settings.Reason {
			t.Errorf("%s: came back as %+v", encoder, back.Settings())
		}
		z := mustEncode(t, m, rows)
		if !slices.Equal(mustEncode(t, back, rows).Data, z.Data) || !slices.Equal(mustDecode(t, back, z).Data, mustDecode(t, m, z).Data) {
			t.Errorf("%s: encodes or decodes otherwise after a round trip", encoder)
		}
		code, again := make([]byte, m.CodeSize()), make([]byte, back.CodeSize())
		m.Code(code, Row(z, 0))
		if back.Code(again, Row(z, 0)); !slices.Equal(code, again) {
			t.Errorf("%s: codes otherwise after a round trip", encoder)
		}
	}
}

func TestDamagedModelsAreRefused(t *testing.T) {
	rng := newRand(2)
	for _, encoder := range trainedEncoders {
		data := mustMarshal(t, trainedModel(t, encoder, mixedLayout, mixed(rng, 40), 2, []int{3, 2}))
		for n := range data {
			if _, err := UnmarshalModel(data[:n]); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("%s: %d of %d bytes: %v", encoder, n, len(data), err)
			}
		}
		for range 500 {
			bit := rng.IntN(8 * len(data))
			flipped := slices.Clone(data)
			flipped[bit/8] ^= 1 << (bit % 8)
			if _, err := UnmarshalModel(flipped); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrFormat) {
				t.Fatalf("%s: bit %d flipped: %v", encoder, bit, err)
			}
		}
		if _, err := UnmarshalModel(append(slices.Clone(data), 0)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: a byte more: %v", encoder, err)
		}
	}
}

// seal appends the checksum of body.
func seal(body []byte) []byte {
	sum := sha256.Sum256(body)
	return append(slices.Clone(body), sum[:]...)
}

// forge is model bytes of any header and weights, correctly sealed.
func forge(format uint32, header string, weights int) []byte {
	out := binary.LittleEndian.AppendUint32([]byte(modelMagic), format)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(header)))
	return seal(append(append(out, header...), make([]byte, 4*weights)...))
}

func TestForgedHeadersAreRefused(t *testing.T) {
	const good = `{"layout":[{"Kind":0,"Width":2}],"encoder":"pca","dim":1,"scale":1,"sigma":1,"int8_step":1,"hidden":null}`
	if _, err := UnmarshalModel(forge(1, good, 6)); err != nil {
		t.Fatalf("the header that the others are made from: %v", err)
	}
	if _, err := UnmarshalModel(forge(3, good, 6)); !errors.Is(err, ErrFormat) {
		t.Errorf("newer format: %v", err)
	}
	long := forge(1, good, 6)
	long = long[:len(long)-sha256.Size]
	binary.LittleEndian.PutUint32(long[len(modelMagic)+4:], 1<<32-1)
	if _, err := UnmarshalModel(seal(long)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a header longer than the bytes: %v", err)
	}
	for name, c := range map[string]struct {
		old, new string
		weights  int
	}{
		"a weight less":      {"", "", 5},
		"a weight more":      {"", "", 7},
		"not JSON":           {`{"layout"`, `{layout`, 6},
		"no layout":          {`[{"Kind":0,"Width":2}]`, `[]`, 0},
		"overflowing layout": {`[{"Kind":0,"Width":2}]`, `[{"Kind":0,"Width":9223372036854775807},{"Kind":0,"Width":9223372036854775807},{"Kind":0,"Width":4}]`, 6},
		"huge layout":        {`"Width":2`, `"Width":2000000`, 6},
		"unknown kind":       {`"Kind":0`, `"Kind":7`, 6},
		"no latent":          {`"dim":1`, `"dim":0`, 2},
		"negative latent":    {`"dim":1`, `"dim":-1`, 6},
		"huge latent":        {`"dim":1`, `"dim":1000000000`, 6},
		"auto":               {`"pca"`, `"auto"`, 6},
		"unknown encoder":    {`"pca"`, `"vae"`, 6},
		"deep, no layers":    {`"pca"`, `"deep"`, 6},
		"pca with layers":    {`"hidden":null`, `"hidden":[1]`, 6},
		"empty layer":        {`"pca","dim":1,"scale":1,"sigma":1,"int8_step":1,"hidden":null`, `"deep","dim":1,"scale":1,"sigma":1,"int8_step":1,"hidden":[0]`, 9},
		"huge layer":         {`"pca","dim":1,"scale":1,"sigma":1,"int8_step":1,"hidden":null`, `"deep","dim":1,"scale":1,"sigma":1,"int8_step":1,"hidden":[1000000]`, 9},
		"auto with layers":   {`"pca","dim":1,"scale":1,"sigma":1,"int8_step":1,"hidden":null`, `"auto","dim":1,"scale":1,"sigma":1,"int8_step":1,"hidden":[1]`, 12},
		"no scale":           {`"scale":1`, `"scale":0`, 6},
		"negative sigma":     {`"sigma":1`, `"sigma":-1`, 6},
		"negative step":      {`"int8_step":1`, `"int8_step":-1`, 6},
	} {
		header := strings.Replace(good, c.old, c.new, 1)
		if _, err := UnmarshalModel(forge(1, header, c.weights)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzUnmarshalModel seals every input, so that headers are reached. Whatever is
// read must neither panic nor take memory out of proportion to the bytes, and
// what is accepted must write itself back unchanged and encode without panic.
func FuzzUnmarshalModel(f *testing.F) {
	rows := mixed(newRand(3), 40)
	for _, encoder := range trainedEncoders {
		data := mustMarshal(f, trainedModel(f, encoder, mixedLayout, rows, 2, []int{3, 2}))
		f.Add(data[:len(data)-sha256.Size])
		data = mustMarshal(f, trainedPair(f, encoder, pairLayout, pairRows(newRand(3), 40), 2))
		f.Add(data[:len(data)-sha256.Size])
	}
	const layouts = `{"layout":[{"Kind":0,"Width":1048576}],"encoder":"deep","dim":65536,"scale":1,"sigma":1,"int8_step":1,"hidden":[65536,65536]}`
	forged := forge(1, layouts, 3)
	f.Add(forged[:len(forged)-sha256.Size])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, body []byte) {
		data := seal(body)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err := UnmarshalModel(data)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > uint64(100*len(data)+1<<20) {
			t.Fatalf("%d bytes took %d of memory", len(data), took)
		}
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrFormat) {
				t.Fatalf("error of no kind: %v", err)
			}
			return
		}
		again, err := UnmarshalModel(mustMarshal(t, m))
		if err != nil || !bytes.Equal(mustMarshal(t, again), mustMarshal(t, m)) {
			t.Fatalf("an accepted model does not survive a round trip: %v", err)
		}
		if m.Features() > 1000 {
			return
		}
		z := NewMatrix(2, m.Dim())
		if m.Encode(z, NewMatrix(2, m.Features())) == nil {
			_ = m.Decode(NewMatrix(2, m.Features()), z) // may refuse, must not panic
		}
	})
}
