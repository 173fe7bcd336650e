package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/latentdb/latentdb/embed/source"
)

// Name is the collection's name.
func (c *Collection) Name() string { return c.name }

// Config is the collection's configuration, defaults filled in. What the
// source leaves open is decided by the first records.
func (c *Collection) Config() Config { return *c.config.Load() }

// Info describes the collection as it is now.
func (c *Collection) Info(ctx context.Context) (Info, error) {
	if err := ctx.Err(); err != nil {
		return Info{}, err
	}
	if c.stopped() {
		return Info{}, ErrClosed
	}
	gen := c.active.Load()
	info := Info{
		Name: c.name, Config: c.Config(), Points: int(c.points.Load()), Generation: gen.number,
		Seq: c.published.Load(), Fit: c.FitStatus(), Filling: c.filling.Load() > 0, Shedding: c.shedding.going(),
		PayloadIndexes: c.payloadIndexes.infos(),
	}
	if gen.fitted != nil {
		info.Features = gen.fitted.Width()
	} else if v, ok := info.Config.Source.(source.Vector); ok {
		info.Features = v.Size
	}
	if gen.index != nil {
		info.Indexed, info.RAMBytes = gen.index.Len(), gen.memory()
	}
	info.RAMBytes += c.ids.bytes() + c.lexicon.bytes()
	info.Indexed = min(info.Indexed, info.Points)
	var err error
	info.DiskBytes, err = dirBytes(c.dir)
	return info, err
}

// dirBytes is the size of the files below a directory.
func dirBytes(dir string) (int64, error) {
	var total int64
	err := filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if errors.Is(err, os.ErrNotExist) {
				return nil // a file replaced meanwhile
			}
			return err
		}
		info, err := d.Info()
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err == nil {
			total += info.Size()
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	return total, nil
}
