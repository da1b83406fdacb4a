package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"blog/internal/app"
	"blog/internal/repo"
)

type migrateCmd struct{}

// migrated is the answer of a migration. What the schema is only the server of
// this machine can say, where there is one.
type migrated struct {
	Message string `json:"message"`
	*repo.Health
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
		s.print(migrated{line, &h})
	}
	s.say("%s", line)
	return errors.Join(r.Close(), lock.Close())
}

// migrated answers where there is nothing to do.
func (s *session) migrated(line string) {
	if s.json {
		answer := migrated{Message: line}
		if st, err := s.server(); err == nil {
			answer.Health = &st.Health
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
	s.say("node      %s\nregion    %s\nrole      %s\nready     %s\nschema    %d of %d\nposition  %d\nsockets   %d, following %d topics\nrunning   %s since %s",
		st.Node, st.Region, role, ready, st.SchemaHave, st.SchemaWant, st.Seq, st.Live.Sockets, st.Live.Topics, st.Version, st.Started.Format(time.RFC3339))
	return nil
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
