package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// textSet is texts with what is known of them: labels, or how alike text i and text
// i + len(alike) are.
type textSet struct {
	name   string
	texts  []string
	labels []int
	alike  []float64
	// spam is the label whose F1 is asked for; 0 for none.
	spam int
}

// part is the set's texts, or pairs, from one on to before another.
func (s textSet) part(from, to int) textSet {
	if s.alike != nil {
		second := s.texts[len(s.alike):]
		s.texts = append(s.texts[from:to:to], second[from:to]...)
		s.alike = s.alike[from:to]
		return s
	}
	s.texts, s.labels = s.texts[from:to], s.labels[from:to]
	return s
}

// disjoint are parts of n: so many that some two thousand are scored in all, for few
// hundred tell little. All of a set that has no more is one part.
func (s textSet) disjoint(n int) []textSet {
	const scored = 2000
	n = min(n, s.size())
	parts := make([]textSet, max(1, min(scored/n, s.size()/n)))
	for i := range parts {
		parts[i] = s.part(i*n, (i+1)*n)
	}
	return parts
}

// size is how many pairs or texts are scored.
func (s textSet) size() int {
	if s.alike != nil {
		return len(s.alike)
	}
	return len(s.texts)
}

func (b *bench) textFile(path ...string) string {
	return filepath.Join(append([]string{b.data}, path...)...)
}

// likeness is the pairs of the STS benchmark's test part, English.
func (b *bench) likeness() (textSet, error) {
	rows, err := readCSV(b.textFile("stsb", "en-test.csv"))
	set := textSet{name: "STS-B"}
	var second []string
	for _, row := range rows {
		score, err := strconv.ParseFloat(row[2], 64)
		if err != nil {
			return set, err
		}
		set.texts, second, set.alike = append(set.texts, row[0]), append(second, row[1]), append(set.alike, score)
	}
	set.texts = append(set.texts, second...)
	return set, err
}

// news is the test part of AG News: titles and descriptions on four subjects.
func (b *bench) news() (textSet, error) {
	rows, err := readCSV(b.textFile("ag_news", "test.csv"))
	set := textSet{name: "AG News"}
	for _, row := range rows {
		label, err := strconv.Atoi(row[0])
		if err != nil {
			return set, err
		}
		set.texts, set.labels = append(set.texts, row[1]+" "+row[2]), append(set.labels, label)
	}
	return set, err
}

// messages are the short messages of the SMS Spam Collection; label 1 is spam.
func (b *bench) messages() (textSet, error) {
	data, err := os.ReadFile(b.textFile("sms_spam", "sms.tsv"))
	set := textSet{name: "SMS spam", spam: 1}
	for line := range strings.Lines(string(data)) {
		label, text, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if text == "" {
			continue
		}
		spam := 0
		if label == "spam" {
			spam = 1
		}
		set.texts, set.labels = append(set.texts, text), append(set.labels, spam)
	}
	return set, err
}

func readCSV(path string) ([][]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	for i, row := range rows {
		if len(row) < 3 {
			return nil, fmt.Errorf("%s: row %d has %d columns", path, i+1, len(row))
		}
	}
	return rows, err
}
