package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"maps"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/latentdb/latentdb/cmd/latentdb/internal/client"
	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store"
	"github.com/latentdb/latentdb/store/bulk"
)

const (
	defaultBatch = 500
	maxBatch     = 10_000
	// folderSide is the size images of all sizes are brought to when not told.
	folderSide = 32
)

// importFlags are an import as it is typed.
type importFlags struct {
	file   bulk.Options
	format string

	// What the collection is made with if it is not there.
	kind                    string
	pair                    []string // kinds of the sides of a pair
	parallel                bool     // the files are the sides of pairs, two by two
	width, height, channels int
	likeness                string
	mirrored                bool
	audio                   audioFlags
	distance, dim           string
	encoder, engine, rows   string
	recall                  float64
	drop                    bool
	watch                   string

	batch int
	// most is how many records may fail, -1 for any number.
	most        int
	resume, dry bool
	firstID     uint64
	fit         bool
	// given tells whether a flag was typed.
	given func(flag string) bool
}

func (a *app) importCommand() *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:   "import COLLECTION FILE|FOLDER…",
		Short: "Read points from files, making the collection if it is not there",
		Long: `Read points from files into a collection, which is made if it is not there. CSV,
JSON lines and Parquet make a table, unless a column is the record itself; NumPy
arrays (.npy, .npz), .fvecs and .bvecs make vectors, IDX files (MNIST) images, and
the lines of a .txt texts. Of a folder, a .zip or a .tar.gz, pictures, recordings and
texts are records each, or else all files are read that hold many. Single files may
be compressed with gzip.

A record that cannot be taken is listed, and the others are imported; the exit
code is 1 if none could be, or if more failed than --max-failed.

Of a collection that is there, flags for a new one may only say what it is; what
contradicts it is refused, with exit code 2, before anything is read.

--dry-run shows what the first records would make, and imports nothing. An import
that was interrupted goes on where it stopped with the same command and --resume,
which leaves alone what has the id of a record already.`,
		Example: `  latentdb import people people.csv --id-column email --payload-columns notes --fit
  latentdb import texts embeddings.npy --distance cosine
  latentdb import digits t10k-images-idx3-ubyte.gz --labels t10k-labels-idx1-ubyte.gz
  latentdb import photos ./photos --width 48 --height 48
  latentdb import talks ./talks --window 2
  latentdb import captions pairs.csv --pair text,text --text-columns left,right
  latentdb import corpus news.en.gz news.de.gz --parallel
  latentdb import shop items.csv --pair image,text --left-column photo --right-column title --file-columns photo
  latentdb import more photos.zip --width 48 --height 48 --dry-run
  latentdb import messages sms.csv --kind text --record-column text
  latentdb import wiki wiki.parquet --record-column vector --resume`,
		Args: cobra.MinimumNArgs(2),
	}
	cmd.RunE = a.does(func(ctx context.Context, args []string) error {
		f.given = cmd.Flags().Changed
		if err := errors.Join(f.check(), f.checkParallel(args[1:])); err != nil {
			return err
		}
		// A misspelled name must not leave an empty database behind.
		for _, path := range args[1:] {
			if _, err := os.Stat(path); err != nil {
				return err
			}
		}
		if f.dry {
			return a.dryRun(ctx, args[0], args[1:], f)
		}
		return a.connect(func(c *client.Client) error {
			return a.importFiles(ctx, c, args[0], args[1:], f)
		})
	})
	f.register(cmd.Flags())
	cmd.MarkFlagsMutuallyExclusive("first-id", "id-column")
	cmd.MarkFlagsMutuallyExclusive("parallel", "left-column")
	a.targetFlags(cmd)
	a.jsonFlag(cmd)
	return cmd
}

func (f *importFlags) register(flags *pflag.FlagSet) {
	registerColumns(flags, &f.file, &f.format)
	flags.StringVar(&f.file.Labels, "labels", "", `IDX or NumPy file with one number per record, for the payload's "label"; of an .npz, an array in it`)
	flags.Uint64Var(&f.firstID, "first-id", 0, "number of the first point where the files name no ids")
	flags.IntVar(&f.batch, "batch", defaultBatch, "points per transaction; in a new collection the first decide what is open, such as a table's columns")
	flags.BoolVar(&f.dry, "dry-run", false, "show what the first records would make of the collection, and import nothing")
	flags.BoolVar(&f.resume, "resume", false, "go on with an import that was interrupted: leave alone what has a record's id already")
	flags.IntVar(&f.most, "max-failed", -1, "stop, with exit code 1, when more records than this have failed (default: any number may)")
	flags.BoolVar(&f.fit, "fit", false, "fit the collection afterwards")

	flags.StringSliceVar(&f.pair, "pair", nil, "new collection of pairs: kinds of the columns or keys left and right, each text, image, vector, table or audio")
	flags.BoolVar(&f.parallel, "parallel", false, "two files, whose lines or rows at the same place are a pair (default: --pair text,text)")
	flags.StringVar(&f.kind, "kind", "", "new collection: vector, image, table, text or audio (default: the file tells)")
	flags.IntVar(&f.width, "width", 0, "new image collection: width images are brought to (default: that of an array's images, or 32)")
	flags.IntVar(&f.height, "height", 0, "new image collection: height images are brought to")
	flags.IntVar(&f.channels, "channels", 0, "new image collection: 1 (grey) or 3 (default: by the first images)")
	flags.StringVar(&f.likeness, "likeness", "", "new image collection: what near latents have in common, pixels or shape (default: each fit decides)")
	flags.BoolVar(&f.mirrored, "mirrored", false, "new image collection: a picture and its mirror image may be duplicates")
	f.audio.register(flags)
	flags.StringVar(&f.distance, "distance", "", "new vector collection: euclid, cosine, dot or manhattan, also as --metric (default euclid)")
	flags.StringVar(&f.dim, "dim", "", `new collection: latent size, a number or "auto"`)
	flags.StringVar(&f.encoder, "encoder", "", "new collection: auto, deep, linear or pca")
	flags.StringVar(&f.engine, "engine", "", "new collection: auto, hnsw, cells, flat or coder")
	flags.StringVar(&f.rows, "rows", "", "new collection: where rows are that candidates are scored by: auto, ram, half or disk")
	flags.BoolVar(&f.drop, "drop-originals", false, "new collection: once it is fitted, which is done once, keep of each record only its latent")
	flags.StringVar(&f.watch, "watch", "", "new collection: payload key under which each point is marked with how strange it is as it is written")
	flags.Var((*share)(&f.recall), "recall", "new collection: share of the true neighbours that answers aim at (default 0.95)")
	flags.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "metric" {
			name = "distance"
		}
		return pflag.NormalizedName(name)
	})
}

// registerColumns are the flags that say what of a file is a record.
func registerColumns(flags *pflag.FlagSet, file *bulk.Options, format *string) {
	flags.StringVar(format, "format", "", listed(bulk.Formats())+" (default: the name tells); of a folder or an archive, what to read in it")
	flags.StringVar(&file.ID, "id-column", "", "column or key that holds the ids (default: \"id\" if there is one; else points are numbered)")
	flags.StringSliceVar(&file.Payload, "payload-columns", nil, "columns or keys that go to the payload instead of the record")
	flags.StringVar(&file.Record, "record-column", "", "column or key that is the record itself: a text, a vector, an image; all others go to the payload")
	flags.StringVar(&file.Left, "left-column", "", "column or key that is the left side of a pair, where it is not named left; all others go to the payload")
	flags.StringVar(&file.Right, "right-column", "", "column or key that is the right side of a pair")
	flags.StringSliceVar(&file.Files, "file-columns", nil, "columns or keys of the record that hold paths of files, below the folder of the CSV or JSON lines: what is in the file is the value")
	flags.StringVar(&file.Array, "array", "", "array of an .npz that holds the records (default: the only one of two or three dimensions)")
	flags.StringSliceVar(&file.Text, "text-columns", nil, "columns of a CSV that are text whatever they look like")
}

// metrics are the distances by REST's names.
var metrics = []string{"Euclid", "Cosine", "Dot", "Manhattan"}

// check finds what is wrong with the flags by themselves.
func (f *importFlags) check() error {
	_, badDim := parseDim(f.dim)
	_, badEncoder := parseEncoder(f.encoder)
	f.file.Format = bulk.Format(f.format)
	var badDistance error
	if f.distance != "" {
		badDistance = usagef("--distance %s is not one of %s", f.distance, strings.ToLower(strings.Join(metrics, ", ")))
		for _, name := range metrics {
			if strings.EqualFold(name, f.distance) {
				f.distance, badDistance = name, nil
			}
		}
	}
	return errors.Join(badDim, badEncoder, badDistance, f.checkPair(),
		oneOf("format", f.format, texts(bulk.Formats())...),
		oneOf("kind", f.kind, "vector", "image", "table", "text", "audio"),
		oneOf("engine", f.engine, store.EngineAuto, store.EngineHNSW, store.EngineCells, store.EngineFlat, store.EngineCoder),
		oneOf("rows", f.rows, store.RowsAuto, store.RowsMemory, store.RowsHalf, store.RowsDisk),
		inRange("first-id", f.firstID, 0, bulk.MaxFirstID),
		inRange("batch", f.batch, 1, maxBatch),
		inRange("width", f.width, 0, source.MaxRowSide),
		inRange("height", f.height, 0, source.MaxRowSide),
		inRange("channels", f.channels, 0, 3),
		oneOf("likeness", f.likeness, string(source.LikePixels), string(source.LikeShape)),
		f.audio.check(),
	)
}

// latentBlock is what a collection is made with.
type latentBlock struct {
	Source   map[string]any `json:"source"`
	Distance string         `json:"distance,omitempty"`
	Dim      any            `json:"dim,omitempty"`
	Encoder  embed.Encoder  `json:"encoder,omitempty"`
	Engine   string         `json:"engine,omitempty"`
	Rows     string         `json:"rows,omitempty"`
	// KeepOriginals is false or absent.
	KeepOriginals *bool             `json:"keep_originals,omitempty"`
	Watch         map[string]string `json:"watch,omitempty"`
	Recall        float64           `json:"recall,omitempty"`
}

// held is how many points the collection holds; 0 if it is not there.
func (im *importer) held(ctx context.Context) (points int, there bool, err error) {
	var found struct {
		Points int `json:"points_count"`
	}
	err = im.client.Do(ctx, http.MethodGet, client.Collection(im.name), nil, &found)
	if client.IsStatus(err, http.StatusNotFound) {
		return 0, false, nil
	}
	return found.Points, err == nil, err
}

// ensureCollection makes the collection if it is not there, for records like
// the first, and tells whether it was made.
func (im *importer) ensureCollection(ctx context.Context, first bulk.Row) (made bool, err error) {
	if _, there, err := im.held(ctx); there || err != nil {
		return false, err
	}
	f := im.flags
	spec, err := f.sourceFor(first, im.format)
	if err != nil {
		return false, err
	}
	block := latentBlock{Source: spec, Distance: f.distance, Encoder: embed.Encoder(f.encoder), Engine: f.engine, Rows: f.rows, Recall: f.recall}
	block.Dim, _ = parseDim(f.dim)
	if f.watch != "" {
		block.Watch = map[string]string{"field": f.watch}
	}
	if f.drop {
		block.KeepOriginals = new(bool)
	}
	return true, im.client.Do(ctx, http.MethodPut, client.Collection(im.name), map[string]any{"latent": block}, nil)
}

// sourceFor is the source that takes records like the first.
func (f *importFlags) sourceFor(first bulk.Row, format bulk.Format) (map[string]any, error) {
	if len(f.pair) > 0 {
		return f.pairSource(first.Record)
	}
	kind := f.kind
	if kind == "" {
		var err error
		if kind, err = kindOf(first, format); err != nil {
			return nil, err
		}
	}
	return f.sourceOf(kind, first.Record)
}

// sourceOf is a source of a kind that takes records like the first.
func (f *importFlags) sourceOf(kind string, first any) (map[string]any, error) {
	spec := map[string]any{"kind": kind}
	if kind == "audio" {
		maps.Copy(spec, f.audio.fields())
	}
	if kind != "image" {
		return spec, nil
	}
	width, height, err := f.size(first)
	if err != nil {
		return nil, err
	}
	spec["width"], spec["height"] = width, height
	if f.channels > 0 {
		spec["channels"] = f.channels
	}
	if f.likeness != "" {
		spec["likeness"] = f.likeness
	}
	if f.mirrored {
		spec["mirrored"] = true
	}
	return spec, nil
}

// size is what images like the first are brought to.
func (f *importFlags) size(first any) (width, height int, err error) {
	width, height = folderSide, folderSide
	switch picture := first.(type) {
	case image.Image:
		width, height = picture.Bounds().Dx(), picture.Bounds().Dy()
	case string:
		// An export does not tell the size its collection had.
		if f.width == 0 || f.height == 0 {
			return 0, 0, errors.New("images in JSON lines need the size they are brought to: give --width and --height")
		}
	}
	if f.width > 0 {
		width = f.width
	}
	if f.height > 0 {
		height = f.height
	}
	return width, height, nil
}

// kindOf is the kind of source that a record of a file speaks for.
func kindOf(first bulk.Row, format bulk.Format) (string, error) {
	if first.Vector != nil {
		return "vector", nil
	}
	if format == bulk.Text || format == bulk.Texts {
		return "text", nil
	}
	switch record := first.Record.(type) {
	case map[string]any:
		return "table", nil
	case []byte:
		if format == bulk.Audio || bulk.IsAudio(record) {
			return "audio", nil
		}
		return "image", nil
	case image.Image:
		return "image", nil
	}
	return "", fmt.Errorf("line %d does not tell what kind of record it is: give --kind", first.Line)
}

func texts(formats []bulk.Format) []string {
	out := make([]string, len(formats))
	for i, f := range formats {
		out[i] = string(f)
	}
	return out
}

// listed are formats as a sentence has them.
func listed(formats []bulk.Format) string {
	names := texts(formats)
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
