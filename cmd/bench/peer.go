package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
)

//go:embed peers/peers.py
var trainPeers []byte

//go:embed peers/search_peers.py
var searchPeers []byte

//go:embed peers/answers_peers.py
var answersPeers []byte

//go:embed peers/sources_peers.py
var sourcesPeers []byte

// peer is a Python process that runs what we are compared with, one request at
// a time, on one thread.
type peer struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// startPeer starts a script of peers; errNoPeer if there is no Python for it.
func (b *bench) startPeer(ctx context.Context, script []byte) (*peer, error) {
	if b.python == "" {
		return nil, errNoPeer
	}
	p := &peer{cmd: exec.CommandContext(ctx, b.python, "-c", string(script))}
	p.cmd.Stderr = os.Stderr
	p.cmd.Env = append(os.Environ(), "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", "MKL_NUM_THREADS=1")
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	return p, p.cmd.Start()
}

// ask sends a request and decodes the answer.
func (p *peer) ask(request, answer any) error {
	line, err := json.Marshal(request)
	if err != nil {
		return err
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return err
	}
	reply, err := p.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("the peer ended: %w", err)
	}
	return json.NewDecoder(bytes.NewReader(reply)).Decode(answer)
}

func (p *peer) stop() error {
	if err := p.in.Close(); err != nil {
		return err
	}
	return p.cmd.Wait()
}
