package failover_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"blog/internal/apperr"
	"blog/internal/repo"
	"blog/test/cluster"
)

// mustHold opens a read transaction on n's database, through the mount, and returns a function that
// ends it. While it is open SQLite cannot commit on n.
func mustHold(t *testing.T, n *cluster.Node) (release func()) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+n.Database+"?mode=ro&_busy_timeout=5000")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	tx, err := db.BeginTx(context.WithoutCancel(t.Context()), nil)
	if err != nil {
		t.Fatal(err)
	}
	var rows int
	if err := tx.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM writes").Scan(&rows); err != nil || rows == 0 {
		t.Fatalf("%d rows: %v, want no error and not 0", rows, err)
	}
	done := false
	release = func() {
		if done {
			return
		}
		done = true
		_ = tx.Rollback() // the mount may be gone
		_ = db.Close()
	}
	t.Cleanup(release)
	return release
}

// body returns what url answers. It fails for every status but 200.
func body(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(res.Body)
	if err = errors.Join(err, res.Body.Close()); err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: status %d: %s", url, res.StatusCode, text)
	}
	return string(text), err
}

// saysThatCommitsFail returns nil when n is ready for readers and says, in every place, that it
// cannot commit and stays.
func (w *world) saysThatCommitsFail(ctx context.Context, n *cluster.Node) error {
	st, err := w.status(ctx, n)
	if err != nil {
		return err
	}
	if st.Role != "primary" || st.Durability != string(repo.Alone) || st.Writing != repo.WriteFailing ||
		!strings.Contains(st.Problem, "No commit has succeeded") || !strings.Contains(st.Problem, "This node stays") {
		return fmt.Errorf("status: %+v", st)
	}
	metrics, err := body(ctx, n.PrivateURL+"/metrics")
	if err != nil {
		return err
	}
	for _, want := range []string{"\nblog_commits_failing 1\n", "\nblog_fit_to_write 0\n"} {
		if !strings.Contains(metrics, want) {
			return fmt.Errorf("%q is not in the metrics", want)
		}
	}
	text, err := body(ctx, n.PublicURL+"/readyz")
	if err != nil {
		return err
	}
	var ready struct {
		Ready   bool            `json:"ready"`
		Writing repo.WriteState `json:"writing"`
	}
	if err := json.Unmarshal([]byte(text), &ready); err != nil || !ready.Ready || ready.Writing != repo.WriteFailing {
		return fmt.Errorf("readyz: %s, %w", text, err)
	}
	return nil
}

// TestCommitsThatFail: a process has a read transaction open on the primary, and no commit
// succeeds, while BEGIN IMMEDIATE and the uplinks work as usual. A primary that is alone says so
// and stays. When there is a standby again, that becomes primary.
func TestCommitsThatFail(t *testing.T) {
	w := MustWorld(t, 2, "WRITE_STALL=5s", "DURABILITY_WAIT=2s")
	first, second := w.Nodes[0], w.Nodes[1]
	w.MustWrite(t, first, "Before")
	second.Kill(t)
	w.MustSet(t, "node1")
	release := mustHold(t, first)

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	const key = "key of during"
	outcome := make(chan error, 1)
	go func() { _, err := w.write(ctx, first, "During", key); outcome <- err }()
	cluster.Poll(t, patience, "the primary says that its commits fail", func(ctx context.Context) error {
		err := w.saysThatCommitsFail(ctx, first)
		if n := strings.Count(first.Log(t), "no commit succeeds, and this node stays"); n != 1 {
			err = errors.Join(err, fmt.Errorf("it is %d times in the log, want once", n))
		}
		return err
	})

	second.Start(t)
	w.MustBePrimary(t, second)
	release()
	if err := <-outcome; err != nil && !errors.Is(err, apperr.Unavailable) {
		t.Errorf("the author is told %v, want that it is saved or to ask again", err)
	}
	if _, err := w.write(ctx, second, "During", key); err != nil {
		t.Errorf("asked again, the standby answers %v", err)
	}
	if code := first.Wait(t); code == 0 {
		t.Error("a node that could not commit ends with 0")
	}
	if log := first.Log(t); !strings.Contains(log, "commits in a row have failed") {
		t.Error("the log does not say why it has ended")
	}
	first.Restart(t)
	w.MustSet(t, "node1", "node2")
}
