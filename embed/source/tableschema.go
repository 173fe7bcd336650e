package source

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Resolve infers the columns, sorted by name, if none are declared, and each
// column's type if it is not: all booleans boolean, all numbers numeric, all texts
// that are dates or times in one of the common forms time; long or mostly different
// texts of several words, and lists of strings, text; anything else categorical. A
// column without a value yet is categorical too, since that refuses nothing.
func (t Table) Resolve(first []any) (Spec, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	untyped := func(c Column) bool { return c.Type == "" }
	if len(first) == 0 || len(t.Columns) > 0 && !slices.ContainsFunc(t.Columns, untyped) {
		return t, nil
	}
	seen, err := lookAt(first)
	if err != nil {
		return nil, err
	}
	columns := slices.Clone(t.Columns)
	if len(columns) == 0 {
		for _, name := range slices.Sorted(maps.Keys(seen)) {
			columns = append(columns, Column{Name: name})
		}
	}
	for i, c := range columns {
		if c.Type == "" {
			columns[i].Type = seen[c.Name].columnType()
		}
	}
	if len(columns) == 0 {
		return nil, fmt.Errorf("%w: the first records have no columns", ErrRecord)
	}
	resolved := Table{columns}
	return resolved, resolved.check()
}

// valuesSeen is what the first records hold in one column.
type valuesSeen struct {
	booleans, numbers, texts, times, lists, others int
	words, longest                                 int
	distinct                                       map[string]struct{}
}

// lookAt gives what some records hold in each column. An object that is null in one
// record and there in another is no column.
func lookAt(records []any) (map[string]*valuesSeen, error) {
	seen := map[string]*valuesSeen{}
	for _, r := range records {
		record, err := columnsOf(r)
		if err != nil {
			return nil, err
		}
		for name, v := range record {
			if seen[name] == nil {
				seen[name] = &valuesSeen{distinct: map[string]struct{}{}}
			}
			seen[name].add(v)
		}
		if len(seen) > MaxColumns {
			return nil, fmt.Errorf("%w: more than %d columns", ErrRecord, MaxColumns)
		}
	}
	for _, name := range slices.Collect(maps.Keys(seen)) {
		for at, c := range name {
			if parent := name[:at]; c == '.' && seen[parent] != nil && seen[parent].empty() {
				delete(seen, parent)
			}
		}
	}
	return seen, nil
}

func (s *valuesSeen) add(v any) {
	switch v := v.(type) {
	case nil:
	case bool:
		s.booleans++
	case string:
		s.addText(v)
	case []string, []any:
		s.lists++
	default:
		if _, ok := number(v); ok {
			s.numbers++
		} else if isTime(v) {
			s.times, s.texts = s.times+1, s.texts+1
		} else {
			s.others++
		}
	}
}

func (s *valuesSeen) addText(v string) {
	s.texts++
	if _, ok := parseTime(v, CommonTime); ok {
		s.times++
	}
	s.words += len(strings.Fields(v))
	s.longest = max(s.longest, len(v))
	if len(v) <= MaxLevelBytes {
		s.distinct[v] = struct{}{}
	}
}

func (s *valuesSeen) empty() bool {
	return s.booleans+s.numbers+s.texts+s.lists+s.others == 0
}

// columnType is the narrowest type that takes all values.
func (s *valuesSeen) columnType() ColumnType {
	if s == nil || s.empty() {
		return CategoricalColumn
	}
	switch s.booleans + s.numbers + s.texts + s.lists + s.others {
	case s.booleans:
		return BooleanColumn
	case s.numbers:
		return NumericColumn
	case s.times:
		return TimeColumn
	case s.texts + s.lists:
		if s.isProse() {
			return TextColumn
		}
	}
	return CategoricalColumn
}

// isProse tells texts from levels. Of few words that are hardly ever the same, as
// names of people are, it takes some to be sure.
func (s *valuesSeen) isProse() bool {
	const manyWords, someWords, sure = 4, 2, 20
	distinct := len(s.distinct)
	switch {
	case s.lists > 0 || s.longest > MaxLevelBytes:
		return true
	case s.words >= manyWords*s.texts:
		return 2*distinct > s.texts
	case s.words >= someWords*s.texts:
		return s.texts >= sure && 10*distinct > 9*s.texts
	}
	return false
}
