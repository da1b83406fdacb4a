package compose

import (
	"errors"
	"fmt"
	"slices"
)

// maxProblems is how many problems of a kind are printed. The first few show what is wrong.
const maxProblems = 12

// problems returns one error with all problems, sorted, or nil without any.
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
