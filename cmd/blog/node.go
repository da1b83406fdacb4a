package main

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
)

type migrateCmd struct{}

// migrated is the answer of a migration. Only the server of this machine, where one runs, knows the
// schema.
type migrated struct {
	Message    string `json:"message"`
	Schema     int64  `json:"schema,omitempty"`
	SchemaWant int64  `json:"schema_wanted,omitempty"`
}

// Run migrates a plain database. Under LiteFS the primary does that.
func (migrateCmd) Run(s *session) error {
	if s.config.UnderLiteFS() {
		s.migrated("Under LiteFS the node that becomes primary migrates, before it takes writes. There is nothing to do " +
			"here; `blog status` says which schema this node has.")
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

// migrated answers when there is nothing to do.
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

type versionCmd struct{}

// Run prints which build this is.
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
