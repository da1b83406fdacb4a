package clock

import (
	"time"

	"golang.org/x/sys/unix"
)

// machine reads CLOCK_BOOTTIME, which goes on while the machine is suspended, and asks
// the kernel whether NTP disciplines the wall clock.
func machine() Source {
	start := time.Now()
	return func() Reading {
		now := time.Now()
		r := Reading{Wall: now.Round(0).UTC(), Mono: now.Sub(start)}
		if boot := bootTime(); boot != 0 {
			r.Mono = boot
		}
		var kernel unix.Timex // nothing is set: that needs no privilege
		if _, err := unix.Adjtimex(&kernel); err == nil {
			r.Synced = kernel.Status&unix.STA_UNSYNC == 0
		}
		return r
	}
}

// bootTime is CLOCK_BOOTTIME, 0 where there is none: every kernel since 2.6.39 has it.
func bootTime() time.Duration {
	var boot unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot); err != nil {
		return 0
	}
	return time.Duration(boot.Nano())
}
