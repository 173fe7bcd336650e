//go:build !amd64 || purego

package vec

const accelerated = false

func geluAVX2(int, *float32, *float32)         {}
func geluBackwardAVX2(int, *float32, *float32) {}
func adamAVX2(int, *float32, *float32, *float32, *float32, *AdamStep) {
}
