//go:build !faultclock

package clock

// falsified leaves the machine's clocks as they are.
func falsified(s Source) Source { return s }
