package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// prepare checks a batch and makes its stored form, outside every lock.
func (c *Collection) prepare(ctx context.Context, b Batch) (*request, error) {
	if len(b.Upsert) > MaxBatchPoints {
		return nil, invalid("points", "%d points in one batch, more than %d", len(b.Upsert), MaxBatchPoints)
	}
	where, err := b.DeleteWhere.prepared()
	if err := errors.Join(validateIDs("points", b.Delete), err); err != nil {
		return nil, err
	}
	r := &request{deletes: slices.Clone(b.Delete), where: where, done: make(chan struct{})}
	for _, p := range b.Payloads {
		prepared, err := p.prepare()
		if err != nil {
			return nil, err
		}
		r.payloads = append(r.payloads, prepared)
	}
	if len(b.Upsert) == 0 {
		return r, nil
	}
	// A batch that is refused must not decide the source, so all that can be
	// checked without it comes first.
	payloads, err := checkPoints(b.Upsert)
	if err != nil {
		return nil, err
	}
	if err := c.resolveSource(b.Upsert); err != nil {
		return nil, err
	}
	if err := c.preparePoints(r, b.Upsert, payloads); err != nil {
		return nil, err
	}
	return r, c.markUpserts(ctx, r, b.Upsert)
}

// prepare checks a change and takes a copy of it, since the caller may go on
// to use its maps and slices.
func (p PayloadChange) prepare() (preparedPayload, error) {
	switch p.Op {
	case PayloadSet, PayloadOverwrite, PayloadDelete, PayloadClear:
	default:
		return preparedPayload{}, invalid("op", "%q is not a payload operation", p.Op)
	}
	var err error
	p.Filter, err = p.Filter.prepared()
	if err := errors.Join(validateIDs("points", p.IDs), err); err != nil {
		return preparedPayload{}, err
	}
	data, err := p.Payload.encode("payload")
	if err != nil {
		return preparedPayload{}, err
	}
	p.IDs, p.Keys = slices.Clone(p.IDs), slices.Clone(p.Keys)
	p.Payload, err = decodePayload(data)
	return preparedPayload{p}, err
}

func validateIDs(field string, ids []ID) error {
	for i, id := range ids {
		if err := id.validate(fmt.Sprintf("%s[%d]", field, i)); err != nil {
			return err
		}
	}
	return nil
}

// checkPoints checks what of points no source decides, and returns the stored
// form of their payloads.
func checkPoints(points []Point) (payloads [][]byte, err error) {
	payloads = make([][]byte, len(points))
	for i, p := range points {
		if err := p.ID.validate(fmt.Sprintf("points[%d].id", i)); err != nil {
			return nil, err
		}
		switch {
		case p.Vector != nil && p.Record != nil:
			return nil, invalid(fmt.Sprintf("points[%d]", i), "has both a vector and a record")
		case p.content() == nil:
			return nil, invalid(fmt.Sprintf("points[%d]", i), "has neither a vector nor a record")
		}
		if payloads[i], err = p.Payload.encode(fmt.Sprintf("points[%d].payload", i)); err != nil {
			return nil, err
		}
	}
	return payloads, nil
}

// preparePoints checks records, keeps the last of the points with one id, and
// encodes them for the active generation, so that the writer need not.
func (c *Collection) preparePoints(r *request, points []Point, payloads [][]byte) error {
	spec := c.Config().Source
	last := make(map[ID]int, len(points))
	for i, p := range points {
		last[p.ID] = i
	}
	for i, p := range points {
		field := fmt.Sprintf("points[%d].record", i)
		if p.Vector != nil {
			field = fmt.Sprintf("points[%d].vector", i)
			if spec.Kind() != "vector" {
				return invalid(field, "this collection takes records of kind %s, not vectors", spec.Kind())
			}
		}
		record, err := spec.Marshal(p.content())
		if err != nil {
			return invalidCause(field, err)
		}
		if last[p.ID] != i {
			continue // checked like the others, but a later one wins
		}
		r.upserts = append(r.upserts, preparedPoint{id: p.ID, at: i, record: record, payload: payloads[i]})
		r.size += len(record) + len(payloads[i])
	}
	if err := c.lexicon.prepare(r.upserts); err != nil {
		return err
	}
	r.generation = c.active.Load()
	return r.generation.prepareRows(r.upserts)
}
