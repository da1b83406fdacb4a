package main

import (
	"context"
	"fmt"
	"strings"

	"blog/internal/app"
)

type acceptLossCmd struct {
	Yes bool `help:"Do it. Without this the command only says what would be given up."`
}

// Help is what kong shows below the usage.
func (acceptLossCmd) Help() string {
	return `When every node that has all acknowledged writes is gone for good, nobody can be
elected, and writes wait. This makes the node on which it is typed the only one that
can be elected. What the others had and it has not is given up; when one of them comes
back after all, its copy is replaced.`
}

// Run asks this machine's server.
func (c acceptLossCmd) Run(s *session) error {
	t, err := s.transport()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.ctx, statusLimit)
	defer cancel()
	ask := t.Ask
	if c.Yes {
		ask = t.Tell
	}
	var loss app.Loss
	if err := ask(ctx, s.base(), app.PathAcceptLoss, &loss); err != nil {
		return err
	}
	if s.json {
		s.print(loss)
	}
	s.say("%s", lossText(loss))
	return nil
}

func lossText(l app.Loss) string {
	had := "nobody is known to have had them"
	if len(l.Before) > 0 {
		had = "every acknowledged write was on " + strings.Join(l.Before, " and ")
	}
	given := fmt.Sprintf("Given up: every write after %d, the newest on %s; %s. ", l.Seq, l.Node, had)
	if l.Known > l.Seq {
		given += fmt.Sprintf("At least %d to %d are known to have been made; there may be more.", l.Seq+1, l.Known)
	} else {
		given += "None of them is known, but there may be some."
	}
	if l.Done {
		return given + "\n" + l.Node + " is elected now: `blog status` says when."
	}
	return given + "\nNothing has been changed. To accept this: blog accept-loss --yes"
}
