package main

import "time"

var began = time.Now()

// cpuTime is wall time here: benchmarks for the record run on Linux.
func cpuTime() time.Duration { return time.Since(began) }
