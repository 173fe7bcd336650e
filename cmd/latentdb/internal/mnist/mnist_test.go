package mnist

import "testing"

func TestLoad(t *testing.T) {
	digits, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if len(digits) != Count {
		t.Fatalf("%d digits, want %d", len(digits), Count)
	}
	// The counts the data set's authors publish.
	want := [10]int{980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009}
	var have [10]int
	for _, d := range digits {
		have[d.Label]++
		if len(d.Pixels) != Side*Side {
			t.Fatalf("a digit has %d pixels", len(d.Pixels))
		}
	}
	if have != want {
		t.Errorf("digits by label: %v, want %v", have, want)
	}
	if at := digits[0].Image().GrayAt(14, 8).Y; digits[0].Pixels[8*Side+14] != at {
		t.Errorf("image and pixels disagree: %d", at)
	}
}

func TestReadIDXRefusesAnotherShape(t *testing.T) {
	if _, err := readIDX(labelsGZ, Count, Side, Side); err == nil {
		t.Error("labels were read as images")
	}
	if _, err := readIDX([]byte("not gzip"), Count); err == nil {
		t.Error("text was read as gzip")
	}
}
