package main

import (
	"context"
	"fmt"
)

// both is a floor or a goal of either target.
func both(at95, at99 float64) [2]*float64 { return [2]*float64{&at95, &at99} }

// digitSpeed: rows may be in memory, or stay on disk.
func (s *searching) digitSpeed(ctx context.Context) error {
	const inMemory, onDisk = 850, 200
	a, err := s.arena(ctx, "mnist")
	if err != nil {
		return err
	}
	us, them := make([]fastest, 2), make([]fastest, 1)
	if a != nil {
		if us, them, err = a.race(ctx, []float64{inMemory, onDisk}, hnswlib); err != nil {
			return err
		}
	}
	figures := speeds("search.1", "ab", "MNIST", us[0], them[0], both(4, 4), both(7, 7))
	figures = append(figures, s.memory("search.1c", "MNIST", us[0], inMemory))
	figures = append(figures, speeds("search.1", "de", "MNIST, rows on disk", us[1], them[0], both(2.5, 2.5), [2]*float64{})...)
	s.addAll(append(figures, s.memory("search.1f", "MNIST, rows on disk", us[1], onDisk)))
	return nil
}

func (s *searching) wordSpeed(ctx context.Context) error {
	const most = 480
	a, err := s.arena(ctx, "words")
	if err != nil {
		return err
	}
	us, them := make([]fastest, 1), make([]fastest, 1)
	if a != nil {
		if us, them, err = a.race(ctx, []float64{most}, hnswlib); err != nil {
			return err
		}
	}
	figures := speeds("search.2", "ab", "100,000 words", us[0], them[0], both(3, 3), both(4.5, 5))
	s.addAll(append(figures, s.memory("search.2c", "100,000 words", us[0], most)))
	return nil
}

func (s *searching) millionSpeed(ctx context.Context) error {
	const most = 300
	a, err := s.arena(ctx, "million")
	if err != nil {
		return err
	}
	us, them := make([]fastest, 1), make([]fastest, 1)
	build := figure{Name: "search.3c", What: "1,000,000 x 32: CPU seconds of building, beside hnswlib", Floor: ptr(.75), Goal: ptr(.55), Better: lower}
	if a != nil {
		if us, them, err = a.race(ctx, []float64{most}, hnswlib); err != nil {
			return err
		}
		if c := us[0][0]; c != nil && c.seconds > 0 {
			build.Ours = &c.seconds
		}
		if c := them[0][0]; c != nil && c.seconds > 0 {
			build.Peer = &c.seconds
		}
	}
	figures := speeds("search.3", "ab", "1,000,000 x 32", us[0], them[0], both(1.6, 2), both(2.2, 3))
	s.addAll(append(figures, build, s.memory("search.3d", "1,000,000 x 32", us[0], most)))
	return nil
}

// smallSpeed: the embeddings of images have floors, the smaller sets are reported.
func (s *searching) smallSpeed(ctx context.Context) error {
	for i, name := range []string{"cifar", "openai", "bert"} {
		a, err := s.arena(ctx, name)
		if err != nil {
			return err
		}
		us, them := make([]fastest, 1), make([]fastest, 1)
		if a != nil {
			if us, them, err = a.race(ctx, []float64{unbounded}, hnswlib); err != nil {
				return err
			}
		}
		var floors, goals [2]*float64
		if i == 0 {
			floors, goals = both(1, 1), both(3, 3)
		}
		s.addAll(speeds("search.4", "abcdef"[2*i:], name, us[0], them[0], floors, goals))
	}
	return nil
}

// others sets ours beside each of the other libraries, and the best of them.
func (s *searching) others(ctx context.Context) error {
	names := []string{"faiss", "svs", "scann", "usearch"}
	letter := 0
	next := func() string { letter++; return string(rune('a' + letter - 1)) }
	for _, set := range []string{"mnist", "words"} {
		a, err := s.arena(ctx, set)
		if err != nil {
			return err
		}
		us, them := make([]fastest, 1), make([]fastest, len(names))
		if a != nil {
			if us, them, err = a.race(ctx, []float64{unbounded}, names...); err != nil {
				return err
			}
		}
		for i, target := range targets {
			most := figure{What: fmt.Sprintf("%s at %.2f, beside the best of them", set, target), Floor: ptr(.7), Goal: ptr(1.0), Better: higher, Ours: us[0].rate(i)}
			for j, name := range names {
				f := figure{Name: "search.5" + next(), What: fmt.Sprintf("%s at %.2f, beside %s", set, target, name), Better: higher,
					Ours: us[0].rate(i), Peer: them[j].rate(i)}
				if f.Peer != nil && *f.Peer > deref(most.Peer) {
					most.Peer = f.Peer
				}
				s.add(f)
			}
			most.Name = "search.5" + next()
			s.add(most)
		}
	}
	return nil
}

func (b *bench) addAll(figures []figure) {
	for _, f := range figures {
		b.add(f)
	}
}
