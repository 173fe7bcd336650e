package sgemm

import (
	"testing"

	"github.com/latentdb/latentdb/embed/internal/seeded"
)

func TestMain(m *testing.M) { seeded.Main(m) }
