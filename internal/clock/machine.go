package clock

// Machine returns the source that reads this machine's clocks. Every clock of the
// program is made with it; a build with the tag faultclock lets a test falsify it.
func Machine() Source { return falsified(machine()) }
