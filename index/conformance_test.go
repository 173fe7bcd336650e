package index_test

import (
	"testing"

	"github.com/latentdb/latentdb/index"
	"github.com/latentdb/latentdb/index/indextest"
)

func TestMain(m *testing.M) { indextest.Main(m) }

var (
	exact = indextest.Options{Recall: 1, Codes: true}
	near  = indextest.Options{Recall: 0.99, Deterministic: true, Codes: true}
)

func TestFlat(t *testing.T) {
	indextest.Run(t, index.Flat, exact)
}

func TestCells(t *testing.T) {
	indextest.Run(t, index.Cells, near)
}

func TestHNSW(t *testing.T) {
	indextest.Run(t, index.HNSW, near)
}

func FuzzFlat(f *testing.F) { indextest.Fuzz(f, index.Flat, exact) }

func FuzzHNSW(f *testing.F) { indextest.Fuzz(f, index.HNSW, near) }

func FuzzCells(f *testing.F) { indextest.Fuzz(f, index.Cells, near) }
