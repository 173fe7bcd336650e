package source

import (
	"fmt"

	"github.com/latentdb/latentdb/embed/source/cells"
)

// cellPlan is how a table stores the rows under a header, made once for all of them.
type cellPlan struct {
	table   []Column        // what it was made for
	columns []plannedColumn // those under the header, in the order of their names
	strange bool            // there are others, too
	size    int             // bytes of what is stored beside cells that have values
}

type plannedColumn struct {
	*Column
	at  int    // under the header
	key string // `,"name":`
	// asIs tells quickly of cells that are stored as they are, in quotes if quoted; nil
	// where it takes their value to tell.
	asIs   func(cell string) bool
	plain  bool
	quoted bool
}

// marshalRow gives the bytes that Marshal gives of the row's map.
func (t Table) marshalRow(row *cells.Row) ([]byte, error) {
	if err := row.Check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	plan, ok := row.Header.Plan.Load().(*cellPlan)
	if !ok || len(plan.table) != len(t.Columns) || &plan.table[0] != &t.Columns[0] {
		if err := t.resolved(); err != nil {
			return nil, err
		}
		plan = t.planFor(row.Header)
		row.Header.Plan.Store(plan)
	}
	if plan.strange {
		return t.marshalColumns(row.Map())
	}
	return plan.marshal(row)
}

func (t Table) planFor(header *cells.Header) *cellPlan {
	plan := &cellPlan{table: t.Columns, size: len("{}")}
	columns := t.byName()
	for i := range columns {
		if at := header.Index(columns[i].Name); at >= 0 {
			c := plannedColumn{Column: &columns[i], at: at, key: string(append(appendString([]byte{','}, columns[i].Name), ':'))}
			c.shortcut(header.Columns()[at].Kind)
			plan.columns = append(plan.columns, c)
			if plan.size += len(c.key); c.quoted {
				plan.size += len(`""`)
			}
		}
	}
	plan.strange = len(plan.columns) < header.Len()
	return plan
}

// shortcut is asIs and quoted for a column's cells of a kind.
func (c *plannedColumn) shortcut(kind cells.Kind) {
	open := c.Type == CategoricalColumn && len(c.Levels) == 0
	switch {
	case kind == cells.Number && (c.Type == NumericColumn || open):
		c.asIs, c.plain = cells.IsPlain, true
	case kind == cells.Boolean && (c.Type == BooleanColumn || open):
		c.asIs = func(cell string) bool { return cell == "true" || cell == "false" }
	case kind == cells.Text && (c.Type == TextColumn || open):
		c.asIs, c.plain, c.quoted = func(cell string) bool { return len(cell) <= MaxTextBytes && isPlainText(cell) }, true, true
	case kind == cells.Text && c.Type == TimeColumn && c.Format.unit() == 0:
		c.asIs, c.quoted = isPlainTime, true
	}
}

func (p *cellPlan) marshal(row *cells.Row) ([]byte, error) {
	size := p.size + len(row.Line) - (len(row.Ends) - 1) // has commas
	from := cells.End(0)
	for _, end := range row.Ends {
		if from == end {
			size += len("null")
		}
		from = end + 1
	}
	stored := make([]byte, 0, max(size, 2))
	for i := range p.columns {
		c := &p.columns[i]
		stored = append(stored, c.key...)
		cell := row.Cell(c.at)
		switch {
		case cell == "":
			stored = append(stored, "null"...)
		case c.plain && row.Ends[c.at].IsPlain() || c.asIs != nil && c.asIs(cell):
			if c.quoted {
				stored = append(append(append(stored, '"'), cell...), '"')
			} else {
				stored = append(stored, cell...)
			}
		default:
			kept, err := c.normal(row.Value(c.at))
			if err != nil {
				return nil, fmt.Errorf("%w: column %q: %w", ErrRecord, c.Name, err)
			}
			stored = appendValue(stored, kept)
		}
	}
	if len(stored) == 0 {
		return []byte("{}"), nil
	}
	stored[0] = '{' // for the first comma
	return append(stored, '}'), nil
}
