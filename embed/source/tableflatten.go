package source

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/latentdb/latentdb/embed/source/cells"
)

// columnsOf are the columns of a table's record.
func columnsOf(record any) (map[string]any, error) {
	switch record := record.(type) {
	case map[string]any:
		flat, err := flattened(record)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrRecord, err)
		}
		return flat, nil
	case *cells.Row:
		if err := record.Check(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrRecord, err)
		}
		return record.Map(), nil
	}
	return nil, fmt.Errorf("%w: got %T, want a table record", ErrRecord, record)
}

// flattened is a record with the values of the objects in it under the names of
// their path, "a.b". A record without objects is returned as it is.
func flattened(record map[string]any) (map[string]any, error) {
	nested := false
	for _, v := range record {
		if _, ok := v.(map[string]any); ok {
			nested = true
			break
		}
	}
	if !nested {
		return record, nil
	}
	flat := make(map[string]any, len(record))
	return flat, flattenInto(flat, "", record, 0)
}

func flattenInto(flat map[string]any, path string, object map[string]any, depth int) error {
	if depth > MaxDepth {
		return fmt.Errorf("column %q: objects lie more than %d deep, the limit", cut(path), MaxDepth)
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		name := key
		if depth > 0 {
			name = path + "." + key
		}
		v := object[key]
		if inner, ok := v.(map[string]any); ok {
			if err := flattenInto(flat, name, inner, depth+1); err != nil {
				return err
			}
			continue
		}
		if _, twice := flat[name]; twice {
			return fmt.Errorf("column %q is there twice, by name and within an object", cut(name))
		}
		if len(flat) >= MaxColumns {
			return fmt.Errorf("more than %d columns", MaxColumns)
		}
		flat[name] = v
	}
	return nil
}

// cut bounds a name in an error message.
func cut(name string) string { return fmt.Sprintf("%.*s", MaxLevelBytes, name) }

// isObject tells whether columns lie within an object of this name.
func (t Table) isObject(name string) bool {
	return slices.ContainsFunc(t.Columns, func(c Column) bool {
		rest, ok := strings.CutPrefix(c.Name, name)
		return ok && strings.HasPrefix(rest, ".")
	})
}
