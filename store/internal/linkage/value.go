// Package linkage tells which records speak of the same thing, without labels: it finds
// candidates by rare terms, compares them field by field, and learns from the comparisons
// alone how much each agreement says, by a mixture of two classes of pairs (Fellegi and
// Sunter, "A theory for record linkage", 1969; Winkler, "Using the EM algorithm for weight
// computation in the Fellegi-Sunter model of record linkage", 2000).
//
// It knows records by the place they were added at, and nothing of ids or storage.
package linkage

// Kind is what a value is compared as.
type Kind uint8

// The kinds. What is missing is no evidence, neither for a pair nor against it.
const (
	Missing Kind = iota
	Text
	Number
)

// Value is what a record has in one field.
type Value struct {
	Kind   Kind
	Text   string // also a number's digits
	Number float64
}

// record is a record prepared to be compared.
type record struct {
	fields []field
	// all are the terms of all fields, words those that are words, codes the words with a
	// digit in them: what numbers, models and years say is seldom said in other words.
	all, words, codes vector
}

// field is one value prepared.
type field struct {
	kind   Kind
	text   string // folded
	number float64
	terms  vector
}
