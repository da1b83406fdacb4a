package repo

import (
	"slices"
	"time"
)

// slowest bounds what pace allows a batch beyond maxBatchTime and sharedApplyLimit.
const slowest = time.Second

// pace is how fast a committer has written lately. The time bounds of a batch are meant for a machine whose COMMIT
// takes less than they do. On a slower one each batch would have a single call, and the more callers wait the slower
// all would be: so the bounds grow with what a COMMIT and an Apply take. A pace belongs to the goroutine of its
// committer.
type pace struct {
	commit  time.Duration   // that the last COMMIT took
	applies []time.Duration // that the last calls with a row took, at most paceApplies
}

const paceApplies = 9

// committed notes how long a COMMIT took.
func (p *pace) committed(took time.Duration) { p.commit = took }

// applied notes how long the Apply of a call with a row took.
func (p *pace) applied(took time.Duration) {
	if len(p.applies) == paceApplies {
		p.applies = slices.Delete(p.applies, 0, 1)
	}
	p.applies = append(p.applies, took)
}

// admission returns for how long a batch admits calls, instead of usual: as much longer as a COMMIT takes longer than
// maxBatchTime. Those that are in a batch wait for it anyway.
func (p *pace) admission(usual time.Duration) time.Duration {
	return usual + min(max(p.commit-maxBatchTime, 0), slowest)
}

// shared returns for how long an Apply may run beside others: twice as long as is usual here, the median, so that a few
// slow commands do not make all others wait.
func (p *pace) shared() time.Duration {
	if len(p.applies) == 0 {
		return sharedApplyLimit
	}
	return min(max(2*median(p.applies), sharedApplyLimit), slowest)
}

func median(all []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(all))[len(all)/2]
}
