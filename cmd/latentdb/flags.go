package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// maxEpochs is the most passes a fit may be asked for.
const maxEpochs = 1000

// noneEmpty refuses an argument or the text of a flag that is there but empty, as
// a shell gives a variable that is not set: it must not pass for one not given.
func noneEmpty(cmd *cobra.Command, args []string) error {
	names := strings.Fields(cmd.Use)[1:]
	for i, arg := range args {
		if arg == "" {
			return usagef("%s is empty", strings.Trim(names[min(i, len(names)-1)], "[](…"))
		}
	}
	var err error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Value.Type() == "string" && f.Value.String() == "" {
			err = usagef("--%s is empty", f.Name)
		}
	})
	return err
}

// inRange refuses the value of a numeric flag that is out of range.
func inRange[T int | uint64 | float64](flag string, value, least, most T) error {
	// Written so that NaN is refused.
	if !(value >= least && value <= most) {
		return usagef("--%s is %v; it must be %v to %v", flag, value, least, most)
	}
	return nil
}

// share is the value of a flag that is above 0 and at most 1; 0 stands for a
// flag that is not given.
type share float64

// Set implements pflag.Value.
func (s *share) Set(text string) error {
	v, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil:
		return errors.New("is not a number")
	case !(v > 0 && v <= 1):
		return fmt.Errorf("is %v; it must be above 0 and at most 1", v)
	}
	*s = share(v)
	return nil
}

// Type implements pflag.Value.
func (s *share) Type() string { return "share" }

// String implements pflag.Value.
func (s *share) String() string { return strconv.FormatFloat(float64(*s), 'g', -1, 64) }

// oneOf refuses the value of a flag that is none of the words; empty is allowed.
func oneOf(flag, value string, words ...string) error {
	if value == "" || slices.Contains(words, value) {
		return nil
	}
	return usagef("--%s %s is not one of %s", flag, value, strings.Join(words, ", "))
}
