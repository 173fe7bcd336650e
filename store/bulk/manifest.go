package bulk

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"
	"slices"
)

// checkFiles refuses columns of files that are not of the record.
func (o Options) checkFiles() error {
	for _, name := range o.Files {
		if role := o.role(name); role != toRecord && role != toContent {
			return fmt.Errorf("%w: %q holds files and is no column of the record", ErrOption, name)
		}
	}
	return nil
}

// withFiles puts the files that rows name into the place of their paths. A file that
// cannot be read is an error of its row.
func (o Options) withFiles(rows iter.Seq2[Row, error]) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for row, err := range rows {
			if err == nil {
				if bad := o.readFiles(&row); bad != nil {
					row, err = Row{Line: row.Line}, row.Refuse(bad.Error())
				}
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

func (o Options) readFiles(row *Row) (err error) {
	if slices.Contains(o.Files, o.Record) && o.Record != "" {
		if row.Record, err = o.readFile(row.content()); err != nil {
			return fmt.Errorf("%q: %w", o.Record, err)
		}
		row.Vector = nil
		return nil
	}
	record, _ := row.Record.(map[string]any)
	for _, column := range o.Files {
		key := o.key(column)
		if record[key] == nil {
			continue
		}
		if record[key], err = o.readFile(record[key]); err != nil {
			return fmt.Errorf("%q: %w", column, err)
		}
	}
	return nil
}

// readFile reads the file that a path names. Nothing above the root can be reached, not
// by a link either, and nothing that is no record by its name.
func (o Options) readFile(path any) (record any, err error) {
	name, isText := path.(string)
	content := contentOf(name)
	switch {
	case !isText:
		return nil, fmt.Errorf("%.40s is no path of a file", fmt.Sprint(path))
	case len(name) > maxEntryName:
		return nil, fmt.Errorf("a path of %d bytes, the limit is %d", len(name), maxEntryName)
	case !content.single():
		return nil, fmt.Errorf("%q is no picture, sound or .txt file by its name", name)
	}
	if record, err = o.readBelow(filepath.FromSlash(name), content); err != nil {
		var ofPath *fs.PathError
		if errors.As(err, &ofPath) {
			err = ofPath.Err
		}
		return nil, fmt.Errorf("%q: %w", name, err)
	}
	return record, nil
}

// readBelow reads a file below the root. Whatever is no regular file might never end.
func (o Options) readBelow(name string, content Format) (any, error) {
	info, err := o.root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is no regular file")
	}
	in, err := o.root.Open(name)
	if err != nil {
		return nil, err
	}
	record, err := readSingle(content, in, info.Size())
	return record, errors.Join(err, in.Close())
}
