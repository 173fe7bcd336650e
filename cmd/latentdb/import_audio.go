package main

import (
	"maps"

	"github.com/spf13/pflag"

	"github.com/latentdb/latentdb/embed/source"
)

// audioFlags are what a new collection of recordings is made with.
type audioFlags struct {
	rate        int
	window, hop float64
	keepSilence bool
}

func (f *audioFlags) register(flags *pflag.FlagSet) {
	flags.IntVar(&f.rate, "rate", 0, "new audio collection: samples a second, 8000 or 16000 (default: by the first recordings)")
	flags.Float64Var(&f.window, "window", 0, "new audio collection: cut recordings into windows of so many seconds, each a point (default: whole)")
	flags.Float64Var(&f.hop, "hop", 0, "new audio collection: seconds from a window to the next (default: half a window)")
	flags.BoolVar(&f.keepSilence, "keep-silence", false, "new audio collection: silence before and after the sound counts")
}

// fields are the source's fields that were told.
func (f *audioFlags) fields() map[string]any {
	all := map[string]any{"rate": f.rate, "window": f.window, "hop": f.hop, "keep_silence": f.keepSilence}
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == 0 || v == 0. || v == false })
	return all
}

// check finds what the source would refuse.
func (f *audioFlags) check() error {
	if _, err := (source.Audio{Rate: f.rate, Window: f.window, Hop: f.hop}).Resolve(nil); err != nil {
		return usageError{err}
	}
	return nil
}
