package crew

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestShareCoversEveryPieceOnce(t *testing.T) {
	for _, workers := range []int{0, 1, 2, 3, 8, 200} {
		for _, n := range []int{0, 1, 7, 64, 1000} {
			for _, grain := range []int{0, 1, 16} {
				seen := make([]atomic.Int32, n)
				Share(workers, n, grain, func(lo, hi int) {
					if lo > 0 && hi-lo < grain {
						t.Errorf("a piece of %d, the grain is %d", hi-lo, grain)
					}
					for i := lo; i < hi; i++ {
						seen[i].Add(1)
					}
				})
				for i := range seen {
					if seen[i].Load() != 1 {
						t.Fatalf("%d workers, %d by %d: element %d was done %d times", workers, n, grain, i, seen[i].Load())
					}
				}
			}
		}
	}
}

// TestShareNests: callers compete for helpers, and pieces call Share themselves.
func TestShareNests(t *testing.T) {
	var total atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				Share(4, 8, 1, func(lo, hi int) {
					Share(4, 100*(hi-lo), 1, func(lo, hi int) { total.Add(int64(hi - lo)) })
				})
			}
		})
	}
	wg.Wait()
	if total.Load() != 8*50*800 {
		t.Errorf("%d elements, want %d", total.Load(), 8*50*800)
	}
}

// TestHelpersLeave: nothing stays behind once there is no work.
func TestHelpersLeave(t *testing.T) {
	Share(4, 100, 1, func(int, int) { time.Sleep(time.Millisecond) })
	goleak.VerifyNone(t)
}
