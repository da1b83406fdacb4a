package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"text/tabwriter"
	"time"

	"blog/internal/app"
	"blog/internal/cluster"
)

type migrateCmd struct{}

// migrated is the answer of a migration. What the schema is only the server of
// this machine can say, where there is one.
type migrated struct {
	Message    string `json:"message"`
	Schema     int64  `json:"schema,omitempty"`
	SchemaWant int64  `json:"schema_wanted,omitempty"`
}

// Run migrates a plain database. Under LiteFS that is the primary's work.
func (migrateCmd) Run(s *session) error {
	if s.config.UnderLiteFS() {
		s.migrated("Under LiteFS the node that becomes primary migrates, before it takes writes. There is nothing to do here; `blog status` says which schema this node has.")
		return nil
	}
	lock, err := s.lockOrServer()
	if err != nil {
		return err
	}
	if lock == nil {
		s.migrated(fmt.Sprintf("A server runs on %s: it has migrated at its start.", s.config.DatabasePath))
		return nil
	}
	r, err := s.openLocal()
	if err != nil {
		return errors.Join(err, lock.Close())
	}
	h := r.Health(s.ctx)
	line := fmt.Sprintf("%s is at schema %d.", s.config.DatabasePath, h.SchemaHave)
	if s.json {
		s.print(migrated{line, h.SchemaHave, h.SchemaWant})
	}
	s.say("%s", line)
	return errors.Join(r.Close(), lock.Close())
}

// migrated answers where there is nothing to do.
func (s *session) migrated(line string) {
	if s.json {
		answer := migrated{Message: line}
		if st, err := s.server(); err == nil {
			answer.Schema, answer.SchemaWant = st.Schema, st.SchemaWant
		}
		s.print(answer)
	}
	s.say("%s", line)
}

type statusCmd struct{}

// statusLimit bounds the question: the server's own check of its database takes
// seconds when the database is locked.
const statusLimit = 15 * time.Second

// server asks this machine's server how it is.
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

// Run asks this machine's server.
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

// statusText is the status for people: this node, and a line for each that is known.
func statusText(st app.Status) string {
	role := st.Role
	if st.Primary != "" && st.Role == "replica" {
		role += " of " + st.Primary
	}
	ready := "yes"
	if !st.Ready {
		ready = "no"
	}
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
		_, _ = fmt.Fprintf(&b, "%-11s"+format+"\n", append([]any{name}, args...)...) // a Builder gives no error
	}
	line("node", "%s", st.Node)
	line("region", "%s", st.Region)
	line("role", "%s", role)
	line("ready", "%s", ready)
	line("schema", "%d of %d", st.Schema, st.SchemaWant)
	line("position", "%d, mark %s", st.Seq, cmp.Or(st.Mark, "0"))
	if st.TXID != "" {
		line("litefs", "transaction %s, checksum %s", st.TXID, st.Checksum)
	}
	line("durability", "%s", durability)
	line("sockets", "%d, following %d topics", st.Live.Sockets, st.Live.Topics)
	line("running", "%s since %s", st.Version, st.Started.Format(time.RFC3339))
	if st.Problem != "" {
		line("problem", "%s", st.Problem)
	}
	if len(st.Nodes) > 1 {
		b.WriteString("\n")
		nodeTable(&b, st.Nodes)
	}
	return strings.TrimRight(b.String(), "\n")
}

// nodeTable is a line for each node.
func nodeTable(out io.Writer, nodes []cluster.Info) {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "NODE\tREGION\tROLE\tCANDIDATE\tRELEASE\tSCHEMA\tPOSITION\tTXID\tCHECKSUM\tLAG\tSOCKETS\tHEARD\tPROBLEM")
	for _, n := range nodes {
		heard := "-"
		if n.Heard > 0 {
			heard = (time.Duration(n.Heard) * time.Millisecond).Round(time.Second / 10).String()
		}
		candidate := "no"
		if n.Candidate {
			candidate = "yes"
		}
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%s\t%s\t%d\t%d\t%s\t%s\n",
			n.Node, n.Region, n.Role, candidate, n.Release, n.Schema, n.Seq, strings.TrimLeft(n.TXID, "0"), n.Checksum, n.Lag, n.Sockets, heard, n.Problem)
	}
	_ = t.Flush() // into a Builder
}

type versionCmd struct{}

// Run says which build this is.
func (versionCmd) Run(s *session) error {
	out := struct {
		Version  string `json:"version"`
		Revision string `json:"revision,omitempty"`
		Time     string `json:"time,omitempty"`
		Go       string `json:"go"`
		Platform string `json:"platform"`
	}{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, v := range info.Settings {
			switch v.Key {
			case "vcs.revision":
				out.Revision = v.Value
			case "vcs.time":
				out.Time = v.Value
			}
		}
	}
	if s.json {
		s.print(out)
		return nil
	}
	line := fmt.Sprintf("blog %s, %s, %s", out.Version, out.Go, out.Platform)
	if out.Revision != "" {
		line += ", " + out.Revision[:min(12, len(out.Revision))]
	}
	s.say("%s", line)
	return nil
}
