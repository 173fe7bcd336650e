package bulk

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"
	"unicode/utf8"
)

// readLines reads one text a line.
func readLines(in *bufio.Reader) iter.Seq2[Row, error] {
	skipMark(in)
	lines := &jsonlFile{in: in}
	return func(yield func(Row, error) bool) {
		for {
			line, err := lines.nextLine()
			if err == io.EOF {
				return
			}
			line = bytes.TrimSpace(line)
			if err == nil && len(line) == 0 {
				continue
			}
			row := Row{Line: lines.line}
			switch {
			case err != nil:
			case !utf8.Valid(line):
				err = lines.bad("not UTF-8")
			default:
				row.Record = string(line)
			}
			var bad *LineError
			if !yield(row, err) || err != nil && !errors.As(err, &bad) {
				return
			}
		}
	}
}
