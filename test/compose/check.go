package compose

import (
	"fmt"
	"strings"

	"blog/internal/apperr"
)

// CheckCopies checks that all copies are equal: they have the same position and checksum, and the
// same marks in the same order.
func CheckCopies(copies []*Copy) error {
	var wrong []string
	first := copies[0]
	for _, c := range copies[1:] {
		if c.Position != first.Position {
			wrong = append(wrong, fmt.Sprintf("%s is at %s, %s at %s", first.Node, first.Position, c.Node, c.Position))
		}
		if len(c.Writes) != len(first.Writes) {
			wrong = append(wrong, fmt.Sprintf("%s has %d writes, %s %d", first.Node, len(first.Writes), c.Node, len(c.Writes)))
		}
		for i := range min(len(c.Writes), len(first.Writes)) {
			if a, b := first.Writes[i], c.Writes[i]; a.Seq != b.Seq || a.Mark != b.Mark || a.Key != b.Key {
				wrong = append(wrong, fmt.Sprintf("write %d of %s is %d %s %.8s, of %s %d %s %.8s", i, first.Node, a.Seq, a.Key,
					a.Mark, c.Node, b.Seq, b.Key, b.Mark))
				break
			}
		}
	}
	return problems("copies", wrong)
}

// CheckAnswers returns the answers that nothing explains: refusals that are neither temporary, nor
// what fault o causes, nor explained by the post or the key (see CheckRegisters and CheckKeys).
func CheckAnswers(asks []Ask) error {
	var wrong []string
	for _, a := range asks {
		if a.Reason == apperr.BadSecret && strings.HasPrefix(a.Fault, "o.") {
			continue
		}
		if a.Outcome == Refused && a.Code != apperr.Unavailable {
			wrong = append(wrong, fmt.Sprintf("[%s] %s of %s (%s) was refused: %s", a.Fault, a.Kind, a.Post, at(a), a.Message))
		}
		if a.Code == apperr.Internal {
			wrong = append(wrong, fmt.Sprintf("[%s] %s of %s (%s) met a fault of the program: %s", a.Fault, a.Kind, a.Post,
				at(a), a.Message))
		}
	}
	return problems("answers", wrong)
}
