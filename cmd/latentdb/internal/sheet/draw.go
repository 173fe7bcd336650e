package sheet

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	scale "golang.org/x/image/draw"
)

// WritePNG draws the sheet. Grey tiles are taken as light strokes on a dark
// ground, as MNIST's are, and printed as ink on paper.
func (s Sheet) WritePNG(w io.Writer) error {
	faces, err := loadFaces()
	if err != nil {
		return err
	}
	// Drawing on nothing measures the height; then the page is drawn.
	measure := &page{faces: faces}
	measure.sheet(s)
	p := &page{faces: faces, dst: image.NewRGBA(image.Rect(0, 0, pageWidth, measure.y+margin-sectionGap))}
	fill(p.dst, p.dst.Bounds(), paper)
	p.sheet(s)
	return png.Encode(w, p.dst)
}

// faces are the fonts in use.
type faces struct{ title, heading, figure, body, caption font.Face }

func loadFaces() (f faces, err error) {
	for _, face := range []struct {
		dst  *font.Face
		ttf  []byte
		size float64
	}{
		{&f.title, gobold.TTF, 40},
		{&f.heading, gobold.TTF, 23},
		{&f.figure, gobold.TTF, 31},
		{&f.body, goregular.TTF, 17},
		{&f.caption, goregular.TTF, 13},
	} {
		parsed, err := opentype.Parse(face.ttf)
		if err != nil {
			return f, fmt.Errorf("contact sheet font: %w", err)
		}
		*face.dst, err = opentype.NewFace(parsed, &opentype.FaceOptions{Size: face.size, DPI: 72, Hinting: font.HintingFull})
		if err != nil {
			return f, fmt.Errorf("contact sheet font: %w", err)
		}
	}
	return f, nil
}

// page is a picture being filled from the top. Without a picture it only
// measures.
type page struct {
	dst *image.RGBA
	faces
	y int
}

func (p *page) sheet(s Sheet) {
	p.y = margin + 34
	p.text(p.title, ink, margin, p.y, s.Title)
	p.y += 32
	p.text(p.body, quiet, margin, p.y, s.Subtitle)
	p.y += 30
	p.facts(s.Facts)
	for _, section := range s.Sections {
		p.section(section)
	}
}

// facts draws the figures on one card, in columns of one width.
func (p *page) facts(facts []Fact) {
	if len(facts) == 0 {
		return
	}
	const height = 92
	box := image.Rect(margin, p.y, pageWidth-margin, p.y+height)
	p.box(box, card)
	p.frame(box, 1, rule)
	column := box.Dx() / len(facts)
	for i, f := range facts {
		x := box.Min.X + i*column
		if i > 0 {
			p.box(image.Rect(x, p.y+18, x+1, p.y+height-18), rule)
		}
		p.text(p.figure, accent, x+24, p.y+46, f.Value)
		p.text(p.caption, quiet, x+24, p.y+70, f.Label)
	}
	p.y += height + sectionGap
}

func (p *page) section(s Section) {
	p.box(image.Rect(margin, p.y, margin+5, p.y+22), accent)
	p.text(p.heading, ink, margin+18, p.y+19, s.Title)
	width := font.MeasureString(p.heading, s.Title).Ceil()
	p.text(p.body, quiet, margin+18+width+18, p.y+19, s.Note)
	p.y += 42
	p.groups(s.Groups, s.captioned())
	p.y += sectionGap
}

// groups lays the groups out in full rows that end at the margin.
func (p *page) groups(groups []Group, captioned bool) {
	if len(groups) == 0 {
		return
	}
	const inner = pageWidth - 2*margin
	w, h := groups[0].size()
	perRow := max(1, (inner+groupGap)/(w+groupGap))
	if captioned {
		h += captionHeight
	}
	for i, g := range groups {
		column := i % perRow
		if i > 0 && column == 0 {
			p.y += h + rowGap
		}
		p.group(g, margin+column*(inner-w)/max(1, perRow-1), p.y)
	}
	p.y += h
}

func (p *page) group(g Group, x, y int) {
	w, h := g.size()
	for i, tile := range g.Tiles {
		at := image.Pt(x+i*(tileSide+tileGap), y)
		if g.Stacked {
			at = image.Pt(x, y+i*(tileSide+tileGap))
		}
		p.tile(tile, image.Rectangle{Min: at, Max: at.Add(image.Pt(tileSide, tileSide))})
	}
	if g.Caption != "" {
		indent := (w - font.MeasureString(p.caption, g.Caption).Ceil()) / 2
		p.text(p.caption, quiet, x+indent, y+h+16, g.Caption)
	}
}

func (p *page) tile(t Tile, r image.Rectangle) {
	if p.dst == nil {
		return
	}
	p.box(r, card)
	// Sharper filters ring around strokes this thin.
	big := image.NewGray(image.Rect(0, 0, r.Dx(), r.Dy()))
	scale.BiLinear.Scale(big, big.Bounds().Inset(1), t.Image, t.Image.Bounds(), draw.Src, nil)
	draw.DrawMask(p.dst, r, image.NewUniform(ink), image.Point{}, alphaOf(big), image.Point{}, draw.Over)
	switch t.Mark {
	case Asked:
		p.frame(r, 3, accent)
	case Wrong:
		p.frame(r, 1, rule)
		p.box(image.Rect(r.Min.X, r.Max.Y-4, r.Max.X, r.Max.Y), alarm)
	default:
		p.frame(r, 1, rule)
	}
}

// alphaOf takes brightness as opacity; the two share their pixels.
func alphaOf(g *image.Gray) *image.Alpha {
	return &image.Alpha{Pix: g.Pix, Stride: g.Stride, Rect: g.Rect}
}

func (p *page) text(face font.Face, c color.Color, x, y int, s string) {
	if p.dst == nil {
		return
	}
	d := font.Drawer{Dst: p.dst, Src: image.NewUniform(c), Face: face, Dot: fixed.P(x, y)}
	d.DrawString(s)
}

func (p *page) box(r image.Rectangle, c color.Color) {
	if p.dst != nil {
		fill(p.dst, r, c)
	}
}

// frame draws the inner border of r.
func (p *page) frame(r image.Rectangle, width int, c color.Color) {
	p.box(image.Rect(r.Min.X, r.Min.Y, r.Max.X, r.Min.Y+width), c)
	p.box(image.Rect(r.Min.X, r.Max.Y-width, r.Max.X, r.Max.Y), c)
	p.box(image.Rect(r.Min.X, r.Min.Y, r.Min.X+width, r.Max.Y), c)
	p.box(image.Rect(r.Max.X-width, r.Min.Y, r.Max.X, r.Max.Y), c)
}

func fill(dst draw.Image, r image.Rectangle, c color.Color) {
	draw.Draw(dst, r, image.NewUniform(c), image.Point{}, draw.Src)
}
