package embed

import "fmt"

// Kind says how a run of features is decoded and what error it is trained on.
type Kind uint8

const (
	// Numeric features decode as they are and are trained on squared error.
	Numeric Kind = iota
	// Binary features (0 or 1) decode through a sigmoid and are trained on
	// binary cross-entropy, each feature by itself.
	Binary
	// OneHot features (one of them 1, the others 0) decode through a softmax
	// over the run and are trained on cross-entropy.
	OneHot
	// Presence is one feature that ends a view: 1 where the features before it, from
	// the Presence before them on, were there, and 0 where they were not. A layout
	// has none of them or two, the last of them at its end.
	Presence
)

// Block is a run of Width neighbouring features of one kind.
type Block struct {
	Kind  Kind
	Width int
}

// Layout is the blocks of a feature row, in order.
type Layout []Block

// NumericLayout is the layout of a row whose features are all numeric.
func NumericLayout(width int) Layout { return Layout{{Kind: Numeric, Width: width}} }

// Width is the length of a row of this layout.
func (l Layout) Width() int {
	n := 0
	for _, b := range l {
		n += b.Width
	}
	return n
}

// maxFeatures bounds the width of a row, in training and in stored models.
const maxFeatures = 1 << 20

// Validate tells what is wrong with a layout: no features, more than 1,048,576
// of them, or a block of unknown kind.
func (l Layout) Validate() error {
	left := maxFeatures // subtracted from, so that no sum overflows
	for i, b := range l {
		if b.Width < 1 || b.Width > left {
			return fmt.Errorf("%w: layout block %d has width %d, not 1 to %d", ErrConfig, i, b.Width, left)
		}
		left -= b.Width
		if b.Kind > Presence {
			return fmt.Errorf("%w: layout block %d has unknown kind %d", ErrConfig, i, b.Kind)
		}
	}
	if len(l) == 0 {
		return fmt.Errorf("%w: layout has no features", ErrConfig)
	}
	return l.validateViews()
}
