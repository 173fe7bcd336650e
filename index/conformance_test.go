package index_test

import (
	"testing"

	"github.com/latentdb/latentdb/index"
	"github.com/latentdb/latentdb/index/indextest"
)

func TestMain(m *testing.M) { indextest.Main(m) }

func TestFlat(t *testing.T) {
	indextest.Run(t, index.Flat, indextest.Options{Recall: 1})
}

func TestCells(t *testing.T) {
	indextest.Run(t, index.Cells, indextest.Options{Recall: 0.99, Deterministic: true})
}

func TestHNSW(t *testing.T) {
	indextest.Run(t, index.HNSW, indextest.Options{Recall: 0.99, Deterministic: true})
}

func FuzzFlat(f *testing.F) { indextest.Fuzz(f, index.Flat) }

func FuzzHNSW(f *testing.F) { indextest.Fuzz(f, index.HNSW) }

func FuzzCells(f *testing.F) { indextest.Fuzz(f, index.Cells) }
