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

// first is the set's first n texts, or pairs.
func (s textSet) first(n int) textSet {
	if s.alike != nil {
		pairs := len(s.alike)
		n = min(n, pairs)
		s.texts = append(s.texts[:n:n], s.texts[pairs:pairs+n]...)
		s.alike = s.alike[:n]
		return s
	}
	n = min(n, len(s.texts))
	s.texts, s.labels = s.texts[:n], s.labels[:n]
	return s
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
