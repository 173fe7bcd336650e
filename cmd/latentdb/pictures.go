package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"image/png"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"github.com/latentdb/latentdb/cmd/latentdb/internal/client"
)

// recordWidth is how much of a record one column shows.
const recordWidth = 100

// file is what a record that is to be seen or heard is written as.
type file struct {
	data []byte
	kind string // image or audio
}

func (f file) extension() string { return map[string]string{"image": ".png", "audio": ".wav"}[f.kind] }

// asFile decodes a record that is a base64 PNG or WAV, as the API gives images and
// recordings.
func asFile(record any) (file, bool) {
	text, ok := record.(string)
	if !ok {
		return file{}, false
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return file{}, false
	}
	if bytes.HasPrefix(data, []byte("RIFF")) {
		return file{data, "audio"}, true
	}
	_, err = png.DecodeConfig(bytes.NewReader(data))
	return file{data, "image"}, err == nil
}

// postForFiles is post for a command that may have been given a directory to
// write files into, which fits a collection of images or recordings only.
func postForFiles[T any](a *app, dir, collection, route string, body any, print func(T) error) question {
	answer := post(a, collection, route, body, print)
	return func(ctx context.Context, c *client.Client) error {
		if dir != "" {
			if err := holds(ctx, c, collection, "-o writes images and recordings", "image", "audio"); err != nil {
				return err
			}
		}
		return answer(ctx, c)
	}
}

// holds refuses a collection whose records are of another kind than a flag is for.
func holds(ctx context.Context, c *client.Client, collection, flag string, kinds ...string) error {
	var info collectionInfo
	if err := c.Do(ctx, http.MethodGet, client.Collection(collection), nil, &info); err != nil {
		return err
	}
	if !slices.Contains(kinds, info.kind()) {
		return usagef("%s, and the records of %s are of kind %s", flag, collection, info.kind())
	}
	return nil
}

// showRecord is a record in one column. One that is to be seen or heard is written into
// dir, if there is one, and named.
func showRecord(record any, dir, name string) (string, error) {
	f, ok := asFile(record)
	switch {
	case !ok:
		return brief(record, recordWidth), nil
	case dir == "":
		return fmt.Sprintf("%s of %d bytes (-o DIR writes it)", f.kind, len(f.data)), nil
	}
	return f.write(dir, name)
}

// write writes the file into a directory and gives its path.
func (f file) write(dir, name string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	// An id is any text: escaped, it names a file in this directory and no other.
	path := filepath.Join(dir, url.PathEscape(name)+f.extension())
	return path, os.WriteFile(path, f.data, 0o644)
}

// recordName names the i-th of records that have no id.
func recordName(prefix string, i int) string { return fmt.Sprintf("%s-%04d", prefix, i+1) }
