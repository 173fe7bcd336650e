package main

import (
	"context"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/latentdb/latentdb/cmd/latentdb/internal/client"
	"github.com/latentdb/latentdb/cmd/latentdb/internal/progress"
	"github.com/latentdb/latentdb/store"
)

//go:embed report.html
var reportPage string

// reportFlags are what a report shows.
type reportFlags struct {
	out, colour string
	limit       int
}

func (a *app) reportCommand() *cobra.Command {
	var f reportFlags
	cmd := &cobra.Command{
		Use:   "report COLLECTION",
		Short: "Write what was learned, a map, strange points, duplicates and samples as one HTML page",
		Long: `Write one HTML page, which needs nothing besides, of a fitted collection: what was
learned beside PCA, the points on a map, the strangest of them and why, duplicates,
and records that are made up.`,
		Example: `  latentdb report digits -o report.html --colour label`,
		Args:    cobra.ExactArgs(1),
		RunE: a.on(func(args []string) (question, error) {
			return func(ctx context.Context, c *client.Client) error { return a.writeReport(ctx, c, args[0], f) },
				inRange("limit", f.limit, 1, 1000)
		}),
	}
	cmd.Flags().StringVarP(&f.out, "out", "o", "report.html", "file that is written")
	cmd.Flags().StringVar(&f.colour, "colour", "", "payload key whose values colour the map")
	cmd.Flags().IntVar(&f.limit, "limit", 12, "how many points, groups and samples of each kind")
	a.targetFlags(cmd)
	return cmd
}

// report is what the page shows.
type report struct {
	Name       string
	Info       collectionInfo
	Quality    store.Report
	Map        picture
	Outliers   []shown
	Cut        float64
	Threshold  float64
	Groups     [][]shown
	GroupCount int
	Samples    []shown
	Privacy    store.Privacy
}

// shown is a record on the page: a picture, or its text.
type shown struct {
	Title, Text string
	Picture     template.URL
}

func (a *app) writeReport(ctx context.Context, c *client.Client, name string, f reportFlags) error {
	r := report{Name: name}
	var m store.Map
	var outliers store.Outliers
	var duplicates store.Duplicates
	var samples store.Samples
	limit := map[string]int{"limit": f.limit}
	calls := []struct {
		what, method, path string
		body, into         any
	}{
		{"collection", http.MethodGet, client.Collection(name), nil, &r.Info},
		{"quality", http.MethodGet, client.Collection(name, "quality"), nil, &r.Quality},
		{"map", http.MethodGet, client.Collection(name, "map"), nil, &m},
		{"outliers", http.MethodPost, client.Collection(name, "points/outliers"), limit, &outliers},
		{"duplicates", http.MethodPost, client.Collection(name, "points/duplicates"), limit, &duplicates},
		{"samples", http.MethodPost, client.Collection(name, "points/sample"), map[string]int{"n": f.limit, "seed": 1}, &samples},
	}
	bar := progress.Start(a.stderr, "report", int64(len(calls)))
	defer bar.Clear()
	for i, call := range calls {
		bar.Step(int64(i), call.what)
		err := follow(ctx, c, call.method, call.path, call.body, call.into, func(p store.Progress) {
			bar.Set(int64(i), call.what+": "+noteOf(p))
		})
		if err != nil {
			return err
		}
	}
	r.Map = drawMap(m, f.colour)
	r.Cut, r.Threshold, r.GroupCount, r.Privacy = outliers.SuggestedCut, duplicates.Threshold, len(duplicates.Groups), samples.Privacy
	var err error
	if r.Outliers, r.Groups, err = showPoints(ctx, c, name, outliers, duplicates); err != nil {
		return err
	}
	for i, record := range append(samples.Records, vectorsAsRecords(samples.Vectors)...) {
		r.Samples = append(r.Samples, showOn(recordName("sample", i), record))
	}
	return writePage(f.out, r)
}

func vectorsAsRecords(vectors [][]float32) (out []any) {
	for _, v := range vectors {
		out = append(out, v)
	}
	return out
}

// showPoints fetches the records of strange points and of the groups' first few.
func showPoints(ctx context.Context, c *client.Client, name string, o store.Outliers, d store.Duplicates) (strange []shown, groups [][]shown, err error) {
	const most = 6 // of a group
	var ids []any
	for _, p := range o.Outliers {
		ids = append(ids, p.ID)
	}
	for _, g := range d.Groups {
		for _, id := range g.IDs[:min(most, len(g.IDs))] {
			ids = append(ids, id)
		}
	}
	records, err := fetchRecords(ctx, c, name, ids)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range o.Outliers {
		s := showOn(p.ID.String(), records[p.ID])
		s.Title = fmt.Sprintf("%s: %s, because of %s", p.ID, short(p.Score), partsText(p.Parts))
		strange = append(strange, s)
	}
	for _, g := range d.Groups {
		var group []shown
		for _, id := range g.IDs[:min(most, len(g.IDs))] {
			group = append(group, showOn(id.String(), records[id]))
		}
		groups = append(groups, group)
	}
	return strange, groups, nil
}

func fetchRecords(ctx context.Context, c *client.Client, name string, ids []any) (map[store.ID]any, error) {
	out := make(map[store.ID]any)
	if len(ids) == 0 {
		return out, nil
	}
	var points []struct {
		ID     store.ID `json:"id"`
		Record any      `json:"record"`
		Vector any      `json:"vector"`
	}
	err := c.Do(ctx, http.MethodPost, client.Collection(name, "points"),
		map[string]any{"ids": ids, "with_record": true, "with_vector": true, "with_payload": false}, &points)
	for _, p := range points {
		if out[p.ID] = p.Record; p.Record == nil {
			out[p.ID] = p.Vector
		}
	}
	return out, err
}

func showOn(title string, record any) shown {
	s := shown{Title: title, Text: brief(record, 4*recordWidth)}
	if f, ok := asFile(record); ok && f.kind == "image" {
		s.Picture, s.Text = template.URL("data:image/png;base64,"+base64.StdEncoding.EncodeToString(f.data)), "" // asFile read it as a PNG
	}
	return s
}

// picture is the map as the page draws it.
type picture struct {
	Width, Height float64
	Dots          []dot
	Legend        []legend
}

type dot struct {
	X, Y          float64
	Colour, Title string
}

type legend struct{ Colour, Value string }

// palette colours values, the most frequent first (Okabe and Ito's, which most people
// tell apart), and grey stands for all others.
var palette = []string{"#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#000000", "#7f3c8d", "#80ba5a"}

const otherColour = "#aaaaaa"

func drawMap(m store.Map, key string) picture {
	p := picture{Width: 900, Height: 600}
	const margin = 10
	x := scaleOf(m.Points, margin, p.Width-margin, func(q store.MapPoint) float32 { return q.X })
	y := scaleOf(m.Points, p.Height-margin, margin, func(q store.MapPoint) float32 { return q.Y })
	colours := coloursOf(m.Points, key, &p)
	for _, q := range m.Points {
		d := dot{X: x(q.X), Y: y(q.Y), Colour: palette[0], Title: q.ID.String()}
		if key != "" {
			value := fmt.Sprint(q.Payload[key])
			d.Title += ": " + value
			if d.Colour = colours[value]; d.Colour == "" {
				d.Colour = otherColour
			}
		}
		p.Dots = append(p.Dots, d)
	}
	return p
}

// scaleOf maps the range of a coordinate to that of the page.
func scaleOf(points []store.MapPoint, from, to float64, of func(store.MapPoint) float32) func(float32) float64 {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, p := range points {
		lo, hi = min(lo, float64(of(p))), max(hi, float64(of(p)))
	}
	return func(v float32) float64 {
		if hi <= lo {
			return (from + to) / 2
		}
		return math.Round(10*(from+(float64(v)-lo)/(hi-lo)*(to-from))) / 10
	}
}

func coloursOf(points []store.MapPoint, key string, p *picture) map[string]string {
	count := make(map[string]int)
	if key != "" {
		for _, q := range points {
			count[fmt.Sprint(q.Payload[key])]++
		}
	}
	values := make([]string, 0, len(count))
	for v := range count {
		values = append(values, v)
	}
	slices.SortFunc(values, func(a, b string) int {
		if count[a] != count[b] {
			return count[b] - count[a]
		}
		if a < b {
			return -1
		}
		return 1
	})
	out := make(map[string]string)
	for i, v := range values[:min(len(values), len(palette))] {
		out[v] = palette[i]
		p.Legend = append(p.Legend, legend{palette[i], v})
	}
	if len(values) > len(palette) {
		p.Legend = append(p.Legend, legend{otherColour, fmt.Sprintf("%d others", len(values)-len(palette))})
	}
	return out
}

// writePage writes the page beside its place and renames it.
func writePage(path string, r report) error {
	page, err := template.New("report").Funcs(template.FuncMap{"short": short, "percent": percent}).Parse(reportPage)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".report-*")
	if err != nil {
		return err
	}
	err = errors.Join(page.Execute(f, r), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
