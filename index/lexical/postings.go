package lexical

import "encoding/binary"

// Postings are bytes, one document after the other: how much larger its number is than
// the one before, times two, as a varint; and the weight's steps in a byte, which is left
// out for the weight 1, when the varint is odd.

// add appends a document, whose number is larger than all before.
func (p *postings) add(doc uint32, steps byte) {
	gap := uint64(doc-p.next) << 1
	if steps == weightSteps {
		p.data = binary.AppendUvarint(p.data, gap|1)
	} else {
		p.data = append(binary.AppendUvarint(p.data, gap), steps)
	}
	p.next = doc + 1
	p.count++
}

// each calls visit for every document, in order.
func (p *postings) each(visit func(doc uint32, steps byte)) {
	var doc uint32
	for at := 0; at < len(p.data); {
		gap, n := binary.Uvarint(p.data[at:])
		at += n
		doc += uint32(gap >> 1)
		steps := byte(weightSteps)
		if gap&1 == 0 {
			steps = p.data[at]
			at++
		}
		visit(doc, steps)
		doc++
	}
}

// addTo adds to the score of every document the product of its steps and a weight. It is
// each, written out: this is where a search spends its time.
func (p *postings) addTo(scores []float32, weight float32) {
	once := weight * weightSteps
	doc := uint32(0)
	data := p.data
	for at := 0; at < len(data); {
		gap := uint64(data[at])
		at++
		if gap >= 0x80 {
			gap &= 0x7f
			for shift := 7; ; shift += 7 {
				b := data[at]
				at++
				gap |= uint64(b&0x7f) << shift
				if b < 0x80 {
					break
				}
			}
		}
		doc += uint32(gap >> 1)
		if gap&1 != 0 {
			scores[doc] += once
		} else {
			scores[doc] += weight * float32(data[at])
			at++
		}
		doc++
	}
}

// sound tells whether bytes from outside are postings of as many documents as count says,
// one at least and all of them below documents, and finds where the next would follow.
func (p *postings) sound(documents uint32) bool {
	doc, count := uint64(0), uint32(0)
	for at := 0; at < len(p.data); {
		gap, n := uint64(p.data[at]), 1
		if gap >= 0x80 {
			if gap, n = binary.Uvarint(p.data[at:]); n <= 0 {
				return false
			}
		}
		at += n
		if gap&1 == 0 {
			if at == len(p.data) || p.data[at] == 0 {
				return false
			}
			at++
		}
		if doc += gap >> 1; doc >= uint64(documents) {
			return false
		}
		doc++
		count++
	}
	p.next = uint32(doc)
	return count > 0 && count == p.count
}
