package source

import "strings"

// Halved is a Spec whose records can be cut into two that are about the same, which tells
// without labels how well something finds what belongs together.
type Halved interface {
	// Halves are two records made of one, as the store keeps them; false where the record
	// is too short.
	Halves(stored []byte) (a, b []byte, ok bool)
}

// leastHalf is the fewest words that half a text has.
const leastHalf = 3

// Halves are the words of a text in turns.
func (t Text) Halves(stored []byte) (a, b []byte, ok bool) {
	if checkRecordText(string(stored)) != nil {
		return nil, nil, false
	}
	var halves [2]strings.Builder
	n := 0
	parts(fold(string(stored)), func(text string, is part) {
		if is == sign {
			return
		}
		half := &halves[n%2]
		half.WriteString(text)
		half.WriteByte(' ')
		n++
	})
	return []byte(halves[0].String()), []byte(halves[1].String()), n >= 2*leastHalf
}
