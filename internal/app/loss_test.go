package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"blog/internal/app"
	"blog/internal/cluster"
	"blog/internal/litefs"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// put is a command that changes only the history.
type put struct{}

func (put) Name() string { return "items.put" }
func (put) Apply(_ context.Context, tx *repo.Tx) (string, error) {
	tx.Touch("items", "one")
	return "", nil
}

// control answers for the LiteFS node with the sync set that the test has set.
type control struct {
	set atomic.Pointer[litefs.SyncSet]
}

func (k *control) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var out any
	switch r.URL.Path {
	case litefs.ControlStanding:
		out = litefs.Standing{Set: k.set.Load()}
	case litefs.ControlAcceptLoss:
		out = litefs.Accepted{Before: k.set.Load()}
	}
	_ = json.NewEncoder(w).Encode(out)
}

// mustControl returns the control of a LiteFS node whose answers come from k.
func mustControl(t *testing.T, k *control) *litefs.Control {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: k, ReadHeaderTimeout: time.Minute}}
	server.Start()
	t.Cleanup(server.Close)
	control := litefs.NewControl(path)
	t.Cleanup(control.Close)
	return control
}

// TestLossOfADivergentCopy: fra1 was cut off with write 103, which no other node has. fra2 then
// acknowledged 103 to 110 alone and is lost. The writes after 102 are given up, although fra1's own
// copy goes up to 103.
func TestLossOfADivergentCopy(t *testing.T) {
	k := &control{}
	url, rows := mustFra1(t, k)

	const before = `"node":"fra1","before":["fra2"],"seq":103,`
	at := func(seq int) string { return rows[seq-1].String() }
	other := repo.Cursor{Seq: 103, Mark: repo.Mark{7}}.String()
	for name, c := range map[string]struct {
		set  *litefs.SyncSet
		want string
	}{
		"taken out before fra2's first write": {
			&litefs.SyncSet{Seq: 102, Positions: []string{at(50), at(102)}}, before + `"shared":102,"known":102,"done":`,
		},
		"taken out after it": {
			&litefs.SyncSet{Seq: 103, Positions: []string{at(102), other}},
			before + `"shared":102,"other":103,"known":103,"done":`,
		},
		"nothing but another history": {
			&litefs.SyncSet{Seq: 103, Positions: []string{other}}, before + `"shared":null,"other":103,"known":103,"done":`,
		},
		"a position that it has not reached": {
			&litefs.SyncSet{Seq: 107, Positions: []string{repo.Cursor{Seq: 110}.String(), at(102)}},
			before + `"shared":102,"known":110,"done":`,
		},
		"all of its copy": {
			&litefs.SyncSet{Seq: 110, Positions: []string{at(103)}}, before + `"shared":103,"known":110,"done":`,
		},
		"a holder of the release before": {&litefs.SyncSet{Seq: 110}, before + `"shared":null,"known":110,"done":`},
		"no set":                         {nil, `"node":"fra1","before":[],"seq":103,"shared":null,"known":0,"done":`},
	} {
		if c.set != nil {
			c.set.Members = []litefs.Member{{ID: "2", Name: "fra2"}}
		}
		k.set.Store(c.set)
		for method, done := range map[string]bool{http.MethodGet: false, http.MethodPost: true} {
			got, err := askLoss(t, method, url)
			if want := fmt.Sprintf("{%s%t}", c.want, done); err != nil || got != want {
				t.Errorf("%s, %s: %s, %v, want %s", name, method, got, err, want)
			}
		}
	}
}

// mustFra1 serves a node whose copy has 103 writes, beside the LiteFS node k. It returns the server's
// address and the cursors of the writes.
func mustFra1(t *testing.T, k *control) (url string, rows []repo.Cursor) {
	t.Helper()
	role := repotest.NewNode(repotest.Primary())
	r := repotest.MustOpen(t, repo.Options{
		Path: filepath.Join(t.TempDir(), "blog.db"), Node: role,
		Registry: repotest.MustRegistry(t, []repo.Registration{repo.Register[put]()}), Migrations: repotest.MustSchema(t),
	})
	for i := range 103 {
		_, receipt, err := repo.Do(repotest.As(t.Context(), repo.Operator), r, put{}, repo.WithKey(fmt.Sprint("k", i)))
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, receipt.Cursor)
	}
	role.Set(repotest.Unknown())
	control := mustControl(t, k)
	among := cluster.New(t.Context(), cluster.Options{
		Node: role, Control: control, Policy: cluster.Two, Logger: slog.New(slog.DiscardHandler),
		Info: func(context.Context) cluster.Info { return cluster.Info{ID: "1", Node: "fra1"} },
	})
	among.Attach(r)
	t.Cleanup(func() {
		if err := among.Close(); err != nil {
			t.Error(err)
		}
	})
	server := httptest.NewServer(app.LossHandler("fra1", among, control))
	t.Cleanup(server.Close)
	return server.URL, rows
}

// askLoss returns the JSON that a node answers at PathAcceptLoss.
func askLoss(t *testing.T, method, url string) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url+app.PathAcceptLoss, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }() // it has been read
	var got json.RawMessage
	err = json.NewDecoder(res.Body).Decode(&got)
	return string(got), err
}
