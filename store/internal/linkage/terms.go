package linkage

import (
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// buckets is how many terms are told apart.
	bucketBits = 20
	buckets    = 1 << bucketBits
	// Lengths in characters of the pieces of words that are terms.
	shortestGram, longestGram = 3, 5
	// wordCount is what a word counts beside its pieces.
	wordCount = 0.5
	// longestText is how many bytes of a value count.
	longestText = 1 << 14
)

// term is one term of a record and its weight.
type term struct {
	id     uint32
	weight float32
}

// vector is terms ascending by id.
type vector []term

// hash is 64-bit FNV-1a.
type hash uint64

const (
	fnvBasis hash = 0xcbf29ce484222325
	fnvPrime hash = 0x100000001b3
)

// No piece of a word is taken for a word.
var wordSeed, gramSeed = fnvBasis.add("w"), fnvBasis.add("g")

func (h hash) add(s string) hash {
	for i := range len(s) {
		h = (h ^ hash(s[i])) * fnvPrime
	}
	return h
}

// bucket mixes the state, whose high bits the last bytes hardly reach.
func (h hash) bucket() uint32 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return uint32(h >> (64 - bucketBits))
}

// fold is a text as it is compared, cut to what counts.
func fold(text string) string {
	if len(text) > longestText {
		text = strings.ToValidUTF8(text[:longestText], "")
	}
	return strings.ToLower(text)
}

// eachWord yields the runs of letters and digits of a folded text.
func eachWord(text string, yield func(word string, code bool)) {
	start, code := -1, false
	for i, r := range text {
		switch digit := unicode.IsDigit(r); {
		case digit || unicode.IsLetter(r) || unicode.IsMark(r):
			if start < 0 {
				start, code = i, false
			}
			code = code || digit
		case start >= 0:
			yield(text[start:i], code)
			start = -1
		}
	}
	if start >= 0 {
		yield(text[start:], code)
	}
}

// appendGrams appends the pieces of a word, which has a space before and after it.
func appendGrams(dst vector, word string) vector {
	before := len(dst)
	padded := " " + word + " "
	for start := 0; start < len(padded); {
		n, h := 0, gramSeed
		first := 0
		for end := start; n < longestGram && end < len(padded); {
			_, size := utf8.DecodeRuneInString(padded[end:])
			h = h.add(padded[end : end+size])
			end += size
			if n++; n == 1 {
				first = end
			}
			if n >= shortestGram {
				dst = append(dst, term{id: h.bucket()})
			}
		}
		if n < shortestGram {
			break
		}
		start = first
	}
	weight := float32(1 / math.Cbrt(float64(max(1, len(dst)-before))))
	for i := range dst[before:] {
		dst[before+i].weight = weight
	}
	return dst
}

// distinct sorts terms and adds up those that are the same, which weigh with the logarithm
// of how often they occur.
func distinct(terms vector) vector {
	keys := make([]uint64, len(terms)) // numbers sort faster than structures do
	for i, t := range terms {
		keys[i] = uint64(t.id)<<32 | uint64(^math.Float32bits(t.weight))
	}
	slices.Sort(keys)
	for i, k := range keys {
		terms[i] = term{uint32(k >> 32), math.Float32frombits(^uint32(k))}
	}
	kept := terms[:0]
	for len(terms) > 0 {
		k := 1
		for k < len(terms) && terms[k].id == terms[0].id {
			k++
		}
		kept = append(kept, term{terms[0].id, terms[0].weight * float32(1+math.Log(float64(k)))})
		terms = terms[k:]
	}
	return slices.Clip(kept)
}

// weigh multiplies counts by rarity and gives the vector length one.
func (v vector) weigh(rarity []float32) {
	var square float64
	for i := range v {
		v[i].weight *= rarity[v[i].id]
		square += float64(v[i].weight) * float64(v[i].weight)
	}
	if square == 0 {
		return
	}
	norm := float32(1 / math.Sqrt(square))
	for i := range v {
		v[i].weight *= norm
	}
}

// cosine is that between vectors of length one.
func cosine(a, b vector) float64 {
	var sum float32
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].id < b[0].id:
			a = a[1:]
		case a[0].id > b[0].id:
			b = b[1:]
		default:
			sum += a[0].weight * b[0].weight
			a, b = a[1:], b[1:]
		}
	}
	return min(float64(sum), 1)
}

// overlap is the rarity of the terms that two vectors share, as a share of that of the
// lighter one, or of both together.
func overlap(a, b vector, rarity []float32, lighter bool) float64 {
	var shared, ofA, ofB float64
	for len(a) > 0 || len(b) > 0 {
		inA := len(b) == 0 || len(a) > 0 && a[0].id <= b[0].id
		inB := len(a) == 0 || len(b) > 0 && b[0].id <= a[0].id
		var w float64
		if inA {
			w = float64(rarity[a[0].id])
			ofA += w
			a = a[1:]
		}
		if inB {
			w = float64(rarity[b[0].id])
			ofB += w
			b = b[1:]
		}
		if inA && inB {
			shared += w
		}
	}
	whole := ofA + ofB - shared
	if lighter {
		whole = min(ofA, ofB)
	}
	if whole == 0 {
		return 0
	}
	return shared / whole
}
