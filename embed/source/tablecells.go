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
	asIs   func(row *cells.Row, at int) bool
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
			c.asIs, c.quoted = c.shortcut(header.Columns()[at].Kind)
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
func (c *Column) shortcut(kind cells.Kind) (asIs func(*cells.Row, int) bool, quoted bool) {
	open := c.Type == CategoricalColumn && len(c.Levels) == 0
	switch {
	case kind == cells.Number && (c.Type == NumericColumn || open):
		return (*cells.Row).IsPlain, false
	case kind == cells.Boolean && (c.Type == BooleanColumn || open):
		return cellOf(func(cell string) bool { return cell == "true" || cell == "false" }), false
	case kind == cells.Text && (c.Type == TextColumn || open):
		return cellOf(func(cell string) bool { return len(cell) <= MaxTextBytes && isPlainText(cell) }), true
	case kind == cells.Text && c.Type == TimeColumn && c.Format.unit() == 0:
		return cellOf(isPlainTime), true
	}
	return nil, false
}

func cellOf(tells func(cell string) bool) func(*cells.Row, int) bool {
	return func(row *cells.Row, at int) bool { return tells(row.Cell(at)) }
}

func (p *cellPlan) marshal(row *cells.Row) ([]byte, error) {
	size := p.size + len(row.Line)
	for _, cell := range row.Spans {
		if cell.From == cell.To {
			size += len("null")
		}
	}
	stored := make([]byte, 0, size)
	for i := range p.columns {
		c := &p.columns[i]
		stored = append(stored, c.key...)
		cell := row.Cell(c.at)
		switch {
		case cell == "":
			stored = append(stored, "null"...)
		case c.asIs == nil || !c.asIs(row, c.at):
			kept, err := c.normal(row.Value(c.at))
			if err != nil {
				return nil, fmt.Errorf("%w: column %q: %w", ErrRecord, c.Name, err)
			}
			stored = appendValue(stored, kept)
		case c.quoted:
			stored = append(append(append(stored, '"'), cell...), '"')
		default:
			stored = append(stored, cell...)
		}
	}
	if len(stored) == 0 {
		return []byte("{}"), nil
	}
	stored[0] = '{' // for the first comma
	return append(stored, '}'), nil
}
