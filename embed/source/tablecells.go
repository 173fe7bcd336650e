package source

import (
	"fmt"

	"github.com/latentdb/latentdb/embed/source/cells"
)

// cellPlan is how a table stores the rows under a header, made once for all of them.
type cellPlan struct {
	table   []Column        // what it was made for
	columns []plannedColumn // those under the header, in the table's order
	strange bool            // there are others, too
	start   []byte          // of what is stored
	absent  int             // columns at the end that are not under the header
}

type plannedColumn struct {
	*Column
	at     int // under the header
	absent int // columns before it that are not there
	// asIs tells quickly of cells that are stored as they are, as cells of kind stored;
	// nil where it takes their value to tell. They are all plain ones if plain.
	asIs   func(cell string) bool
	plain  bool
	stored byte
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
	plan := &cellPlan{table: t.Columns, start: t.form().start[:]}
	for i := range t.Columns {
		at := header.Index(t.Columns[i].Name)
		if at < 0 {
			plan.absent++
			continue
		}
		c := plannedColumn{Column: &t.Columns[i], at: at, absent: plan.absent}
		c.shortcut(header.Columns()[at].Kind)
		plan.columns, plan.absent = append(plan.columns, c), 0
	}
	plan.strange = len(plan.columns) < header.Len()
	return plan
}

// shortcut finds asIs for the column's cells of a kind.
func (c *plannedColumn) shortcut(kind cells.Kind) {
	open := c.Type == CategoricalColumn && len(c.Levels) == 0
	switch {
	case kind == cells.Number && (c.Type == NumericColumn || open):
		c.asIs, c.plain, c.stored = cells.IsPlain, true, numberCell
	case kind == cells.Text && (c.Type == TextColumn || open):
		c.asIs, c.plain, c.stored = func(cell string) bool { return checkText(cell, MaxTextBytes) == nil }, true, textCell
	case kind == cells.Text && c.Type == TimeColumn && c.Format.unit() == 0:
		c.asIs, c.stored = isPlainTime, textCell
	}
}

// shortCell is how many bytes are copied of a cell that has no more: fewer cost more, for
// they take a call.
const shortCell = 8

func (p *cellPlan) marshal(row *cells.Row) ([]byte, error) {
	line, ends := row.Line, row.Ends
	size := len(p.start) + len(p.columns) + len(line) - (len(ends) - 1) // has commas
	stored := append(make([]byte, 0, max(size, len(p.start))), p.start...)
	for i := range p.columns {
		c := &p.columns[i]
		stored = appendAbsent(stored, c.absent)
		from, end := 0, ends[c.at]
		if c.at > 0 {
			from = ends[c.at-1].At() + 1
		}
		cell, at := line[from:end.At()], len(stored)+1
		switch plain := c.plain && end.IsPlain(); {
		case plain && len(cell) <= shortCell && from+shortCell <= len(line) && at+shortCell <= cap(stored):
			stored = stored[:at+shortCell]
			stored[at-1] = c.stored | byte(len(cell))
			copy(stored[at:at+shortCell], line[from:from+shortCell])
			stored = stored[:at+len(cell)]
		case plain || cell != "" && c.asIs != nil && c.asIs(cell):
			stored = append(appendHead(stored, c.stored, len(cell)), cell...)
		case cell == "":
			stored = append(stored, nullCell)
		default:
			kept, err := c.normal(row.Value(c.at))
			if err != nil {
				return nil, fmt.Errorf("%w: column %q: %w", ErrRecord, c.Name, err)
			}
			stored = appendCell(stored, kept)
		}
	}
	return appendAbsent(stored, p.absent), nil
}
