package source

import (
	"fmt"
	"iter"
	"math"
)

// AudioWindow is a stretch of a recording.
type AudioWindow struct {
	// Record is a WAV file of one channel and 16 bits at the recording's own rate.
	Record []byte
	// Start and End are where in the recording it is, in seconds.
	Start, End float64
	// Whole tells that it is all of the recording, which is no longer than a window.
	Whole bool
}

// Name names a window of a recording, as the Media Fragments of W3C do: "talk.mp3#t=2.5,5".
func (w AudioWindow) Name(recording string) string {
	return fmt.Sprintf("%s#t=%g,%g", recording, w.Start, w.End)
}

// Windows cuts a recording into windows of Window seconds that begin Hop seconds apart,
// so that a hit tells where in it something is heard. The last ends with the recording
// and may begin less than a hop after the one before; a recording that is shorter is one
// window. An error is the last thing given. Each window is made as it is asked for.
func (a Audio) Windows(record any) iter.Seq2[AudioWindow, error] {
	return func(yield func(AudioWindow, error) bool) {
		err := a.check()
		if err == nil && a.Window == 0 {
			err = fmt.Errorf("%w: audio has no window", ErrSpec)
		}
		var sound *Sound
		if err == nil {
			sound, err = a.sound(record)
		}
		if err != nil {
			yield(AudioWindow{}, err)
			return
		}
		hop := a.Hop
		if hop == 0 {
			hop = a.Window / 2
		}
		fitInto16(sound.Samples)
		total, rate := len(sound.Samples), float64(sound.Rate)
		length := max(1, int(math.Round(a.Window*rate)))
		for i := 0; ; i++ {
			from := int(math.Round(float64(i) * hop * rate))
			last := from+length >= total
			if last {
				from = max(0, total-length)
			}
			until := min(from+length, total)
			w := AudioWindow{encodeWAV(sound.Samples[from:until], sound.Rate), milliseconds(from, rate), milliseconds(until, rate), until-from == total}
			if !yield(w, nil) || last {
				return
			}
		}
	}
}

// milliseconds is a sample's time in seconds, to a thousandth.
func milliseconds(at int, rate float64) float64 { return math.Round(float64(at)/rate*1000) / 1000 }

// fitInto16 makes samples quieter where some are beyond -1 to 1, as floats may be.
func fitInto16(samples []float32) {
	var peak float32
	for _, v := range samples {
		peak = max(peak, max(v, -v))
	}
	if peak <= 1 {
		return
	}
	for i := range samples {
		samples[i] /= peak
	}
}
