package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/latentdb/latentdb/cmd/latentdb/internal/client"
)

// healthTimeout is how long a server may take to say that it is ready.
const healthTimeout = 3 * time.Second

func (a *app) healthCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Tell whether a server is ready, for container checks",
		Args:  cobra.NoArgs,
		RunE: a.does(func(ctx context.Context, _ []string) error {
			if a.url == "" {
				return a.health(ctx, localURL(listenDefault()))
			}
			base, err := client.Address(a.url)
			if err != nil {
				return usageError{fmt.Errorf("--url: %w", err)}
			}
			return a.health(ctx, base)
		}),
	}
	cmd.Flags().StringVar(&a.url, "url", "", "address of the server (default: where serve listens, env LATENTDB_LISTEN)")
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) health(ctx context.Context, base string) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/readyz", nil)
	if err != nil {
		return usageError{err}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 200))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s is not ready: %s %s", base, resp.Status, text)
	}
	if a.json {
		return a.printJSON(map[string]string{"status": "ready", "url": base})
	}
	return a.printf("%s is ready\n", base)
}

// localURL is where a listen address is reached from this machine: a server
// on every interface answers on the loopback one.
func localURL(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "http://" + listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
