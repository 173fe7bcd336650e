package bulk

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
)

// sides are the keys of a pair's record, as its source has them.
var sides = [2]string{"left", "right"}

// paired tells that columns were named that are the sides of a pair.
func (o Options) paired() bool { return o.Left != "" || o.Right != "" }

// key is what the record calls one of its columns.
func (o Options) key(column string) string {
	for i, side := range []string{o.Left, o.Right} {
		if side != "" && column == side {
			return sides[i]
		}
	}
	return column
}

// checkSides refuses columns of sides that contradict the other options.
func (o Options) checkSides() error {
	if !o.paired() {
		return nil
	}
	for _, other := range slices.Concat(o.Payload, []string{o.ID, o.Record}) {
		if other != "" && (other == o.Left || other == o.Right) {
			return fmt.Errorf("%w: %q is both a side of the pair and something else", ErrOption, other)
		}
	}
	switch {
	case o.Left == "" || o.Right == "":
		return fmt.Errorf("%w: a pair has two sides: name the columns of both", ErrOption)
	case o.Left == o.Right:
		return fmt.Errorf("%w: %q is both sides of the pair", ErrOption, o.Left)
	case o.Record != "":
		return fmt.Errorf("%w: a record is a column by itself or a pair of two", ErrOption)
	}
	return nil
}

// OpenParallel reads two files as pairs: the i-th record of the one and the i-th of the
// other are the sides "left" and "right" of a record. Files of texts are taken by lines,
// where a blank line is a side that is missing, and one that is blank in both files is
// passed over; arrays and vectors by rows. A file whose name tells no format, such as
// corpus.en, is one of texts. Either may be compressed with gzip.
//
// Both files are counted first, which reads them once more, so they must be regular files:
// if they are not equally long that is an error with both counts, and no row is given.
func OpenParallel(left, right string, opt Options) (*Reader, error) {
	p := &parallel{paths: [2]string{left, right}, opt: opt}
	p.opt.places = true
	var counts [2]int
	for i := range counts {
		var err error
		if counts[i], err = p.count(i); err != nil {
			return nil, err
		}
	}
	if counts[0] != counts[1] {
		return nil, fmt.Errorf("%w: %s has %d records and %s has %d: files are parallel that have one at each place", ErrFile,
			left, counts[0], right, counts[1])
	}
	r := &Reader{rows: p.rows}
	for i := range p.sides {
		side, err := p.open(i)
		if err != nil {
			return nil, errors.Join(err, r.Close())
		}
		p.sides[i] = side
		r.closers = append(r.closers, side)
		r.parts = append(r.parts, side)
		r.format = side.format
	}
	return r, nil
}

// parallel are two files that are read side by side.
type parallel struct {
	paths [2]string
	opt   Options
	sides [2]*Reader
	place int // of the pair that was read last
}

// open opens one of the files.
func (p *parallel) open(side int) (*Reader, error) {
	opt := p.opt
	named := FormatOf(p.paths[side])
	if opt.Format = cmp.Or(opt.Format, named, Text); named == Zip || named == Tar {
		opt.Format = named
	}
	var r *Reader
	info, err := os.Stat(p.paths[side])
	switch {
	case err != nil:
	case info.IsDir():
		err = fmt.Errorf("%w: %s is a folder, not one of two parallel files", ErrOption, p.paths[side])
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%w: %s is no regular file, and parallel files are read twice", ErrOption, p.paths[side])
	case !opt.Format.Streams() || opt.Format.columns():
		err = fmt.Errorf("%w: a parallel file is of texts, vectors or an array, not %s", ErrOption, opt.Format)
	case opt.Labels != "":
		err = fmt.Errorf("%w: labels go with a single file, not with parallel ones", ErrOption)
	default:
		r, err = Open(p.paths[side], opt)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", sides[side], err)
	}
	return r, nil
}

// count is how many records a file has, those included that cannot be taken.
func (p *parallel) count(side int) (n int, err error) {
	r, err := p.open(side)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for _, err := range r.Rows() {
		if err != nil && !isLineError(err) {
			return 0, fmt.Errorf("%s: %w", sides[side], err)
		}
		n++
	}
	return n, nil
}

func (p *parallel) rows(yield func(Row, error) bool) {
	var next [2]func() (Row, error, bool)
	for i, side := range p.sides {
		pull, stop := iter.Pull2(side.Rows())
		defer stop()
		next[i] = pull
	}
	for {
		p.place++
		pair := map[string]any{}
		var errs [2]error
		var there [2]bool
		for i := range next {
			var row Row
			row, errs[i], there[i] = next[i]()
			if content := row.content(); content != nil {
				pair[sides[i]] = content
			}
		}
		switch {
		case !there[0] && !there[1]:
			return
		case there[0] != there[1]:
			yield(Row{}, fmt.Errorf("%w: a file has changed since it was counted", ErrFile))
			return
		}
		row, err := p.pair(pair, errs)
		if row.Record == nil && err == nil {
			continue
		}
		if !yield(row, err) || err != nil && !isLineError(err) {
			return
		}
	}
}

// pair is the row of two records, and what is wrong with either.
func (p *parallel) pair(pair map[string]any, errs [2]error) (Row, error) {
	row := Row{Line: p.place}
	var reasons []string
	for i, err := range errs {
		var bad *LineError
		switch {
		case errors.As(err, &bad):
			reasons = append(reasons, sides[i]+": "+bad.Reason)
		case err != nil:
			return row, fmt.Errorf("%s: %w", sides[i], err)
		}
	}
	if len(reasons) > 0 {
		return row, row.Refuse(strings.Join(reasons, "; "))
	}
	if len(pair) > 0 {
		row.Record = pair
	}
	return row, nil
}

// content is the row's record or vector, nil if it has neither.
func (r Row) content() any {
	if r.Vector != nil {
		return r.Vector
	}
	return r.Record
}
