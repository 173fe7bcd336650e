package bulk

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"path"
	"strconv"
	"strings"
)

// filesWriter writes each record to a file of its own. A file is named after its id,
// so that a folder that was imported comes back as it was.
type filesWriter struct {
	content Format
	create  func(name string) (io.WriteCloser, error)
	close   func() error
	names   map[string]bool // in small letters: some systems do not tell them apart
}

// CreateFolder writes each record to a file of its own below dir, which is made if it
// is not there. Files that are there are not replaced: they are an error.
func CreateFolder(dir string, opt WriterOptions) (Writer, error) {
	if !opt.Content.single() {
		return nil, fmt.Errorf("%w: a folder holds %s, %s or %s, not %q", ErrOption, Images, Audio, Texts, opt.Content)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	create := func(name string) (io.WriteCloser, error) {
		if err := root.MkdirAll(path.Dir(name), 0o777); err != nil {
			return nil, err
		}
		return root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	}
	return &filesWriter{opt.Content, create, root.Close, map[string]bool{}}, nil
}

// newZipWriter writes each record to a file of its own in a zip. Pictures and sounds
// are stored as they are: they are compressed already.
func newZipWriter(w io.Writer, content Format) (Writer, error) {
	if !content.single() {
		return nil, fmt.Errorf("%w: a zip holds %s, %s or %s, not %q", ErrOption, Images, Audio, Texts, content)
	}
	z := zip.NewWriter(w)
	method := zip.Store
	if content == Texts {
		method = zip.Deflate
	}
	create := func(name string) (io.WriteCloser, error) {
		file, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		return nopCloser{file}, err
	}
	return &filesWriter{content, create, z.Close, map[string]bool{}}, nil
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

func (w *filesWriter) Write(row Row) error {
	data, err := w.data(row.Record)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRow, err)
	}
	name, err := w.name(row.ID, data)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRow, err)
	}
	file, err := w.create(name)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Close())
}

func (w *filesWriter) Close() error { return w.close() }

// data are the bytes of a record: pictures and sounds may be base64, as JSON has them.
func (w *filesWriter) data(record any) ([]byte, error) {
	switch r := record.(type) {
	case []byte:
		return r, nil
	case image.Image:
		var encoded bytes.Buffer
		err := png.Encode(&encoded, r)
		return encoded.Bytes(), err
	case string:
		if w.content == Texts {
			return []byte(r + "\n"), nil
		}
		return base64.StdEncoding.DecodeString(r)
	}
	return nil, fmt.Errorf("a file cannot hold a %T", record)
}

// name is the file of an id, with an extension that tells what is in it.
func (w *filesWriter) name(id any, data []byte) (string, error) {
	var name string
	switch id := id.(type) {
	case uint64:
		name = strconv.FormatUint(id, 10)
	case string:
		name = safePath(id)
	}
	if name == "" {
		return "", fmt.Errorf("id %v is not a number or text", id)
	}
	if contentOf(name) != w.content {
		name += extensionOf(w.content, data)
	}
	key := strings.ToLower(name)
	if w.names[key] {
		return "", fmt.Errorf("another point's file is %q too", name)
	}
	w.names[key] = true
	return name, nil
}

// safePath makes a path of an id that leads nowhere else and that all systems take.
func safePath(id string) string {
	parts := strings.Split(id, "/")
	for i, part := range parts {
		if strings.Trim(part, ".") == "" { // "", "." and ".." too
			part = "_" + part
		}
		parts[i] = strings.Map(func(r rune) rune {
			if r < ' ' || strings.ContainsRune(`\:*?"<>|`, r) {
				return '_'
			}
			return r
		}, part)
	}
	return strings.Join(parts, "/")
}

// magic are the first bytes of files; a dot stands for any byte.
var magic = []struct{ begins, extension string }{
	{"\x89PNG", ".png"}, {"\xff\xd8\xff", ".jpg"}, {"GIF8", ".gif"}, {"RIFF....WEBP", ".webp"}, {"BM", ".bmp"},
	{"II*\x00", ".tiff"}, {"MM\x00*", ".tiff"},
	{"RIFF....WAVE", ".wav"}, {"fLaC", ".flac"}, {"ID3", ".mp3"}, {"\xff\xfb", ".mp3"}, {"\xff\xf3", ".mp3"}, {"\xff\xf2", ".mp3"},
}

// IsAudio tells whether an encoded record begins as a WAV, FLAC or MP3 file does.
func IsAudio(data []byte) bool {
	for _, m := range magic {
		if contentOf(m.extension) == Audio && beginsLike(data, m.begins) {
			return true
		}
	}
	return false
}

// extensionOf tells a file of a kind by its first bytes.
func extensionOf(content Format, data []byte) string {
	if content == Texts {
		return ".txt"
	}
	for _, m := range magic {
		if contentOf(m.extension) == content && beginsLike(data, m.begins) {
			return m.extension
		}
	}
	if content == Audio {
		return ".wav"
	}
	return ".png"
}

func beginsLike(data []byte, begins string) bool {
	if len(data) < len(begins) {
		return false
	}
	for i := range len(begins) {
		if begins[i] != '.' && data[i] != begins[i] {
			return false
		}
	}
	return true
}
