// Package sheet draws a contact sheet: one picture with a heading, a row of
// figures and sections of captioned tiles.
package sheet

import (
	"image"
	"image/color"
)

// Sheet is what is drawn, from top to bottom.
type Sheet struct {
	Title    string
	Subtitle string
	Facts    []Fact
	Sections []Section
}

// Fact is a figure and what it counts.
type Fact struct {
	Value string
	Label string
}

// Section is a titled run of groups, which flow from left to right and wrap.
type Section struct {
	Title string
	// Note says in one line how to read the section.
	Note   string
	Groups []Group
}

// Group is tiles that belong together. Groups of a section have one shape.
type Group struct {
	Tiles []Tile
	// Stacked puts the tiles above one another instead of side by side.
	Stacked bool
	// Caption stands under the group.
	Caption string
}

// Tile is one picture.
type Tile struct {
	Image image.Image
	Mark  Mark
}

// Mark sets a tile apart from its neighbours.
type Mark uint8

// The marks.
const (
	// Plain is a tile like any other.
	Plain Mark = iota
	// Asked frames the tile that the others answer.
	Asked
	// Wrong underlines a tile that should not be here.
	Wrong
)

// The palette: ink on warm paper, one accent, one warning.
var (
	paper  = color.RGBA{0xf7, 0xf4, 0xec, 0xff}
	card   = color.RGBA{0xff, 0xfd, 0xf8, 0xff}
	ink    = color.RGBA{0x1d, 0x23, 0x2b, 0xff}
	quiet  = color.RGBA{0x78, 0x75, 0x6c, 0xff}
	rule   = color.RGBA{0xdf, 0xd8, 0xc8, 0xff}
	accent = color.RGBA{0x1f, 0x5f, 0x8b, 0xff}
	alarm  = color.RGBA{0xc8, 0x45, 0x32, 0xff}
)

// Measures in pixels.
const (
	pageWidth     = 1480
	margin        = 56
	tileSide      = 56
	tileGap       = 4
	groupGap      = 21
	rowGap        = 18
	sectionGap    = 46
	captionHeight = 20
)

// size is the width and height of a group without its caption.
func (g Group) size() (w, h int) {
	along := len(g.Tiles)*(tileSide+tileGap) - tileGap
	if g.Stacked {
		return tileSide, along
	}
	return along, tileSide
}

// captioned tells whether any of the groups has a caption.
func (s Section) captioned() bool {
	for _, g := range s.Groups {
		if g.Caption != "" {
			return true
		}
	}
	return false
}
