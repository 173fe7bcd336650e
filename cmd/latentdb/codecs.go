package main

import (
	"io"
	"log"

	_ "github.com/latentdb/latentdb/embed/source/codecs" // the binary reads all formats there are
	_ "github.com/latentdb/latentdb/store/bulk/parquet"  // and all files of points
)

// A codec of others may tell the standard logger of files it finds unusual; nothing else
// here uses that.
func init() { log.SetOutput(io.Discard) }
