package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/spf13/cobra"

	"github.com/latentdb/latentdb/api"
	"github.com/latentdb/latentdb/store"
)

func listenDefault() string { return envOr("LATENTDB_LISTEN", "127.0.0.1:6333") }

func (a *app) serveCommand() *cobra.Command {
	var listen string
	var insecure bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve a database over REST",
		Long: `Serve a database over REST until interrupted. An address that other machines
can reach needs a key, or --insecure.`,
		Args: cobra.NoArgs,
		RunE: a.does(func(ctx context.Context, _ []string) error {
			ln, err := a.listen(ctx, listen, insecure)
			if errors.Is(err, api.ErrExposed) {
				err = fmt.Errorf("%w, --insecure goes without", err)
			}
			if err != nil {
				return err
			}
			logger := slog.New(slog.NewTextHandler(a.stderr, nil))
			db, err := store.Open(a.data, &store.Options{Logger: logger})
			if err != nil {
				if errors.Is(err, store.ErrLocked) {
					err = fmt.Errorf("%s is open in another process", a.data)
				}
				return errors.Join(err, ln.Close())
			}
			return errors.Join(a.serve(ctx, db, listen, ln, logger), db.Close())
		}),
	}
	a.dataFlag(cmd)
	a.keyFlag(cmd)
	cmd.Flags().StringVar(&listen, "listen", listenDefault(), "HOST:PORT to listen on (env LATENTDB_LISTEN)")
	cmd.Flags().BoolVar(&insecure, "insecure", false, "allow other machines without a key")
	return cmd
}

// listen takes the address before anything slow is done.
func (a *app) listen(ctx context.Context, addr string, insecure bool) (net.Listener, error) {
	if err := api.CheckListen(addr, a.apiKey(), insecure); err != nil {
		if errors.Is(err, api.ErrExposed) {
			err = fmt.Errorf("%w: --api-key sets one", err)
		}
		return nil, usageError{err}
	}
	var lc net.ListenConfig
	return lc.Listen(ctx, "tcp", addr)
}

// serve answers on ln until ctx ends. The address is what ln was asked for.
func (a *app) serve(ctx context.Context, db *store.DB, addr string, ln net.Listener, logger *slog.Logger) error {
	server := api.New(db, api.Config{APIKey: a.apiKey(), Version: version(), Logger: logger})
	a.notef("LatentDB %s serves %s on %s", version(), db.Dir(), servedURL(addr, ln.Addr()))
	return server.Serve(ctx, ln)
}

// servedURL names the interface that was asked for and the port that was got.
func servedURL(asked string, got net.Addr) string {
	host, port, err := net.SplitHostPort(got.String())
	if err != nil {
		return "http://" + got.String()
	}
	if wanted, _, err := net.SplitHostPort(asked); err == nil && wanted != "" {
		host = wanted
	}
	return "http://" + net.JoinHostPort(host, port)
}
