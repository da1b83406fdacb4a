package compose

import (
	"fmt"
	"time"

	"blog/internal/clock"
	"blog/internal/repo"
)

// CheckDates checks the dates of acknowledged rows. Each date lies between the first ask and the
// acknowledgement, within the bound that package clock promises whatever the nodes' clocks show,
// and no row is dated before the one that it follows. begun is the beginning of the ledger.
func CheckDates(c *Copy, ops []Op, begun time.Time) error {
	var wrong []string
	done := map[string]Op{}
	for _, op := range ops {
		if op.Outcome == OK {
			done[op.Key] = op
		}
	}
	var last time.Time
	for _, w := range c.Writes {
		dated, err := repo.ParseTime(w.At)
		switch {
		case err != nil:
			wrong = append(wrong, fmt.Sprintf("row %d: %v", w.Seq, err))
			continue
		case dated.Before(last):
			wrong = append(wrong, fmt.Sprintf("row %d is dated %s, the row before it %s", w.Seq, w.At, last))
		}
		last = dated
		op, ok := done[w.Key]
		if !ok {
			continue
		}
		if early := begun.Add(op.Call - clock.Bound).Sub(dated); early > 0 {
			wrong = append(wrong, fmt.Sprintf("row %d is dated %s, %s before key %s was asked for, less the bound",
				w.Seq, w.At, early, w.Key))
		}
		if late := dated.Sub(begun.Add(op.Done + clock.Bound)); late > 0 {
			wrong = append(wrong, fmt.Sprintf("row %d is dated %s, %s after key %s was acknowledged, plus the bound",
				w.Seq, w.At, late, w.Key))
		}
	}
	return problems("dates on "+c.Node, wrong)
}
