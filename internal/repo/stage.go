package repo

import "time"

// Stage is a part of the course of a call, or of a batch, that is timed: see Options.Timed. The stages of a call follow
// one another; those of a batch make up the time of the one goroutine that writes.
type Stage string

// The stages.
const (
	StageDecode      Stage = "decode"      // a call: its body to the command and back, and its digest
	StagePrepare     Stage = "prepare"     // a call: the command's Prepare, such as rendering Markdown
	StageQueue       Stage = "queue"       // a call: from its arrival at the committer until its turn
	StageApply       Stage = "apply"       // a call, and its batch: its savepoint, with all its statements
	StageShare       Stage = "share"       // a call: from the end of its savepoint until its batch has ended
	StageAcknowledge Stage = "acknowledge" // a call: from the end of its batch until its answer may be given

	StageBegin  Stage = "begin"  // a batch: BEGIN IMMEDIATE
	StageUpkeep Stage = "upkeep" // a batch: merging of the search index, pruning
	StageCommit Stage = "commit" // a batch: COMMIT
)

// Stages returns all stages, those of a call first, in their order.
func Stages() []Stage {
	return []Stage{
		StageDecode, StagePrepare, StageQueue, StageApply, StageShare, StageAcknowledge, StageBegin, StageUpkeep, StageCommit,
	}
}

// timeStage reports to Options.Timed how long a stage has taken that began at since, and returns the time of its end.
func (r *Repo) timeStage(s Stage, since time.Time) time.Time {
	now := time.Now()
	r.timed(s, now.Sub(since))
	return now
}
