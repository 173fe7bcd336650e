package embed

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
)

// TestFormatsOfModels: models without views are written as before there were any.
func TestFormatsOfModels(t *testing.T) {
	format := func(data []byte) uint32 { return binary.LittleEndian.Uint32(data[len(modelMagic):]) }
	plain := mustMarshal(t, trainedModel(t, Deep, mixedLayout, mixed(newRand(1), 40), 2, []int{3}))
	pair := mustMarshal(t, trainedPair(t, Deep, pairLayout, pairRows(newRand(1), 40), 2))
	if format(plain) != 1 || bytes.Contains(plain, []byte("views")) || format(pair) != 2 {
		t.Errorf("formats %d and %d", format(plain), format(pair))
	}
}

func TestPairModelRoundTrip(t *testing.T) {
	rows := pairRows(newRand(2), 60)
	for _, encoder := range trainedEncoders {
		m := trainedPair(t, encoder, pairLayout, rows, 3)
		data := mustMarshal(t, m)
		back, err := UnmarshalModel(data)
		if err != nil {
			t.Fatalf("%s: %v", encoder, err)
		}
		if !bytes.Equal(mustMarshal(t, back), data) || back.Encoder() != encoder || back.Features() != pairLayout.Width() ||
			back.EncoderWeights() != m.EncoderWeights() || back.DecoderWeights() != m.DecoderWeights() {
			t.Errorf("%s: other bytes or sizes after a round trip", encoder)
		}
		z := mustEncode(t, m, rows)
		if !slices.Equal(mustEncode(t, back, rows).Data, z.Data) || !slices.Equal(mustDecode(t, back, z).Data, mustDecode(t, m, z).Data) {
			t.Errorf("%s: encodes or decodes otherwise after a round trip", encoder)
		}
	}
}

func TestDamagedPairModelsAreRefused(t *testing.T) {
	data := mustMarshal(t, trainedPair(t, Linear, pairLayout, pairRows(newRand(3), 40), 2))
	for n := 0; n < len(data); n += 7 {
		if _, err := UnmarshalModel(data[:n]); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("%d of %d bytes: %v", n, len(data), err)
		}
	}
	view := `{"layout":[{"Kind":0,"Width":2}],"encoder":"pca","dim":1,"scale":1,"sigma":1,"int8_step":0,"hidden":null}`
	good := `{"layout":[{"Kind":0,"Width":2},{"Kind":3,"Width":1},{"Kind":0,"Width":2},{"Kind":3,"Width":1}],` +
		`"encoder":"pca","dim":1,"scale":1,"sigma":1,"int8_step":1,"hidden":null,"views":[` + view + `,` + view + `]}`
	if _, err := UnmarshalModel(forge(2, good, 12)); err != nil {
		t.Fatalf("the header that the others are made from: %v", err)
	}
	for name, c := range map[string]struct {
		old, new string
		format   uint32
		weights  int
	}{
		"views in format 1":        {"", "", 1, 12},
		"no views in format 2":     {`,"views":[` + view + `,` + view + `]`, "", 2, 12},
		"a weight less":            {"", "", 2, 11},
		"one view":                 {`,` + view + `]}`, `]}`, 2, 6},
		"a view of another layout": {`"views":[{"layout":[{"Kind":0,"Width":2}]`, `"views":[{"layout":[{"Kind":1,"Width":2}]`, 2, 12},
		"a view of another size":   {`"views":[{"layout":[{"Kind":0,"Width":2}],"encoder":"pca","dim":1`, `"views":[{"layout":[{"Kind":0,"Width":2}],"encoder":"pca","dim":2`, 2, 16},
		"of another encoder":       {`"encoder":"pca"`, `"encoder":"deep"`, 2, 12},
		"hidden layers":            {`"hidden":null,"views"`, `"hidden":[2],"views"`, 2, 12},
		"another scale":            {`"encoder":"pca","dim":1,"scale":1`, `"encoder":"pca","dim":1,"scale":2`, 2, 12},
		"views of views":           {`"hidden":null},{"layout"`, `"hidden":null,"views":[` + view + `]},{"layout"`, 2, 12},
	} {
		header := strings.Replace(good, c.old, c.new, 1)
		if header == good && c.old != "" {
			t.Fatalf("%s: nothing to replace", name)
		}
		if _, err := UnmarshalModel(forge(c.format, header, c.weights)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	plain := mustMarshal(t, trainedModel(t, Deep, mixedLayout, mixed(newRand(1), 40), 2, []int{3}))
	body := slices.Clone(plain[:len(plain)-sha256.Size])
	binary.LittleEndian.PutUint32(body[len(modelMagic):], 0)
	if _, err := UnmarshalModel(seal(body)); !errors.Is(err, ErrFormat) {
		t.Errorf("format 0: %v", err)
	}
}
