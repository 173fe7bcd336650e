package bulk

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"iter"
	"unicode/utf8"
)

// maxTextLine bounds a line of a file of texts. A longer one is skipped as a bad
// record.
const maxTextLine = 1 << 20

// lines reads a file line by line. A line beyond the limit is skipped to its end.
type lines struct {
	in   *bufio.Reader
	most int // bytes of a line
	// blanks tells that a line of white space alone is given as well.
	blanks bool
	line   int // the one that was read last
	buf    []byte
}

// next is the next line with its end, valid until the one after.
func (l *lines) next() ([]byte, error) {
	l.line++
	l.buf = l.buf[:0]
	long := false
	for {
		part, err := l.in.ReadSlice('\n')
		if long = long || len(l.buf)+len(part) > l.most; !long {
			l.buf = append(l.buf, part...)
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err != nil && err != io.EOF:
			return nil, fmt.Errorf("%w: line %d: %w", ErrFile, l.line, err)
		case long:
			return nil, l.bad("longer than %d bytes", l.most)
		case err == io.EOF && len(l.buf) == 0:
			return nil, io.EOF
		}
		return l.buf, nil
	}
}

func (l *lines) bad(format string, args ...any) *LineError {
	return &LineError{l.line, fmt.Sprintf(format, args...)}
}

// readText gives every line that is not blank as a text, without the spaces
// around it. Where places count, a blank line is a row without a record.
func readText(in *bufio.Reader, places bool) iter.Seq2[Row, error] {
	skipMark(in)
	l := &lines{in: in, most: maxTextLine, blanks: places}
	return eachLine(l, func(line []byte) (Row, error) {
		if len(line) == 0 {
			return Row{}, nil
		}
		if !utf8.Valid(line) {
			return Row{}, l.bad("not UTF-8")
		}
		return Row{Record: string(line)}, nil
	})
}

// eachLine gives the row of every line that is not blank, or of all. It ends with the file, and
// with an error that is no LineError.
func eachLine(l *lines, row func(line []byte) (Row, error)) iter.Seq2[Row, error] {
	failed := false
	return func(yield func(Row, error) bool) {
		for !failed {
			line, err := l.next()
			if err == io.EOF {
				return
			}
			var out Row
			if err == nil {
				if line = bytes.TrimSpace(line); len(line) == 0 && !l.blanks {
					continue
				}
				out, err = row(line)
			}
			failed = err != nil && !isLineError(err)
			if err != nil {
				out = Row{}
			}
			out.Line = l.line
			if !yield(out, err) {
				return
			}
		}
	}
}
