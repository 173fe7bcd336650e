package bulk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"unicode/utf8"
)

// Limits of files that are one record. Their source may take less.
const (
	maxImageFile = 32 << 20
	maxAudioFile = 32 << 20
	maxTextFile  = 1 << 20
)

// fill makes the row of a file, which is its record. Its path is its id; the payload
// has its name as "file" and the folder it is in, unless that is the top, as "folder".
func (r *Row) fill(content Format, in io.Reader, size int64) error {
	if !utf8.ValidString(r.File) {
		return errors.New("the name is not UTF-8")
	}
	var err error
	if r.Record, err = readSingle(content, in, size); err != nil {
		return err
	}
	r.ID = r.File
	r.Payload = map[string]any{"file": path.Base(r.File)}
	if dir := path.Dir(r.File); dir != "." {
		r.Payload["folder"] = path.Base(dir)
	}
	return nil
}

// readSingle reads a file that is one record: the bytes of a picture or a sound, or a
// string.
func readSingle(content Format, in io.Reader, size int64) (any, error) {
	most := int64(maxImageFile)
	switch content {
	case Audio:
		most = maxAudioFile
	case Texts:
		most = maxTextFile
	}
	data, err := readAll(in, size, most)
	if err != nil || content != Texts {
		return data, err
	}
	text := strings.TrimSpace(strings.TrimPrefix(string(data), "\ufeff"))
	if !utf8.ValidString(text) {
		return nil, errors.New("not UTF-8")
	}
	return text, nil
}

// readAll reads a file that should be of some size, which is not believed.
func readAll(in io.Reader, size, most int64) ([]byte, error) {
	const believed = 1 << 20
	var data bytes.Buffer
	data.Grow(int(min(max(size, 0), believed)) + bytes.MinRead)
	if _, err := data.ReadFrom(io.LimitReader(in, most+1)); err != nil {
		return nil, err
	}
	if int64(data.Len()) > most {
		return nil, fmt.Errorf("more than %d bytes", most)
	}
	return data.Bytes(), nil
}
