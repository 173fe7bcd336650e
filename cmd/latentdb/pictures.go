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

	"github.com/latentdb/latentdb/cmd/latentdb/internal/client"
)

// recordWidth is how much of a record one column shows.
const recordWidth = 100

// picture decodes a record that is a base64 PNG, as the API gives images.
func picture(record any) ([]byte, bool) {
	text, ok := record.(string)
	if !ok {
		return nil, false
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, false
	}
	_, err = png.DecodeConfig(bytes.NewReader(data))
	return data, err == nil
}

// postForImages is post for a command that may have been given a directory to
// write images into, which fits a collection of images only.
func postForImages[T any](a *app, dir, collection, route string, body any, print func(T) error) question {
	answer := post(a, collection, route, body, print)
	return func(ctx context.Context, c *client.Client) error {
		if dir != "" {
			if err := holds(ctx, c, collection, "image", "-o writes images"); err != nil {
				return err
			}
		}
		return answer(ctx, c)
	}
}

// holds refuses a collection whose records are of another kind than a flag is for.
func holds(ctx context.Context, c *client.Client, collection, kind, flag string) error {
	var info collectionInfo
	if err := c.Do(ctx, http.MethodGet, client.Collection(collection), nil, &info); err != nil {
		return err
	}
	if info.kind() != kind {
		return usagef("%s, and the records of %s are of kind %s", flag, collection, info.kind())
	}
	return nil
}

// showRecord is a record in one column. A picture is written into dir, if there
// is one, and named.
func showRecord(record any, dir, name string) (string, error) {
	data, ok := picture(record)
	switch {
	case !ok:
		return brief(record, recordWidth), nil
	case dir == "":
		return fmt.Sprintf("image of %d bytes (-o DIR writes it)", len(data)), nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	// An id is any text: escaped, it names a file in this directory and no other.
	file := filepath.Join(dir, url.PathEscape(name)+".png")
	return file, os.WriteFile(file, data, 0o644)
}

// recordName names the i-th of records that have no id.
func recordName(prefix string, i int) string { return fmt.Sprintf("%s-%04d", prefix, i+1) }
