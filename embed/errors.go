package embed

import "errors"

// Errors, wrapped with what was wrong and the limit that was passed.
var (
	// ErrConfig is returned for a configuration that cannot work.
	ErrConfig = errors.New("embed: bad configuration")
	// ErrData is returned for rows that cannot be learned from or encoded:
	// too few, all identical, not finite, of the wrong width.
	ErrData = errors.New("embed: bad data")
	// ErrCorrupt is returned for model bytes that are truncated or fail their checksum.
	ErrCorrupt = errors.New("embed: model is corrupt")
	// ErrFormat is returned for model bytes of a newer format.
	ErrFormat = errors.New("embed: model format is not supported")
)
