//go:build !amd64 || purego

package distance

// level and vnni say that none of what follows is called.
const (
	level = none
	vnni  = false
)

func squaredL2AVX512(_, _, _ *float32, _ *uint32, _, _ int)             {}
func cosineAVX512(_, _, _ *float32, _ *uint32, _, _ int)                {}
func negativeDotAVX512(_, _, _ *float32, _ *uint32, _, _ int)           {}
func manhattanAVX512(_, _, _ *float32, _ *uint32, _, _ int)             {}
func squaredL2AVX2(_, _, _ *float32, _ *uint32, _, _ int)               {}
func cosineAVX2(_, _, _ *float32, _ *uint32, _, _ int)                  {}
func negativeDotAVX2(_, _, _ *float32, _ *uint32, _, _ int)             {}
func manhattanAVX2(_, _, _ *float32, _ *uint32, _, _ int)               {}
func int8sAVX512(*float32, *int8, *int8, *uint32, int, int, float32)    {}
func uint8sAVX512(*float32, *uint8, *uint8, *uint32, int, int, float32) {}
func int8sAVX2(*float32, *int8, *int8, *uint32, int, int, float32)      {}
func uint8sAVX2(*float32, *uint8, *uint8, *uint32, int, int, float32)   {}
func fetch(*byte, int, *uint32, int)                                    {}
