package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"blog/internal/app"
	"blog/internal/cluster"
	"blog/internal/litefs"
)

type statusCmd struct{}

// statusLimit bounds a request to the server, whose read of its database takes seconds when the
// database is locked.
const statusLimit = 15 * time.Second

// server returns the status of this machine's server.
func (s *session) server() (app.Status, error) {
	var st app.Status
	t, err := s.transport()
	if err != nil {
		return st, err
	}
	ctx, cancel := context.WithTimeout(s.ctx, statusLimit)
	defer cancel()
	err = t.Ask(ctx, s.base(), app.PathStatus, &st)
	return st, err
}

// Run prints the status of this machine's server.
func (statusCmd) Run(s *session) error {
	st, err := s.server()
	if err != nil {
		return err
	}
	if s.json {
		s.print(st)
		return nil
	}
	s.say("%s", statusText(st))
	return nil
}

// statusText returns the status in words: this node, and what is known of each node.
func statusText(st app.Status) string {
	ready := yesNo(st.Ready)
	if st.Reason != "" {
		ready += ": " + st.Reason
	}
	durability := cmp.Or(st.Durability, "not known")
	if len(st.SyncSet) > 0 {
		durability += ", every acknowledged write is on " + strings.Join(st.SyncSet, " and ")
	}
	if len(st.SyncSet) > 1 {
		durability += fmt.Sprintf("; the standby has %d", st.StandbySeq)
	}
	var b strings.Builder
	line := func(name, format string, args ...any) {
		_, _ = fmt.Fprintf(&b, "%-11s"+format+"\n", append([]any{name}, args...)...) // writing to a Builder does not fail
	}
	line("node", "%s", st.Node)
	line("region", "%s", st.Region)
	line("role", "%s", st.Role)
	line("primary", "%s", cmp.Or(primaryOf(st.Info, st.Nodes), "not known"))
	line("candidate", "%s", yesNo(st.Candidate))
	line("ready", "%s", ready)
	if st.Writing != "" { // a server of the release before does not send it
		line("writing", "%s, seen %s", strings.ReplaceAll(string(st.Writing), "_", " "), st.WritingSeen.Format(time.RFC3339))
	}
	line("schema", "%d of %d", st.Schema, st.SchemaWant)
	line("position", "%d, mark %s", st.Seq, cmp.Or(st.Mark, "0"))
	line("lag", "%d", st.Lag)
	if st.TXID != "" {
		line("litefs", "transaction %s, checksum %s", st.TXID, st.Checksum)
	}
	line("durability", "%s", durability)
	line("sockets", "%d, following %d topics", st.Live.Sockets, st.Live.Topics)
	line("release", "%s, running since %s", st.Version, st.Started.Format(time.RFC3339))
	if st.Problem != "" {
		line("problem", "%s", st.Problem)
	}
	b.WriteString("\n")
	nodeTables(&b, st.Nodes)
	return strings.TrimRight(b.String(), "\n")
}

func yesNo(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}

// primaryOf returns the name of a node's primary. When no node reports to be it, it returns the
// primary's hostname from LiteFS.
func primaryOf(n cluster.Info, all []cluster.Info) string {
	i := slices.IndexFunc(all, func(p cluster.Info) bool {
		return p.Role == litefs.Primary.String() && p.Primary == n.Primary
	})
	if i < 0 {
		return n.Primary
	}
	return all[i].Node
}

// nodeTables writes two tables with a line for each node: what it is, and what it has. One table
// would be wider than a screen. Problems follow as sentences.
func nodeTables(out io.Writer, nodes []cluster.Info) {
	table := func(columns []string, cells func(n cluster.Info) []any) {
		t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(t, strings.Join(columns, "\t"))
		for _, n := range nodes {
			for i, cell := range cells(n) {
				if i > 0 {
					_, _ = io.WriteString(t, "\t")
				}
				_, _ = io.WriteString(t, cmp.Or(fmt.Sprint(cell), "-"))
			}
			_, _ = io.WriteString(t, "\n")
		}
		_ = t.Flush() // writes into a Builder
	}
	table([]string{
		"NODE", "REGION", "ROLE", "PRIMARY", "CANDIDATE", "RELEASE", "SCHEMA", "SOCKETS", "HEARD",
	}, func(n cluster.Info) []any {
		heard := ""
		if n.Heard > 0 {
			heard = (time.Duration(n.Heard) * time.Millisecond).Round(time.Second / 10).String()
		}
		return []any{n.Node, n.Region, n.Role, primaryOf(n, nodes), yesNo(n.Candidate), n.Release, n.Schema, n.Sockets, heard}
	})
	_, _ = io.WriteString(out, "\n")
	table([]string{
		"NODE", "SEQ", "MARK", "TXID", "CHECKSUM", "LAG", "DURABILITY", "SYNC SET", "STANDBY",
	}, func(n cluster.Info) []any {
		_, mark, _ := strings.Cut(n.Mark, "-") // the cursor is SEQ-MARK
		return []any{
			n.Node, n.Seq, short(mark), strings.TrimLeft(n.TXID, "0"), short(n.Checksum), n.Lag,
			n.Durability, strings.Join(n.SyncSet, ","), n.StandbySeq,
		}
	})
	for _, n := range nodes {
		if silent := time.Duration(n.Heard) * time.Millisecond; silent > goneAfter {
			_, _ = fmt.Fprintf(out,
				"\n%s has not been heard of for %s. It is forgotten after a day, or at once by: blog node forget %s\n",
				n.Node, silent.Round(time.Second), strconv.Quote(n.ID))
		}
		if n.Problem != "" {
			_, _ = fmt.Fprintf(out, "\n%s: %s\n", n.Node, n.Problem)
		}
	}
}

// goneAfter is the silence after which a node is not merely restarting.
const goneAfter = time.Minute

// short returns the beginning of a mark or checksum, which is enough to compare two; --json has the
// whole.
func short(mark string) string { return mark[:min(10, len(mark))] }
