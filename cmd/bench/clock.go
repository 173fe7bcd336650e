package main

import "time"

// cpuMark is a moment of this process's CPU time, wallMark one of the clock.
type (
	cpuMark  time.Duration
	wallMark time.Time
)

func mark() cpuMark { return cpuMark(cpuTime()) }
func now() wallMark { return wallMark(time.Now()) }

func (m cpuMark) since() float64  { return (cpuTime() - time.Duration(m)).Seconds() }
func (m wallMark) since() float64 { return time.Since(time.Time(m)).Seconds() }
