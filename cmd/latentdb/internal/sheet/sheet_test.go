package sheet

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"testing"
)

// bright is a tile of one brightness.
func bright(y uint8) Tile {
	img := image.NewGray(image.Rect(0, 0, 28, 28))
	for i := range img.Pix {
		img.Pix[i] = y
	}
	return Tile{Image: img}
}

func render(t *testing.T, s Sheet) image.Image {
	t.Helper()
	var out bytes.Buffer
	if err := s.WritePNG(&out); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&out)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// count is how many pixels have a colour.
func count(img image.Image, want color.RGBA) int {
	n := 0
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y++ {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x++ {
			if color.RGBAModel.Convert(img.At(x, y)) == want {
				n++
			}
		}
	}
	return n
}

func TestTilesAreInkOnPaper(t *testing.T) {
	const inside = (tileSide - 2) * (tileSide - 2)
	groups := []Group{{Tiles: []Tile{bright(255), bright(0)}}}
	with := count(render(t, Sheet{Sections: []Section{{Groups: groups}}}), ink)
	without := count(render(t, Sheet{Sections: []Section{{}}}), ink)
	if with-without != inside {
		t.Errorf("a bright and a dark tile have %d ink pixels, want %d", with-without, inside)
	}
}

func TestMarksStandOut(t *testing.T) {
	sheetOf := func(m Mark) Sheet {
		tile := bright(0)
		tile.Mark = m
		return Sheet{Sections: []Section{{Groups: []Group{{Tiles: []Tile{tile}}}}}}
	}
	plain := render(t, sheetOf(Plain))
	if framed := count(render(t, sheetOf(Asked)), accent) - count(plain, accent); framed != 4*3*(tileSide-3) {
		t.Errorf("the frame has %d pixels", framed)
	}
	if line := count(render(t, sheetOf(Wrong)), alarm); line != 4*tileSide {
		t.Errorf("the underline has %d pixels", line)
	}
}

func TestRowsWrapInsideThePage(t *testing.T) {
	tall := func(groups int, stacked bool, caption string) int {
		all := make([]Group, groups)
		for i := range all {
			all[i] = Group{Tiles: []Tile{bright(9), bright(9)}, Stacked: stacked, Caption: caption}
		}
		img := render(t, Sheet{Title: "t", Facts: []Fact{{"1", "x"}}, Sections: []Section{{Title: "s", Groups: all}}})
		if img.Bounds().Dx() != pageWidth {
			t.Fatalf("the page is %d wide", img.Bounds().Dx())
		}
		return img.Bounds().Dy()
	}
	if one, ten, eleven := tall(1, false, ""), tall(10, false, ""), tall(11, false, ""); ten != one || eleven != one+tileSide+rowGap {
		t.Errorf("heights of 1, 10 and 11 pairs: %d, %d, %d", one, ten, eleven)
	}
	if beside, stacked := tall(1, false, ""), tall(1, true, ""); stacked != beside+tileSide+tileGap {
		t.Errorf("a stack is %d tall, a pair %d", stacked, beside)
	}
	if bare, captioned := tall(1, false, ""), tall(1, false, "a"); captioned != bare+captionHeight {
		t.Errorf("a caption takes %d pixels", captioned-bare)
	}
}
