package main

import (
	"bytes"
	"encoding/csv"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/latentdb/latentdb/embed/source"
)

// csvCost decodes with encoding/csv alone.
func (s *sources) csvCost(string) (importCost, error) {
	return s.csvBeside(func(int, []string) error { return nil })
}

// csvNumbersCost has the numbers read, too, each by the cheapest function that reads
// its column.
func (s *sources) csvNumbersCost(string) (importCost, error) {
	parsers, err := cheapest(s.bikes())
	if err != nil {
		return importCost{}, err
	}
	return s.csvBeside(func(line int, cells []string) error {
		if line == 0 {
			return nil
		}
		for i, cell := range cells {
			if err := parsers[i](cell); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *sources) bikes() string { return filepath.Join(s.data, "tabular_mixed", "bikeshare.csv") }

func (s *sources) csvBeside(each func(line int, cells []string) error) (importCost, error) {
	path := s.bikes()
	spec, err := resolved(path, source.Table{})
	return importCost{path, spec, func() error { return readRecords(path, each) }}, err
}

// readRecords reads a CSV in the way of encoding/csv that costs the least.
func readRecords(path string, each func(line int, cells []string) error) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	in := csv.NewReader(bytes.NewReader(data))
	in.ReuseRecord = true
	for line := 0; ; line++ {
		cells, err := in.Read()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = each(line, cells)
		}
		if err != nil {
			return err
		}
	}
}

// cheapest gives, for each column of a CSV, the first of these that reads all its cells.
func cheapest(path string) ([]func(cell string) error, error) {
	parsers := []func(cell string) error{
		func(cell string) error { _, err := strconv.ParseInt(cell, 10, 64); return err },
		func(cell string) error { _, err := strconv.ParseFloat(cell, 64); return err },
		func(string) error { return nil }, // text
	}
	var first []int
	err := readRecords(path, func(line int, cells []string) error {
		if line == 0 {
			first = make([]int, len(cells))
			return nil
		}
		for i, cell := range cells {
			for parsers[first[i]](cell) != nil {
				first[i]++
			}
		}
		return nil
	})
	out := make([]func(string) error, len(first))
	for i, at := range first {
		out[i] = parsers[at]
	}
	return out, err
}
