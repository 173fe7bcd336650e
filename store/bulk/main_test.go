package bulk_test

import (
	"testing"

	"github.com/latentdb/latentdb/index/indextest"
)

func TestMain(m *testing.M) { indextest.Main(m) }
