//go:build !amd64 || purego

package vec

// accelerated is false: none of what follows is called.
const accelerated = false

func geluAVX2(int, *float32, *float32)                                {}
func geluBackwardAVX2(int, *float32, *float32)                        {}
func adamAVX2(int, *float32, *float32, *float32, *float32, *AdamStep) {}
func blendAVX2(int, *float32, *float32, float32, float32)             {}
func addNormsAVX2(int, *float32, *float32, float32)                   {}
func addAVX2(int, *float32, *float32)                                 {}
func scaleAVX2(int, *float32, *float32, float32)                      {}
func standardiseAVX2(int, *float32, *float32, *float32, float32)      {}
func minAVX2(int, *float32) float32                                   { return 0 }
func differenceAVX2(int, *float32, *float32, *float32) float32        { return 0 }
func spreadAVX2(int, *float32) float32                                { return 0 }
func squaresAVX2(int, *float32) float32                               { return 0 }
func softmaxPairAVX2(int, *float32, *float32, float32, float32, float32) (sumP, sumQ, gap float32) {
	return 0, 0, 0
}
