package parquet

import (
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/latentdb/latentdb/store/bulk"
)

// Limits of what a file may declare. Writers make pages of 1 MB to 100 MB.
const (
	maxFooter     = 64 << 20
	maxPageHeader = 1 << 20
	maxPage       = 256 << 20 // bytes, unpacked
	maxPageValues = 1 << 25
	maxColumns    = 1 << 14
)

// oldDictionary is what writers of old call an encoding by dictionary.
const oldDictionary format.Encoding = 2

var errUnpacks = fmt.Errorf("%w: unpacks to too much", bulk.ErrFile)

// checkFooter checks what the library decodes when it opens a file.
func checkFooter(file io.ReaderAt, size int64) error {
	var tail [8]byte
	if size < 12 {
		return errors.New("not a Parquet file")
	}
	if _, err := file.ReadAt(tail[:], size-8); err != nil {
		return err
	}
	length := int64(binary.LittleEndian.Uint32(tail[:4]))
	switch {
	case string(tail[4:]) == "PARE":
		return errors.New("the file is encrypted")
	case string(tail[4:]) != "PAR1":
		return errors.New("not a Parquet file")
	case length > maxFooter || length > size-12:
		return fmt.Errorf("a footer of %d bytes in a file of %d, the limit is %d", length, size, maxFooter)
	}
	footer := make([]byte, length)
	if _, err := file.ReadAt(footer, size-8-length); err != nil {
		return err
	}
	if err := (&skim{data: footer}).structure(0); err != nil {
		return fmt.Errorf("the footer %w", err)
	}
	return nil
}

// guard goes over the pages of a file before the library reads them, for it makes
// room for whatever their headers say.
type guard struct {
	file           io.ReaderAt
	size           int64
	values, budget int64 // of all pages so far, and the most
	zstd           *zstd.Decoder
}

func newGuard(file io.ReaderAt, size int64) (*guard, error) {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPage), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	// A page of equal values may be a few bytes long, and files of those are no
	// bombs: a value is a byte unpacked, and as many may be there as of any format.
	return &guard{file: file, size: size, budget: 64<<20 + 4*bulk.MaxRatio*size, zstd: z}, nil
}

// rowGroup checks the columns that are read of a row group.
func (g *guard) rowGroup(group *format.RowGroup, columns []column) error {
	largest := int64(0)
	for _, c := range columns {
		if c.index >= len(group.Columns) {
			return fmt.Errorf("a row group of %d columns", len(group.Columns))
		}
		n, err := g.chunk(&group.Columns[c.index].MetaData)
		if err != nil {
			return fmt.Errorf("column %q: %w", c.name, err)
		}
		if largest += n; largest > 4*maxPage {
			return fmt.Errorf("%w: pages of more than %d bytes side by side", errUnpacks, 4*maxPage)
		}
	}
	return nil
}

// chunk checks the pages of a column and gives the size of the largest.
func (g *guard) chunk(meta *format.ColumnMetaData) (largest int64, err error) {
	switch meta.Codec {
	case format.Uncompressed, format.Snappy, format.Gzip, format.Zstd:
	default:
		return 0, fmt.Errorf("compression %s is not read: write the file with snappy, gzip or zstd", meta.Codec)
	}
	at := meta.DataPageOffset
	if meta.DictionaryPageOffset != 0 {
		at = meta.DictionaryPageOffset
	}
	if at < 0 || meta.TotalCompressedSize < 0 || at > g.size || meta.TotalCompressedSize > g.size-at {
		return 0, errors.New("lies outside the file")
	}
	for end := at + meta.TotalCompressedSize; at < end; {
		header, length, err := g.header(at, end)
		if err != nil {
			return 0, err
		}
		at += length
		packed := int64(header.CompressedPageSize)
		if packed < 0 || packed > end-at {
			return 0, errors.New("a page is longer than its column")
		}
		if err := g.page(meta.Codec, header, at); err != nil {
			return 0, err
		}
		largest = max(largest, int64(header.UncompressedPageSize)+packed)
		at += packed
	}
	return largest, nil
}

// header reads the header of a page at a place of the file.
func (g *guard) header(at, end int64) (*format.PageHeader, int64, error) {
	for size := int64(256); ; size *= 16 {
		data := make([]byte, min(size, end-at))
		if _, err := g.file.ReadAt(data, at); err != nil && err != io.EOF {
			return nil, 0, err
		}
		s := &skim{data: data}
		if err := s.structure(0); err != nil {
			if size < maxPageHeader && size < end-at {
				continue // it may be longer than what was read
			}
			return nil, 0, fmt.Errorf("a page's header %w", err)
		}
		header := &format.PageHeader{}
		p := thrift.CompactProtocol{}
		err := thrift.NewDecoder(p.NewReaderFromBytes(data[:s.at])).Decode(header)
		return header, int64(s.at), err
	}
}

// page checks what a page says of itself against its bytes at a place of the file.
func (g *guard) page(codec format.CompressionCodec, h *format.PageHeader, at int64) error {
	var values, levels int32
	var encoding format.Encoding
	compressed := true
	switch h.Type {
	case format.DataPage:
		values, encoding = h.DataPageHeader.V.NumValues, h.DataPageHeader.V.Encoding
	case format.DictionaryPage:
		values, encoding = h.DictionaryPageHeader.V.NumValues, h.DictionaryPageHeader.V.Encoding
	case format.DataPageV2:
		v2 := h.DataPageHeaderV2.V
		values, encoding = v2.NumValues, v2.Encoding
		if v2.DefinitionLevelsByteLength < 0 || v2.RepetitionLevelsByteLength < 0 ||
			int64(v2.DefinitionLevelsByteLength)+int64(v2.RepetitionLevelsByteLength) > int64(h.CompressedPageSize) {
			return errors.New("the levels of a page are longer than it")
		}
		levels = v2.DefinitionLevelsByteLength + v2.RepetitionLevelsByteLength
		compressed = !v2.IsCompressed.Valid || v2.IsCompressed.V
	default:
		return nil // an index, which is not read
	}
	switch encoding {
	case format.Plain, oldDictionary, format.RLEDictionary, format.RLE, format.DeltaBinaryPacked,
		format.DeltaLengthByteArray, format.ByteStreamSplit:
	default:
		return fmt.Errorf("encoding %s is not read: write the file with plain or dictionary encoding", encoding)
	}
	unpacked := h.UncompressedPageSize
	if values < 0 || values > maxPageValues || unpacked < 0 || unpacked > maxPage || unpacked < levels {
		return fmt.Errorf("%w: a page of %d values and %d bytes, the limits are %d and %d", errUnpacks, values, unpacked, maxPageValues, maxPage)
	}
	if g.values += int64(values); g.values > g.budget {
		return fmt.Errorf("%w: more than %d values in a file of %d bytes", errUnpacks, g.budget, g.size)
	}
	if codec == format.Uncompressed || !compressed {
		if int64(h.CompressedPageSize) > maxPage {
			return fmt.Errorf("%w: a page of %d bytes, the limit is %d", errUnpacks, h.CompressedPageSize, maxPage)
		}
		return nil
	}
	return g.unpack(codec, io.NewSectionReader(g.file, at+int64(levels), int64(h.CompressedPageSize-levels)), int64(unpacked-levels))
}

// unpack decompresses a page to find that it is no longer than it says. Snappy says
// so itself.
func (g *guard) unpack(codec format.CompressionCodec, in *io.SectionReader, want int64) error {
	var out io.Reader
	switch codec {
	case format.Snappy:
		head := make([]byte, binary.MaxVarintLen64)
		n, _ := in.ReadAt(head, 0)
		length, ok := binary.Uvarint(head[:n])
		if ok <= 0 || length != uint64(want) {
			return fmt.Errorf("%w: a page has another length than its header says", bulk.ErrFile)
		}
		return nil
	case format.Gzip:
		z, err := gzip.NewReader(in)
		if err != nil {
			return err
		}
		out = z
	default:
		if err := g.zstd.Reset(in); err != nil {
			return err
		}
		out = g.zstd
	}
	n, err := io.Copy(io.Discard, io.LimitReader(out, want+1))
	if err == nil && n != want {
		err = fmt.Errorf("%w: a page has another length than its header says", errUnpacks)
	}
	return err
}
