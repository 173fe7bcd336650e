package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/latentdb/latentdb/embed"
)

// fittedFormat is the newest version of the bytes that MarshalBinary gives. A state
// that an older one can say is written in that.
const fittedFormat = 2

// formatted is a state that says which format it needs; others need the first.
type formatted interface{ format() int }

// kind is what a kind of source adds to reading specs and fitted states.
type kind struct {
	name   string
	plain  func(spec Spec) Spec
	spec   func(fields []byte) (Spec, error)
	fitted func(spec Spec, state json.RawMessage) (Fitted, error)
}

// kinds are the sources there are, in the order error messages list them.
var kinds = []kind{
	{"vector", plainOf[Vector], specOf[Vector], stateless},
	{"image", plainOf[Image], specOf[Image], restoreImage},
	{"table", plainOf[Table], specOf[Table], restoreTable},
	{"text", plainOf[Text], specOf[Text], restoreText},
	{"audio", plainOf[Audio], specOf[Audio], restoreAudio},
}

// Plain gives a spec as the plain value that all code takes it for, whether it
// is one or a pointer to one. A nil pointer, or a type of another package, whose
// bytes ParseSpec could not read, is an error.
func Plain(spec Spec) (Spec, error) {
	for _, k := range kinds {
		if plain := k.plain(spec); plain != nil {
			return plain, nil
		}
	}
	return nil, fmt.Errorf("%w: got %T, want a Vector, Image, Table, Text or Audio, not nil", ErrSpec, spec)
}

// plainOf is a spec of type S or *S as an S, nil for any other.
func plainOf[S Spec](spec Spec) Spec {
	switch s := any(spec).(type) {
	case S:
		return s
	case *S:
		if s != nil {
			return *s
		}
	}
	return nil
}

// MarshalSpec gives a spec as a JSON object: "kind" and the spec's own fields.
func MarshalSpec(spec Spec) ([]byte, error) {
	fields, err := json.Marshal(spec)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSpec, err)
	}
	head := fmt.Appendf(nil, `{"kind":%q`, spec.Kind())
	if len(fields) > len("{}") {
		head = append(head, ',')
	}
	return append(head, fields[1:]...), nil
}

// ParseSpec reads what MarshalSpec writes and checks it. A field that the kind
// does not have is an error that names it.
func ParseSpec(data []byte) (Spec, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSpec, err)
	}
	var name string
	if raw, ok := fields["kind"]; ok {
		if err := json.Unmarshal(raw, &name); err != nil {
			return nil, fmt.Errorf(`%w: "kind" is not a string`, ErrSpec)
		}
	}
	k, err := findKind(name)
	if err != nil {
		return nil, err
	}
	delete(fields, "kind")
	own, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSpec, err)
	}
	spec, err := k.spec(own)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrSpec, name, err)
	}
	return spec.Resolve(nil)
}

func findKind(name string) (kind, error) {
	known := make([]string, len(kinds))
	for i, k := range kinds {
		if k.name == name {
			return k, nil
		}
		known[i] = k.name
	}
	return kind{}, fmt.Errorf("%w: unknown kind %q, want one of: %s", ErrSpec, name, strings.Join(known, ", "))
}

func specOf[S Spec](fields []byte) (Spec, error) {
	var spec S
	if err := decodeStrict(fields, &spec); err != nil {
		return nil, err
	}
	return spec, nil
}

// fittedBytes are the bytes of a Fitted: all it needs, its spec included.
type fittedBytes struct {
	Format int             `json:"format"`
	Spec   json.RawMessage `json:"spec"`
	State  json.RawMessage `json:"state,omitempty"`
}

// marshalFitted writes a fitted source. Its JSON has no maps, so equal states
// give equal bytes.
func marshalFitted(spec Spec, state any) ([]byte, error) {
	out := fittedBytes{Format: 1}
	if s, ok := state.(formatted); ok {
		out.Format = s.format()
	}
	var err error
	if out.Spec, err = MarshalSpec(spec); err != nil {
		return nil, err
	}
	if state != nil {
		if out.State, err = json.Marshal(state); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrSpec, err)
		}
	}
	return json.Marshal(out)
}

// UnmarshalFitted reads what a Fitted's MarshalBinary gave, of any kind. Errors
// wrap embed.ErrCorrupt, or embed.ErrFormat for bytes of a newer format.
func UnmarshalFitted(data []byte) (Fitted, error) {
	var in fittedBytes
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, fmt.Errorf("%w: source: %w", embed.ErrCorrupt, err)
	}
	if in.Format > fittedFormat {
		return nil, fmt.Errorf("%w: source format %d, the newest known is %d", embed.ErrFormat, in.Format, fittedFormat)
	}
	if in.Format < 1 {
		return nil, fmt.Errorf("%w: source format %d", embed.ErrCorrupt, in.Format)
	}
	spec, err := ParseSpec(in.Spec)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", embed.ErrCorrupt, err)
	}
	k, err := findKind(spec.Kind())
	if err != nil {
		return nil, err
	}
	fitted, err := k.fitted(spec, in.State)
	if err != nil {
		return nil, fmt.Errorf("%w: source %s: %w", embed.ErrCorrupt, k.name, err)
	}
	return fitted, nil
}

// stateless restores a source whose spec is all there is.
func stateless(spec Spec, state json.RawMessage) (Fitted, error) {
	if len(state) > 0 {
		return nil, errors.New("state where none is kept")
	}
	return spec.Fit(nil)
}

// decodeStrict reads exactly one JSON value without unknown fields. Numbers in
// an any are json.Number, so that no integer loses digits.
func decodeStrict(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("data after the JSON value")
	}
	return nil
}
