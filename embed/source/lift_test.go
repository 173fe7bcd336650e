package source_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
)

// modelWidth is how many features the model of some pictures sees.
func modelWidth(t *testing.T, spec source.Spec, stored ...[]byte) int {
	t.Helper()
	fitted := fit(t, spec, stored...)
	checkBytes(t, fitted)
	layout := fitted.(source.Lifted).ModelLayout()
	if err := layout.Validate(); err != nil {
		t.Fatal(err)
	}
	return layout.Width()
}

// What pictures are alike by is what was asked for, else it is decided by how many
// there are and by their colour.
func TestLikenessIsDecided(t *testing.T) {
	spec := source.Image{Width: 16, Height: 12, Channels: 1}
	const pixels = 192
	few, many := make([][]byte, source.DensePictures-1), make([][]byte, source.DensePictures)
	if n := modelWidth(t, spec, few...); n != pixels+6*8*8 {
		t.Errorf("few grey pictures: %d features", n)
	}
	if n := modelWidth(t, spec, many...); n != pixels {
		t.Errorf("many grey pictures: %d features", n)
	}
	spec.Likeness = source.LikeShape
	if n := modelWidth(t, spec, many...); n <= pixels {
		t.Errorf("shape: %d features", n)
	}
	spec.Likeness = source.LikePixels
	if n := modelWidth(t, spec, few...); n != pixels {
		t.Errorf("pixels: %d features", n)
	}
	if n := modelWidth(t, source.Image{Width: 16, Height: 16, Channels: 3}, many...); n != 768+4*4*8+48 {
		t.Errorf("colour: %d features", n)
	}
	if n := modelWidth(t, source.Image{Width: 7, Height: 7, Channels: 3, Likeness: source.LikeShape}); n != 147 {
		t.Errorf("too small for shapes: %d features", n)
	}
	if _, err := (source.Image{Width: 8, Height: 8, Likeness: "looks"}).Resolve(nil); !errors.Is(err, source.ErrSpec) || !strings.Contains(err.Error(), "looks") {
		t.Errorf("an unknown likeness: %v", err)
	}
	stop := errors.New("unreadable")
	_, err := source.Image{Width: 8, Height: 8, Channels: 1}.Fit(func(yield func([]byte, error) bool) { yield(nil, stop) })
	if !errors.Is(err, stop) {
		t.Errorf("samples that cannot be read: %v", err)
	}
}

// States of before there was a choice are of pixels; strange ones are refused.
func TestImageStates(t *testing.T) {
	head := `{"format":1,"spec":{"kind":"image","width":16,"height":16,"channels":1}`
	old, err := source.UnmarshalFitted([]byte(head + `}`))
	if err != nil {
		t.Fatal(err)
	}
	if n := old.(source.Lifted).ModelLayout().Width(); n != 256 {
		t.Errorf("an old state has %d features", n)
	}
	for _, state := range []string{`{"likeness":"looks"}`, `{"other":1}`, `7`, `{"likeness":""}`} {
		if _, err := source.UnmarshalFitted([]byte(head + `,"state":` + state + `}`)); !errors.Is(err, embed.ErrCorrupt) {
			t.Errorf("%s: %v", state, err)
		}
	}
}
