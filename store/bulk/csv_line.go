package bulk

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/latentdb/latentdb/embed/source/cells"
)

var errLongRecord = fmt.Errorf("%w: a CSV record is longer than %d bytes", ErrFile, maxCSVRecord)

// csvRecord is a record as read, or why it could not be.
type csvRecord struct {
	line int
	cells.Row
	err *LineError
}

// withCell is all cells, those given or else the record's own, but for one.
func (r *csvRecord) withCell(all []string, i int, cell string) []string {
	if all == nil {
		all = make([]string, len(r.Ends))
		for j := range all {
			all[j] = r.Cell(j)
		}
	}
	all[i] = cell
	return all
}

func refused(line int, reason string) *csvRecord {
	return &csvRecord{err: &LineError{line, reason}}
}

func wrongCount(line, fields, want int) *csvRecord {
	return refused(line, fmt.Sprintf("%d fields, the header has %d", fields, want))
}

// csvLines cuts a CSV into records. Lines without a quote, which are nearly all, it
// cuts itself, at the commas; all others are for encoding/csv.
type csvLines struct {
	in    *bufio.Reader
	csv   *csv.Reader
	left  int // bytes that csv may read before the record is too long
	lines int // read so far
	plain int // of them, those that csv did not see

	ready  string      // lines without a quote, to be cut
	spare  []cells.End // see room
	record csvRecord   // the last one, which is cheaper to lend than to copy
}

func newCSVLines(in *bufio.Reader) *csvLines {
	l := &csvLines{in: in}
	l.csv = csv.NewReader(l)
	l.csv.FieldsPerRecord = -1 // checked by the caller, so that reading goes on
	l.csv.ReuseRecord = true
	return l
}

// Read gives csv the file, and never more than what is left of a line, so that it holds
// nothing beyond the record that it reads.
func (l *csvLines) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errLongRecord
	}
	if _, err := l.in.Peek(1); err != nil {
		return 0, err
	}
	ready, _ := l.in.Peek(min(l.in.Buffered(), len(p), l.left)) // is there
	if end := bytes.IndexByte(ready, '\n'); end >= 0 {
		ready = ready[:end+1]
		l.lines++
	}
	l.left -= len(ready)
	n := copy(p, ready)
	_, _ = l.in.Discard(n) // was peeked
	return n, nil
}

func (l *csvLines) header() ([]string, error) {
	l.left = maxCSVRecord
	return l.csv.Read()
}

// next is the next record, which has as many fields as the header or is refused, until
// the one after it is read; its error ends the file.
func (l *csvLines) next(fields int) (*csvRecord, error) {
	for {
		if l.ready == "" && !l.takePlain() {
			return l.quoted(fields)
		}
		end := strings.IndexByte(l.ready, '\n')
		line := strings.TrimSuffix(l.ready[:end], "\r")
		l.ready = l.ready[end+1:]
		l.plain++
		l.lines++
		if line == "" { // which is no record
			continue
		}
		ends := cells.Cut(l.room(fields), line)
		if len(ends) != fields {
			return wrongCount(l.lines, len(ends), fields), nil
		}
		l.record.line, l.record.Line, l.record.Ends = l.lines, line, ends
		return &l.record, nil
	}
}

// takePlain makes some lines without a quote ready, of those that are buffered, if the
// next line is one.
func (l *csvLines) takePlain() bool {
	const some = 4 << 10
	buffered, end := l.peekLine()
	if end < 0 {
		return false
	}
	if len(buffered) > some {
		buffered = buffered[:max(end+1, some)]
	}
	if quote := bytes.IndexByte(buffered, '"'); quote >= 0 {
		buffered = buffered[:quote]
	}
	l.ready = string(buffered[:bytes.LastIndexByte(buffered, '\n')+1])
	_, _ = l.in.Discard(len(l.ready)) // was peeked
	return l.ready != ""
}

// peekLine is what is buffered, and where in it the next line ends, -1 if that is not
// there for being the last one or too long.
func (l *csvLines) peekLine() (buffered []byte, end int) {
	for n := 1; n <= l.in.Size(); n = len(buffered) + 1 {
		if _, err := l.in.Peek(n); err != nil {
			break
		}
		buffered, _ = l.in.Peek(l.in.Buffered()) // is there
		if end := bytes.IndexByte(buffered[n-1:], '\n'); end >= 0 {
			return buffered, n - 1 + end
		}
	}
	return nil, -1
}

// room is for the ends of a record's cells. It is cheaper to make for some records at once.
func (l *csvLines) room(fields int) []cells.End {
	const atOnce = 1024
	if len(l.spare) < fields {
		l.spare = make([]cells.End, max(fields, atOnce))
	}
	room := l.spare[:0:fields]
	l.spare = l.spare[fields:]
	return room
}

// quoted is the next record as encoding/csv reads it.
func (l *csvLines) quoted(want int) (*csvRecord, error) {
	l.left = maxCSVRecord
	fields, err := l.csv.Read()
	var parse *csv.ParseError
	switch {
	case errors.As(err, &parse) && !errors.Is(err, ErrFile):
		return refused(l.plain+parse.StartLine, parse.Err.Error()), nil
	case err == io.EOF || errors.Is(err, ErrFile):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	line, _ := l.csv.FieldPos(0)
	if len(fields) != want {
		return wrongCount(l.plain+line, len(fields), want), nil
	}
	return &csvRecord{line: l.plain + line, Row: cells.Join(fields)}, nil
}
