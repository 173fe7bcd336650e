package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/latentdb/latentdb/cmd/latentdb/internal/client"
)

// agree refuses flags that say of a new collection what the one that is there is not.
func (im *importer) agree(ctx context.Context) error {
	var info collectionInfo
	err := im.client.Do(ctx, http.MethodGet, client.Collection(im.name), nil, &info)
	if client.IsStatus(err, http.StatusNotFound) {
		return nil
	}
	if err == nil {
		err = im.flags.agreeWith(im.name, info)
	}
	return err
}

// agreeWith compares the flags for a new collection with one that is there. What they
// leave open, by absence or by 0, agrees with all, and so does what its kind has not: the
// command that made a collection is never refused.
func (f *importFlags) agreeWith(name string, i collectionInfo) error {
	var spec map[string]any
	if err := json.Unmarshal(i.Latent.Source, &spec); err != nil {
		return err
	}
	c := &contradictions{collection: name, given: f.given}
	c.compare("kind", f.kind, spec["kind"])
	sides := []map[string]any{spec}
	if spec["kind"] == "pair" {
		sides = nil
		for _, side := range pairSides {
			of, _ := spec[side].(map[string]any)
			sides = append(sides, of)
		}
	}
	c.comparePair(f, sides)
	for _, of := range sides {
		c.compareSource(f, of)
	}
	dim, _ := parseDim(f.dim)
	c.compare("distance", f.distance, i.Config.Params.Vectors.Distance)
	c.compare("dim", dim, i.Latent.Dim)
	c.compare("encoder", f.encoder, i.Latent.Encoder)
	c.compare("engine", f.engine, i.Latent.Engine)
	c.compare("rows", f.rows, i.Latent.Rows)
	c.compare("recall", f.recall, i.Latent.Recall)
	c.compare("drop-originals", f.drop, i.dropsOriginals())
	watched := ""
	if i.Latent.Watch != nil {
		watched = i.Latent.Watch.Field
	}
	c.compare("watch", f.watch, watched)
	return errors.Join(c.found...)
}

// contradictions are the flags that a collection is otherwise than.
type contradictions struct {
	collection string
	given      func(flag string) bool
	found      []error
}

// compare notes a flag that was given and is not what the collection has.
func (c *contradictions) compare(flag string, told, has any) {
	switch {
	case !c.given(flag) || told == nil || told == "" || told == 0 || told == 0.:
		return
	case has == nil && told == false:
		return
	case has == nil || has == "":
		has = "none"
	}
	if fmt.Sprint(told) != fmt.Sprint(has) {
		c.found = append(c.found, usagef("--%s %v contradicts collection %s, which has %v", flag, told, c.collection, has))
	}
}

// comparePair notes kinds of sides that are not those of the collection.
func (c *contradictions) comparePair(f *importFlags, sides []map[string]any) {
	var kinds []string
	for _, side := range sides {
		kinds = append(kinds, fmt.Sprint(side["kind"]))
	}
	has := strings.Join(kinds, ",")
	switch {
	case len(f.pair) > 0 && c.given("pair"):
		c.compare("pair", strings.Join(f.pair, ","), has)
	case f.parallel && len(kinds) < 2:
		c.found = append(c.found, usagef("--parallel makes pairs, and contradicts collection %s, which has %s", c.collection, has))
	}
}

// compareSource compares what a source of images or recordings has.
func (c *contradictions) compareSource(f *importFlags, spec map[string]any) {
	switch spec["kind"] {
	case "image":
		c.compare("width", f.width, spec["width"])
		c.compare("height", f.height, spec["height"])
		c.compare("channels", f.channels, spec["channels"])
		c.compare("likeness", f.likeness, spec["likeness"])
		c.compare("mirrored", f.mirrored, spec["mirrored"])
	case "audio":
		c.compare("rate", f.audio.rate, spec["rate"])
		c.compare("window", f.audio.window, spec["window"])
		hop := spec["hop"]
		if window, cut := spec["window"].(float64); cut && hop == nil {
			hop = window / 2
		}
		c.compare("hop", f.audio.hop, hop)
		c.compare("keep-silence", f.audio.keepSilence, spec["keep_silence"])
	}
}
