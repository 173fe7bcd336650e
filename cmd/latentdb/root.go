package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1 // or check found something
	exitUsage  = 2
)

// app is one run of the program: its streams and the flags many commands share.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer

	data, url, key string
	json           bool

	// ran tells that a command's own work has begun, after which an error is
	// no longer about how the command was written.
	ran bool
}

// usageError is a mistake in how a command was written, found by the command
// itself.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// run carries out one command line and gives the exit code. Results go to
// stdout, everything else to stderr.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	_, _ = fmt.Fprintf(stderr, "latentdb: %v\n", err)
	if wrong := (usageError{}); !a.ran || errors.As(err, &wrong) {
		_, _ = fmt.Fprintf(stderr, "Run '%s --help' for usage.\n", cmd.CommandPath())
		return exitUsage
	}
	return exitFailed
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "latentdb",
		Short: "A vector store that learns its own embeddings",
		Long: `LatentDB is a vector store that learns its own embeddings: give it vectors,
images or table rows, and it trains an autoencoder on them, on the CPU. Try
'latentdb demo' first.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_ = cmd.Help()
			return errors.New("a command is missing")
		},
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		a.demoCommand(), a.serveCommand(), a.importCommand(), a.exportCommand(), a.fitCommand(),
		a.searchCommand(), a.reconstructCommand(), a.outliersCommand(), a.duplicatesCommand(), a.pairsCommand(),
		a.sampleCommand(), a.predictCommand(), a.interpolateCommand(), a.encodeCommand(), a.decodeCommand(),
		a.reportCommand(), a.indexCommand(), a.infoCommand(), a.qualityCommand(), a.checkCommand(),
		a.healthCommand(), a.versionCommand(),
	)
	return root
}

// work is what a command does with its arguments.
type work func(ctx context.Context, args []string) error

// does wraps a command's work for cobra.
func (a *app) does(w work) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		a.ran = true
		if err := noneEmpty(cmd, args); err != nil {
			return err
		}
		return w(cmd.Context(), args)
	}
}

// jsonFlag gives a command that prints a result the choice of its form.
func (a *app) jsonFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&a.json, "json", false, "print the result as JSON, as the REST API gives it")
}

// dataFlag gives a command the directory it works on.
func (a *app) dataFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.data, "data", envOr("LATENTDB_DATA", "./latentdb-data"), "directory of the database (env LATENTDB_DATA)")
}

// keyFlag gives a command the key of the server. Help must not print a key
// from the environment, so it is not the flag's default.
func (a *app) keyFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.key, "api-key", "", "key of the server (env LATENTDB_API_KEY)")
}

func (a *app) apiKey() string {
	if a.key != "" {
		return a.key
	}
	return os.Getenv("LATENTDB_API_KEY")
}

func envOr(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}
