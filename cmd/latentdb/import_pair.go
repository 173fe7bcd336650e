package main

import (
	"errors"
	"strings"

	"github.com/latentdb/latentdb/store/bulk"
)

// pairSides are the keys of a pair's sides.
var pairSides = [2]string{"left", "right"}

// pairSource is the source of pairs like the first.
func (f *importFlags) pairSource(first any) (map[string]any, error) {
	record, _ := first.(map[string]any)
	source := map[string]any{"kind": "pair"}
	for i, side := range pairSides {
		var err error
		if source[side], err = f.sourceOf(f.pair[i], record[side]); err != nil {
			return nil, err
		}
	}
	return source, nil
}

// checkPair finds what is wrong with the kinds of a pair's sides.
func (f *importFlags) checkPair() error {
	switch {
	case len(f.pair) == 0:
		return nil
	case len(f.pair) != 2:
		return usagef("--pair %s: give the kinds of both sides, as in --pair text,text", strings.Join(f.pair, ","))
	case f.kind != "":
		return usagef("--pair and --kind: give one of them")
	}
	kinds := []string{"text", "image", "vector", "table", "audio"}
	return errors.Join(oneOf("pair", f.pair[0], kinds...), oneOf("pair", f.pair[1], kinds...))
}

// checkParallel finds what is wrong with parallel files. Told nothing else, they are of
// texts.
func (f *importFlags) checkParallel(files []string) error {
	switch {
	case !f.parallel:
		return nil
	case len(files) != 2:
		return usagef("--parallel takes two files, got %d", len(files))
	case f.kind != "":
		return usagef("--parallel makes pairs: give --pair instead of --kind")
	case len(f.pair) == 0:
		f.pair = []string{"text", "text"}
	}
	return nil
}

// input is what an import reads at once: a file, or two that are parallel.
type input struct {
	name string
	open func() (*bulk.Reader, error)
}

// inputs are what the files are read as.
func (f *importFlags) inputs(files []string) []input {
	if f.parallel {
		left, right := files[0], files[1]
		return []input{{left + " and " + right, func() (*bulk.Reader, error) { return bulk.OpenParallel(left, right, f.file) }}}
	}
	inputs := make([]input, len(files))
	for i, file := range files {
		inputs[i] = input{file, func() (*bulk.Reader, error) { return bulk.Open(file, f.file) }}
	}
	return inputs
}
