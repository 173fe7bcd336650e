package parquet

import (
	"bytes"
	"compress/gzip"
	"errors"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/latentdb/latentdb/store/bulk"
)

func guardOf(t *testing.T, data []byte) *guard {
	t.Helper()
	g, err := newGuard(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.zstd.Close)
	return g
}

// Pages that unpack to more than they say are found by unpacking no more than that.
func TestPagesThatUnpackToMore(t *testing.T) {
	zeros := make([]byte, 32<<20)
	var gz bytes.Buffer
	z := gzip.NewWriter(&gz)
	_, _ = z.Write(zeros)
	_ = z.Close()
	e, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for codec, data := range map[format.CompressionCodec][]byte{
		format.Gzip:   gz.Bytes(),
		format.Zstd:   e.EncodeAll(zeros, nil),
		format.Snappy: []byte("\xff\xff\xff\xff\x0fabc"),
	} {
		header := &format.PageHeader{Type: format.DataPage, UncompressedPageSize: 1000, CompressedPageSize: int32(len(data)),
			DataPageHeader: thrift.New(format.DataPageHeader{NumValues: 100})}
		if err := guardOf(t, data).page(codec, header, 0); !errors.Is(err, bulk.ErrFile) || !strings.Contains(err.Error(), "length") {
			t.Errorf("%s: got %v", codec, err)
		}
		header.UncompressedPageSize = int32(len(zeros))
		if err := guardOf(t, data).page(codec, header, 0); (err != nil) != (codec == format.Snappy) {
			t.Errorf("%s: of its true length: %v", codec, err)
		}
	}
}

func TestPageLimits(t *testing.T) {
	page := func(values, size int32, e format.Encoding) *format.PageHeader {
		return &format.PageHeader{Type: format.DataPage, UncompressedPageSize: size,
			DataPageHeader: thrift.New(format.DataPageHeader{NumValues: values, Encoding: e})}
	}
	for name, h := range map[string]*format.PageHeader{
		"values":   page(maxPageValues+1, 1, format.Plain),
		"negative": page(-1, 1, format.Plain),
		"bytes":    page(1, maxPage+1, format.Plain),
		"encoding": page(1, 1, format.DeltaByteArray),
	} {
		if err := guardOf(t, nil).page(format.Uncompressed, h, 0); err == nil {
			t.Errorf("%s: passes", name)
		}
	}
	g := guardOf(t, nil)
	for range 2 {
		if err := g.page(format.Uncompressed, page(maxPageValues, 1, format.Plain), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.page(format.Uncompressed, page(1, 1, format.Plain), 0); !errors.Is(err, errUnpacks) {
		t.Errorf("more values than a file of no bytes may have: %v", err)
	}
	for _, meta := range []format.ColumnMetaData{{DataPageOffset: 5, TotalCompressedSize: 1}, {DataPageOffset: -1}, {TotalCompressedSize: -1}, {Codec: format.Brotli}} {
		if _, err := guardOf(t, nil).chunk(&meta); err == nil {
			t.Errorf("%+v passes", meta)
		}
	}
}

// A list has no more items than there are bytes for it.
func TestSkim(t *testing.T) {
	good, err := thrift.Marshal(new(thrift.CompactProtocol), &format.FileMetaData{
		Schema: []format.SchemaElement{{Name: "a"}, {Name: "b"}}, RowGroups: []format.RowGroup{{NumRows: 7}}, NumRows: 1 << 40,
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &skim{data: append(good, 1, 2, 3)}
	if err := s.structure(0); err != nil || s.at != len(good) {
		t.Errorf("%d of %d bytes, %v", s.at, len(good), err)
	}
	for cut := range good {
		if err := (&skim{data: good[:cut]}).structure(0); err == nil {
			t.Errorf("cut at %d passes", cut)
		}
	}
	for name, data := range map[string][]byte{
		"long list":   []byte("\x19\xfc\xff\xff\xff\xff\x07\x00"),
		"long binary": []byte("\x18\xff\xff\xff\xff\x07abc\x00"),
		"deep":        bytes.Repeat([]byte{0x1c}, 1000),
		"map":         []byte("\x1b\x01\x88\x00\x00"),
	} {
		if err := (&skim{data: data}).structure(0); err == nil {
			t.Errorf("%s passes", name)
		}
	}
}
