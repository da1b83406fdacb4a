package repo_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"blog/internal/apperr"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
	"blog/internal/transport"
)

// heldDurability is a Durability that holds all answers until the test lets them go, but for those
// that rest on rows that everybody has.
type heldDurability struct {
	mu      sync.Mutex
	waiting int
	open    chan struct{}
	lasting int64 // the newest such row
}

func (k *heldDurability) BeginTerm(_ context.Context, over <-chan struct{}) (repo.Term, error) {
	return heldTerm{k, over}, nil
}

// heldTerm is a term of a heldDurability.
type heldTerm struct {
	*heldDurability
	over <-chan struct{}
}

func (heldTerm) End() {}

func (k heldTerm) Await(ctx context.Context, seen repo.Cursor) (repo.Assurance, error) {
	k.mu.Lock()
	if seen.Seq <= k.lasting {
		k.mu.Unlock()
		return repo.Two, nil
	}
	k.waiting++
	k.mu.Unlock()
	select {
	case <-k.open:
		return repo.Two, nil
	case <-k.over:
		return "", context.Canceled
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (k heldTerm) Confirm(ctx context.Context, newest repo.Cursor) (repo.Assurance, error) {
	return k.Await(ctx, newest)
}

// set makes the row at seq the newest durable one.
func (k *heldDurability) set(seq int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lasting = seq
}

func (k *heldDurability) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.waiting
}

// TestTooManyWait: a thousand calls wait, without holding the writing connection; one
// more is refused at once, and nothing is done for it.
func TestTooManyWait(t *testing.T) {
	k := &heldDurability{open: make(chan struct{})}
	o := options(t, filepath.Join(t.TempDir(), "blog.db"), repotest.NewNode(repotest.Primary()))
	o.Durability = k
	r := repotest.MustOpen(t, o)
	const most = 1000
	ended := make(chan error, most)
	for i := range most {
		go func() {
			_, receipt, err := repo.Do(operator(), r, put{Item: fmt.Sprint(i)})
			if err == nil && receipt.Assurance != repo.Two {
				err = fmt.Errorf("rests on %q", receipt.Assurance)
			}
			ended <- err
		}()
	}
	repotest.Eventually(t, patience, "all wait", func() bool { return k.count() == most })
	_, err := repo.Write(operator(), r, put{Item: "one more"})
	if e := expectReason(t, "one more", err, apperr.Unavailable, apperr.Overloaded); e.RetryAfter == 0 {
		t.Errorf("one more: got RetryAfter %d, want at least 1 s", e.RetryAfter)
	}
	close(k.open)
	for range most {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if n := MustCount(t, r, "SELECT COUNT(*) FROM writes"); n != most {
		t.Errorf("%d rows, want %d", n, most)
	}
	if _, err := repo.Write(operator(), r, put{Item: "now"}); err != nil {
		t.Errorf("when there is room again: got %v, want no error", err)
	}
}

// TestARefusalOfAnEmptyDatabase rests on no row, but another node may have been elected and have some.
func TestARefusalOfAnEmptyDatabase(t *testing.T) {
	k := &heldDurability{open: make(chan struct{}), lasting: -1}
	o := options(t, filepath.Join(t.TempDir(), "blog.db"), repotest.NewNode(repotest.Primary()))
	o.Durability = k
	r := repotest.MustOpen(t, o)
	refused := make(chan error, 1)
	go func() { _, err := repo.Write(operator(), r, put{Item: " "}); refused <- err }()
	repotest.Eventually(t, patience, "it waits", func() bool { return k.count() == 1 })
	close(k.open)
	repotest.WantFields(t, <-refused, "item")
}

// doubter refuses in Prepare when there are two items, after goOn is closed.
type doubter struct{}

func (doubter) Name() string { return "items.doubter" }
func (d doubter) Prepare(ctx context.Context, v repo.Viewer) (repo.Command[int], error) {
	close(prepared.entered)
	<-prepared.goOn
	var n int
	err := v.View(ctx, func(rd repo.Reader) error {
		return rd.QueryRowContext(ctx, "SELECT COUNT(*) FROM items").Scan(&n)
	})
	if err != nil || n < 2 {
		return d, err
	}
	return nil, apperr.Errorf(apperr.Conflict, "there are %d", n)
}
func (doubter) Apply(context.Context, *repo.Tx) (int, error) { return 0, nil }

// prepared has the channels of the one doubter of a test, since a command has no state. Each test makes them anew.
var prepared struct{ entered, goOn chan struct{} }

// TestARefusalOfPrepareDependsOnWhatItSaw, in a bubble of synctest: a row that came after the first read, and that
// nobody else has yet.
func TestARefusalOfPrepareDependsOnWhatItSaw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		prepared.entered, prepared.goOn = make(chan struct{}), make(chan struct{})
		k := &heldDurability{open: make(chan struct{}), lasting: 1}
		o := options(t, filepath.Join(t.TempDir(), "blog.db"), repotest.NewNode(repotest.Primary()))
		o.Durability = k
		o.Registry = repotest.MustRegistry(t, []repo.Registration{repo.Register[put](), repo.Register[doubter]()})
		r := repotest.MustOpen(t, o)
		MustPut(t, r, "lasting")
		refused, written := make(chan error, 1), make(chan error, 1)
		go func() { _, err := repo.Write(operator(), r, doubter{}); refused <- err }()
		<-prepared.entered
		go func() { _, err := repo.Write(operator(), r, put{Item: "on this disk alone"}); written <- err }()
		repotest.Eventually(t, patience, "it is there", func() bool { return k.count() == 1 })
		close(prepared.goOn)
		mustStillWait(t, refused, "refused before the row lasts")
		close(k.open)
		expectCode(t, "two items", <-refused, apperr.Conflict)
		if err := <-written; err != nil {
			t.Error(err)
		}
	})
}

// TestARefusalNamesItsAssurance: the same on the primary and through a replica, whose own log line has it as well.
func TestARefusalNamesItsAssurance(t *testing.T) {
	c := MustCluster(t, func(o *repo.Options) { o.Durability = repotest.Assured(repo.Alone) })
	j := &repotest.Journal{}
	o := options(t, c.path, c.node)
	o.LiteFS, o.Middleware = true, []repo.Middleware{repo.Log(j.JSON(), c.node)}
	replica := repotest.MustOpen(t, o)
	MustPut(t, c.primary, "what they rest on")
	for _, how := range waysToFail() {
		want := repo.Alone
		ctx, cancel := context.WithTimeout(operator(), patience)
		_, here, err := repo.Do(ctx, c.primary, fail{How: how})
		if code := apperr.From(err).Code; code == apperr.Unavailable || code == apperr.Internal {
			want = "" // it is no word on what is there
		}
		before := len(j.String())
		_, there, rerr := repo.Do(ctx, replica, fail{How: how})
		cancel()
		for where, got := range map[string]answer{"on the primary": {here, err}, "through a replica": {there, rerr}} {
			if got.err == nil {
				t.Errorf("%s, %s: got no error, want one", how, where)
			}
			if got.receipt.Assurance != want {
				t.Errorf("%s, %s: got a refusal that rests on %q, want on %q", how, where, got.receipt.Assurance, want)
			}
		}
		if line, said := j.String()[before:], fmt.Sprintf(`"durability":%q`, want); !strings.Contains(line, said) {
			t.Errorf("%s: got the replica's log %s, want %s in it", how, line, said)
		}
	}
}

// TestRefusalsOfOtherReleases: an older one does not say what they rest on, and a newer one may have another word for
// it.
func TestRefusalsOfOtherReleases(t *testing.T) {
	for said, want := range map[string]repo.Assurance{"": "", `,"durability":"three","colour":"red"`: "three"} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, `{"cursor":"0","error":{"code":"conflict","message":"No."}`+said+`}`)
		}))
		tr := transport.NewClient(repotest.Secret)
		call := &repo.Call{Name: "items.put", Key: "k", Actor: repo.Actor{Name: repo.Operator},
			Body: []byte(`{"item":"a"}`), Deadline: time.Now().Add(time.Minute)}
		err := repo.Send(t.Context(), tr, s.URL, repo.PathSuper, call)
		expectCode(t, said, err, apperr.Conflict)
		if got := call.Reply.Assurance; got != want {
			t.Errorf("%s: got a refusal that rests on %q, want on %q", said, got, want)
		}
		tr.Close()
		s.Close()
	}
}
