package compose

import (
	"errors"
	"fmt"
	"slices"
)

// maxProblems is how many of a kind are said: the first few show what is wrong.
const maxProblems = 12

// problems returns one error of all that is wrong, sorted, or nil.
func problems(what string, wrong []string) error {
	if len(wrong) == 0 {
		return nil
	}
	slices.Sort(wrong)
	total := len(wrong)
	wrong = wrong[:min(total, maxProblems)]
	errs := []error{fmt.Errorf("%s: %d wrong", what, total)}
	for _, w := range wrong {
		errs = append(errs, errors.New(w))
	}
	return errors.Join(errs...)
}
