package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/latentdb/latentdb/api"
	"github.com/latentdb/latentdb/cmd/latentdb/internal/client"
	"github.com/latentdb/latentdb/store"
)

const localTimeout = 30 * 24 * time.Hour

// targetFlags give a command its database: a directory or a server.
func (a *app) targetFlags(cmd *cobra.Command) {
	a.dataFlag(cmd)
	a.keyFlag(cmd)
	cmd.Flags().StringVar(&a.url, "url", "", "work on a server at this address instead of a directory")
	cmd.MarkFlagsMutuallyExclusive("data", "url")
}

// question is what a command asks of a database.
type question func(ctx context.Context, c *client.Client) error

// on wraps a command on a database that exists. What was typed is prepared, and
// found wrong, before the database is opened.
func (a *app) on(prepare func(args []string) (question, error)) func(*cobra.Command, []string) error {
	return a.does(func(ctx context.Context, args []string) error {
		ask, err := prepare(args)
		if err != nil {
			return err
		}
		if err := a.exists(); err != nil {
			return err
		}
		return a.connect(func(c *client.Client) error { return ask(ctx, c) })
	})
}

// exists refuses a directory that is not there, which opening would make.
func (a *app) exists() error {
	if a.url != "" {
		return nil
	}
	if _, err := os.Stat(a.data); err != nil {
		return fmt.Errorf("no database in %s: 'latentdb import' makes one, --data and --url name another", a.data)
	}
	return nil
}

// connect calls f with a client of the server, or of the directory opened for
// as long as f runs. A directory is spoken to through the same REST handler as
// a server, so that a command means the same in both places.
func (a *app) connect(f func(*client.Client) error) error {
	if a.url != "" {
		c, err := client.New(a.url, a.apiKey())
		if err != nil {
			return usageError{fmt.Errorf("--url: %w", err)}
		}
		return f(c)
	}
	return a.openStore(func(db *store.DB) error {
		server := api.New(db, api.Config{
			Version: version(),
			// Nobody else waits for this process, so requests take their time.
			Timeout: localTimeout,
			// What a server keeps from its clients is told to the owner of the files.
			Logger: slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		})
		return f(client.Local(server.Handler()))
	})
}

// openStore calls f with the database of the directory.
func (a *app) openStore(f func(*store.DB) error) error {
	db, err := store.Open(a.data, &store.Options{NoAutoFit: true})
	if errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("%s is open in another process; if that is a server, use --url", a.data)
	}
	if err != nil {
		return err
	}
	return errors.Join(f(db), db.Close())
}
