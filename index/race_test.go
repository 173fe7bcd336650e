//go:build race

package index

// raceDetector tells that pools give up at random what they keep.
const raceDetector = true
