package bulk

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"slices"
	"strings"
)

// Limits of archives, beside those of all that is compressed.
const (
	// MaxEntries is how many files an archive may hold.
	MaxEntries = 1 << 20
	// maxEntryName bounds a path in an archive, which may become an id.
	maxEntryName = 1024
)

// entry is a file in an archive or a folder.
type entry struct {
	name string
	size int64 // unpacked, as the archive says
	err  error // why it cannot be read, if that is known already
	open func() (io.ReadCloser, error)
	// whole opens it to be read here and there; nil where only open can be had.
	whole func() (wholeFile, error)
}

// wholeFile is an *os.File.
type wholeFile interface {
	io.ReaderAt
	io.Closer
}

// entries gives the files of an archive in its order, each time it is called. An
// entry is valid until the next.
type entries iter.Seq2[entry, error]

// tree reads the files of an archive or a folder. Nothing of an archive is written to
// disk, so a path in it leads nowhere.
type tree struct {
	r       *Reader
	what    string // "archive" or "folder"
	entries entries
	opt     Options // of the files that hold many records
	content Format  // what to take: a single kind, or else those that hold many
}

// readArchive sets out to read an archive.
func (r *Reader) readArchive(kind Format, file io.ReaderAt, size int64, opt Options) error {
	r.meter = &meter{packed: func() int64 { return size }}
	t := &tree{r: r, what: "archive", opt: opt}
	var err error
	if kind == Zip {
		t.entries, err = zipEntries(file, size, r.meter)
	} else {
		t.entries = tarEntries(file, size, r.meter)
	}
	if err != nil {
		return err
	}
	return t.read()
}

// read looks all of it through and sets out to read what there is most of. An archive
// that would unpack to too much is refused before its first record.
func (t *tree) read() error {
	seen, err := t.survey()
	if err != nil {
		return err
	}
	if t.content = t.opt.Format; t.content == "" {
		if seen.files[Images] > 0 && seen.files[Audio] > 0 {
			return fmt.Errorf("%w: the %s holds images and recordings: say by the format, %s or %s, which are meant", ErrOption, t.what, Images, Audio)
		}
		if t.content = seen.most(); t.content == "" {
			return fmt.Errorf("%w: the %s holds no file of a kind that is read", ErrFile, t.what)
		}
	}
	if err := t.check(); err != nil {
		return err
	}
	if t.content == Text {
		seen.files[Text], seen.bytes[Text] = seen.files[Texts], seen.bytes[Texts]
	}
	if seen.files[t.content] == 0 {
		return fmt.Errorf("%w: the %s holds no file that is read as %s", ErrOption, t.what, t.content)
	}
	t.r.format, t.r.total = t.content, seen.bytes[t.content]
	t.r.rows = once(t.rows)
	return nil
}

// check refuses options that no file could use.
func (t *tree) check() error {
	opt := t.opt
	switch opt.Format = t.content; {
	case opt.Labels != "" || opt.Array != "":
		return fmt.Errorf("%w: labels and names of arrays go with a single file, not with a %s", ErrOption, t.what)
	case opt.Format == Zip || opt.Format == Tar:
		return fmt.Errorf("%w: %s is no format of the files in a %s", ErrOption, opt.Format, t.what)
	case opt.Format == several && len(opt.Text) > 0:
		opt.Format = CSV
	case opt.Format == several:
		opt.Format = JSONL
	case !slices.Contains(Formats(), opt.Format):
		return opt.Format.unknown()
	}
	return opt.check()
}

// several is the content of files that hold many records, each of
// which is read as its name says.
const several Format = "files"

// census is what a tree holds: files and bytes by what they are.
type census struct {
	files, bytes map[Format]int64
}

// survey goes through all files once, without what is in them.
func (t *tree) survey() (census, error) {
	c := census{map[Format]int64{}, map[Format]int64{}}
	var n, unpacked int64
	for e, err := range t.entries {
		if err != nil {
			return c, fileError(err)
		}
		if t.r.meter != nil {
			n++
			unpacked += min(max(e.size, 0), MaxUnpacked+1)
			if err := t.checkArchive(n, unpacked); err != nil {
				return c, err
			}
		}
		content := contentOf(e.name)
		if hidden(e.name) || content == "" {
			continue
		}
		if many := manyOf(content); many != "" {
			c.files[several]++
			c.bytes[several] += e.size
			content = many
		}
		c.files[content]++
		c.bytes[content] += e.size
	}
	return c, nil
}

func (t *tree) checkArchive(files, unpacked int64) error {
	if files > MaxEntries {
		return fmt.Errorf("%w: more than %d files", ErrFile, MaxEntries)
	}
	return checkUnpacked(t.r.meter.packed(), unpacked)
}

// manyOf is the format of a file that holds many records, "" for others. A .txt is
// one text in an archive, which is told from lines by asking for them.
func manyOf(content Format) Format {
	if content.single() || content == Zip || content == Tar {
		return ""
	}
	return content
}

// most is what most files are. Where as many hold one record as many, a note beside
// data is likelier than the other way round.
func (c census) most() Format {
	best := Format("")
	for _, f := range []Format{Images, Audio, several, Texts} {
		if c.files[f] > c.files[best] {
			best = f
		}
	}
	return best
}

// hidden tells files that systems put beside those of their users.
func hidden(name string) bool {
	return strings.HasPrefix(path.Base(name), "._") || strings.HasPrefix(name, "__MACOSX/")
}

// once makes rows that a second call goes on with, which is what is left of them: none.
func once(rows iter.Seq2[Row, error]) iter.Seq2[Row, error] {
	done := false
	return func(yield func(Row, error) bool) {
		if !done {
			done = true
			rows(yield)
		}
	}
}

func (t *tree) rows(yield func(Row, error) bool) {
	if t.r.meter != nil {
		t.r.meter.unpacked = 0 // by the survey
	}
	n := 0
	for e, err := range t.entries {
		if err != nil {
			yield(Row{}, fileError(err))
			return
		}
		take, refuse := t.takes(e)
		if !take && refuse == "" {
			continue
		}
		n++
		row := Row{Line: n, File: plainPath(e.name)}
		switch {
		case refuse != "":
			if !yield(row, row.Refuse(refuse)) {
				return
			}
		case t.content.single():
			err := t.fill(&row, e)
			if err != nil && !errors.Is(err, errUnpacks) {
				err = row.Refuse(err.Error())
			}
			if !yield(row, err) || errors.Is(err, errUnpacks) {
				return
			}
		default:
			if !t.file(row, e, yield) {
				return
			}
		}
	}
}

// takes tells whether a file is of what is read, and why one is not that the user
// may have meant to be.
func (t *tree) takes(e entry) (take bool, refuse string) {
	content := contentOf(e.name)
	switch {
	case e.err != nil:
		return false, e.err.Error()
	case hidden(e.name):
		return false, ""
	case content == Zip || content == Tar:
		return false, fmt.Sprintf("an archive in the %s is not read", t.what)
	case t.content.single():
		return content == t.content, ""
	case content == Texts && t.content == Text:
		return true, "" // lines were asked for
	case manyOf(content) == "" || t.content != several && content != t.content:
		return false, ""
	case !content.Streams() && e.whole == nil:
		return false, fmt.Sprintf("%s is not read within an archive: unpack it", content)
	}
	return true, ""
}

// fill reads a file that is one record.
func (t *tree) fill(row *Row, e entry) error {
	in, err := t.open(e)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	return row.fill(t.content, in, e.size)
}

// file reads a file that holds many records. One that cannot be read on is an error
// of its own; those after it are read.
func (t *tree) file(at Row, e entry, yield func(Row, error) bool) (goOn bool) {
	opt := t.opt
	if opt.Format = contentOf(e.name); opt.Format == Texts {
		opt.Format = Text
	}
	inner := &Reader{format: opt.Format, meter: t.r.meter}
	defer func() { _ = inner.Close() }()
	if err := t.begin(inner, e, opt.narrowed()); err != nil {
		return t.fails(at, err, yield)
	}
	for row, err := range inner.rows {
		row.File = at.File
		var bad *LineError
		switch {
		case errors.As(err, &bad):
			err = row.Refuse(bad.Reason)
		case err != nil:
			return t.fails(at, err, yield)
		}
		if !yield(row, err) {
			return false
		}
	}
	return true
}

// begin opens a file that holds many records.
func (t *tree) begin(inner *Reader, e entry, opt Options) error {
	if !opt.Format.Streams() {
		file, err := e.whole()
		if err != nil {
			return err
		}
		inner.closers = append(inner.closers, file)
		return inner.readFile(&counterAt{file, &t.r.read}, e.size, opt)
	}
	in, err := t.open(e)
	if err != nil {
		return err
	}
	inner.closers = append(inner.closers, in)
	return inner.readStream(in, opt)
}

// fails passes an error on that ended a file, or all.
func (t *tree) fails(at Row, err error, yield func(Row, error) bool) (goOn bool) {
	if errors.Is(err, errUnpacks) || errors.Is(err, ErrOption) {
		yield(at, fmt.Errorf("%s: %w", at.File, err))
		return false
	}
	return yield(at, at.Refuse(strings.TrimPrefix(err.Error(), ErrFile.Error()+": ")))
}

// narrowed leaves out options that the format has no use for: in an archive another
// file may.
func (o Options) narrowed() Options {
	if !o.Format.columns() {
		o.ID, o.Payload, o.Record = "", nil, ""
	}
	if !o.Format.lines() {
		o.Left, o.Right = "", ""
	}
	if o.Format != CSV {
		o.Text = nil
	}
	return o
}

func (t *tree) open(e entry) (io.ReadCloser, error) {
	if len(e.name) > maxEntryName {
		return nil, fmt.Errorf("a name of %d bytes, the limit is %d", len(e.name), maxEntryName)
	}
	in, err := e.open()
	if err != nil {
		return nil, err
	}
	return readOnly{&counter{in, &t.r.read}, in}, nil
}

// plainPath is a path of an archive without what leads nowhere in it, such as a
// leading "./".
func plainPath(name string) string {
	if len(name) > maxEntryName {
		name = strings.ToValidUTF8(name[:100], "") + "…"
	}
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}
