package api

import (
	"strings"

	"github.com/latentdb/latentdb/embed/source"
)

// A pair's kind, here, names those of its sides, whose records have forms of their own.
const pairOf, pairAnd = "pair of ", " and "

func pairKind(p source.Pair) string { return pairOf + p.Left.Kind() + pairAnd + p.Right.Kind() }

// sidesOf are the kinds of a pair's sides; ok is false for any other kind.
func sidesOf(kind string) (sides map[string]string, ok bool) {
	rest, ok := strings.CutPrefix(kind, pairOf)
	left, right, both := strings.Cut(rest, pairAnd)
	return map[string]string{"left": left, "right": right}, ok && both
}

// asPair makes records of the sides of a pair that are there. Other keys are for the
// source to refuse.
func asPair(sides map[string]string, field string, v map[string]any) (any, error) {
	out := make(map[string]any, len(v))
	for name, side := range v {
		out[name] = side
		kind, known := sides[name]
		if !known || side == nil {
			continue
		}
		var err error
		if out[name], err = asRecord(kind, field+"."+name, side); err != nil {
			return nil, err
		}
	}
	return out, nil
}
