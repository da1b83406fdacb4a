package clock

import "time"

// Machine returns the source that reads this machine's clocks. Every clock of the
// program is made with it; a build with the tag faultclock lets a test falsify it.
func Machine() Source { return falsified(machine()) }

// Boot is the time since the machine has started, by its own clock, which is the same for all processes on it,
// containers included, and which no test falsifies: lines of their logs can be put in one order by it. 0 where it
// cannot be read.
func Boot() time.Duration { return bootTime() }
