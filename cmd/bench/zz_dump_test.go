package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"testing"

	"github.com/latentdb/latentdb/embed/source"
)

func TestZZDump(t *testing.T) {
	s := &sources{bench: &bench{}}
	s.data, s.mnist = "/work/shared/data", "/tmp/mnist"
	for _, set := range curveSets {
		img, ok := set.spec.(source.Image)
		if !ok {
			continue
		}
		recs, labels, err := set.read(s)
		if err != nil {
			t.Fatal(err)
		}
		img.Likeness = source.LikeShape
		f, err := img.Fit(nil)
		if err != nil {
			t.Fatal(err)
		}
		lift := f.(source.Lifted)
		row, l := make([]float32, f.Width()), make([]float32, lift.ModelLayout().Width())
		var out bytes.Buffer
		lab := ""
		for i, r := range recs {
			b, err := img.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Row(row, b); err != nil {
				t.Fatal(err)
			}
			lift.Lift(l, row)
			binary.Write(&out, binary.LittleEndian, l)
			lab += fmt.Sprintln(labels[i])
		}
		t.Log(set.name, len(recs), len(row), len(l))
		os.WriteFile("/tmp/cd_"+set.name, out.Bytes(), 0o644)
		os.WriteFile("/tmp/cd_"+set.name+"_lab", []byte(lab), 0o644)
	}
}
