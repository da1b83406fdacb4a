package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"blog/internal/app"
)

type acceptLossCmd struct {
	Yes bool `help:"Do it. Without this the command only says what would be given up."`
}

// Help returns what kong shows below the usage.
func (acceptLossCmd) Help() string {
	return `When every node that has all acknowledged writes is gone for good, nobody can be
elected, and writes wait. This makes the node on which it is typed the only one that
can be elected. What the others had and it has not is given up; when one of them comes
back after all, its copy is replaced. What it has and they had not is kept, also a write
that was never acknowledged.`
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
		ask = t.Post
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
	text := givenUp(l)
	if l.Done {
		return text + "\n" + l.Node + " is elected now: `blog status` says when."
	}
	return text + "\nNothing has been changed. To accept this: blog accept-loss --yes"
}

// givenUp returns a text that says which writes are given up, as far as that is known.
func givenUp(l app.Loss) string {
	had := "nobody is known to have had them"
	if len(l.Before) > 0 {
		had = "every acknowledged write was on " + strings.Join(l.Before, " and ")
	}
	if l.Shared == nil {
		text := fmt.Sprintf("It is not known which writes are given up: the copy on %s goes up to %d, but nothing says how "+
			"far it is what was acknowledged; %s. ", l.Node, l.Seq, had)
		if l.Other > 0 {
			text += others(l.Other) + " "
		}
		if l.Known == 0 {
			return text + "Nor is any write known to have been made elsewhere, but there may be some."
		}
		return text + fmt.Sprintf("The newest write that is known to have been made is %d; there may be more.", l.Known)
	}
	first := *l.Shared + 1
	made := "None of them is known, but there may be some."
	switch {
	case l.Known == first:
		made = fmt.Sprintf("At least %d is known to have been made; there may be more.", first)
	case l.Known > first:
		made = fmt.Sprintf("At least %d to %d are known to have been made; there may be more.", first, l.Known)
	}
	if l.Seq < first {
		return fmt.Sprintf("Given up: every write after %d, the newest on %s; %s. %s", *l.Shared, l.Node, had, made)
	}
	// That this copy has the number proves nothing: another primary may have given the number to
	// another write.
	numbers, question := fmt.Sprintf("%d to %d", first, l.Seq),
		"Whether these are the writes that were acknowledged under the same numbers is not known."
	if l.Seq == first {
		numbers, question = strconv.FormatInt(first, 10),
			"Whether this is the write that was acknowledged under the same number is not known."
	}
	if l.Other > 0 {
		question = others(l.Other)
	}
	return fmt.Sprintf("Given up: every write after %d that is not on %s; %s. %s %s has %s as well, and keeps what it "+
		"has. %s",
		*l.Shared, l.Node, had, made, l.Node, numbers, question)
}

func others(seq int64) string {
	return fmt.Sprintf("From %d on at the latest its writes are others than those that were acknowledged.", seq)
}
