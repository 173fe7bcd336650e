package bulk

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// maxArrays is how many arrays an NPZ may hold.
const maxArrays = 1000

// readNPZ reads the one array of an NPZ that holds the records, and beside it those
// that have a number for each.
func (r *Reader) readNPZ(file io.ReaderAt, size int64, opt Options) error {
	r.meter = &meter{packed: func() int64 { return size }}
	d, err := findDirectory(&counterAt{file, &r.read}, size)
	if err != nil {
		return fmt.Errorf("%w: npz: zip: %w", ErrFile, err)
	}
	arrays, err := r.openArrays(d)
	if err != nil {
		return err
	}
	main, err := mainArray(arrays, opt.Array)
	if err != nil {
		return err
	}
	if err := main.check(); err != nil {
		return fmt.Errorf("%w: array %q: %w", ErrFile, main.name, err)
	}
	var beside []namedArray
	for _, a := range arrays {
		if a.array == main.array || a.array == nil || len(a.dims) != 1 || a.dims[0] != main.dims[0] {
			continue
		}
		if a.name == opt.Labels {
			a.name = "label"
		}
		beside = append(beside, a)
	}
	if opt.Labels != "" && !slices.ContainsFunc(beside, func(a namedArray) bool { return a.name == "label" }) {
		return fmt.Errorf("%w: labels: no array %q with one number for each of the %d records of %q", ErrOption, opt.Labels, main.dims[0], main.name)
	}
	r.rows = main.rows(beside)
	return nil
}

// openArrays opens every array of a file and reads its header. One of a type that is
// not read has a nil array.
func (r *Reader) openArrays(d *directory) ([]namedArray, error) {
	var arrays []namedArray
	for f, err := range d.files {
		if err != nil {
			return nil, fmt.Errorf("%w: npz: zip: %w", ErrFile, err)
		}
		if len(arrays) == maxArrays {
			return nil, fmt.Errorf("%w: npz: more than %d arrays", ErrFile, maxArrays)
		}
		name, isArray := strings.CutSuffix(f.Name, ".npy")
		if !isArray || len(name) > maxEntryName {
			continue
		}
		in, err := openZipped(f, r.meter)
		if err != nil {
			return nil, fmt.Errorf("%w: npz: array %q: %w", ErrFile, name, err)
		}
		r.closers = append(r.closers, in)
		a, err := readHeader(bufio.NewReaderSize(in, bufferSize), NPY)
		if errors.Is(err, errUnpacks) {
			return nil, err
		}
		arrays = append(arrays, namedArray{name, a})
	}
	return arrays, nil
}

// mainArray is the array of a name, by default the only one that is no list of numbers.
func mainArray(arrays []namedArray, name string) (namedArray, error) {
	var found []namedArray
	var known []string
	for _, a := range arrays {
		if a.array == nil {
			known = append(known, fmt.Sprintf("%q (of no type that is read)", a.name))
			continue
		}
		known = append(known, fmt.Sprintf("%q %v", a.name, a.dims))
		if a.name == name || name == "" && len(a.dims) > 1 {
			found = append(found, a)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	const most = 20
	list := strings.Join(known[:min(most, len(known))], ", ")
	switch {
	case name != "":
		return namedArray{}, fmt.Errorf("%w: npz: no array %q of a type that is read, the file has: %s", ErrOption, name, list)
	case len(found) > 1:
		return namedArray{}, fmt.Errorf("%w: npz: more than one array may hold the records, name one: %s", ErrOption, list)
	}
	return namedArray{}, fmt.Errorf("%w: npz: no array of two or more dimensions, the file has: %s", ErrFile, list)
}
