package upgrade_test

import (
	"fmt"
	"net/http"
	"testing"

	"blog/internal/app"
)

// TestReplicasFirst is the recommended order: what the newer release adds is refused until its
// first node is primary, and is carried out then.
func TestReplicasFirst(t *testing.T) {
	w := open(t)
	first, second, far := w.sites[0], w.sites[1], w.sites[2]
	behind := fmt.Sprintf("migration %d has not been run", w.newest)

	w.restart(far, w.newer)
	w.restart(second, w.newer)
	w.awaitTwo(first)
	w.isReady(first, "older", w.before, "")
	w.isReady(second, "newer", w.before, behind)
	w.isReady(far, "newer", w.before, behind)
	for _, s := range w.sites {
		w.must(w.create(s, "Halfway-"+s.Name))
		w.seenEverywhere("Halfway-" + s.Name)
	}

	for _, s := range []*site{second, far} {
		w.refused(w.endorse(s, "first", "Bob", "endorse-1"))
		w.refused(w.createEndorsed(s, "Praised", "Eve", "create-1"))
	}
	if status, retryAfter := w.call(far, "first", "Bob", "endorse-2"); status != http.StatusServiceUnavailable ||
		retryAfter == "" {
		t.Errorf("status %d, Retry-After %q, want %d and not empty", status, retryAfter, http.StatusServiceUnavailable)
	}
	w.nothingOf("endorse-1", "Praised")
	w.nothingOf("create-1", "Praised")
	w.nothingOf("endorse-2", "Praised")

	// A caller that was refused asks again with the same key, during the whole hand-over.
	refused, landed := make(chan struct{}), make(chan error, 1)
	go func() { landed <- persist(t.Context(), far, "first", "Bob", "endorse-1", refused) }()
	<-refused
	w.restart(first, w.newer)
	if err := <-landed; err != nil {
		t.Fatal(err)
	}
	w.must(w.createEndorsed(far, "Praised", "Eve", "create-1"))
	for _, s := range w.sites {
		w.replayed(w.endorse(s, "first", "Bob", "endorse-1"))
		w.isReady(s, "newer", w.newest, "")
	}
	w.once("endorse-1", "create-1")
	w.seenEverywhere("Endorsed by Bob")
	w.seenEverywhere("Praised")
	for _, s := range w.sites {
		w.awaitCount(s, 2, "SELECT COUNT(*) FROM endorsements JOIN posts ON posts.id = post_id WHERE endorsed = 1")
	}
}

// TestPrimaryFirst is the other order, which a failover can make of any: the older release reads,
// writes and is primary on the newer one's schema, and refuses what it does not know.
func TestPrimaryFirst(t *testing.T) {
	w := open(t)
	first, second, far := w.sites[0], w.sites[1], w.sites[2]
	ahead := fmt.Sprintf("schema %d is a newer release's", w.newest)

	w.restart(first, w.newer) // the standby is primary meanwhile
	w.awaitTwo(second)
	w.refused(w.endorse(first, "first", "Bob", "endorse-1"))
	w.nothingOf("endorse-1", "Praised")
	w.restart(second, w.older)
	w.awaitTwo(first)

	// The newer release is primary and has migrated.
	w.isReady(first, "newer", w.newest, "")
	for _, s := range []*site{second, far} {
		w.isReady(s, "older", w.newest, ahead)
		w.must(w.create(s, "Older-"+s.Name))
		w.must(w.run(s, "", "post", "edit", "older-"+s.Name, "--title", "Edited-"+s.Name))
		w.seenEverywhere("Edited-" + s.Name)
	}
	w.must(w.endorse(first, "first", "Bob", "endorse-1"))
	w.must(w.createEndorsed(first, "Praised", "Eve", "create-1"))
	// Only the primary has to know a command.
	if status, _ := w.call(far, "older-"+far.Name, "Dan", "endorse-2"); status != http.StatusOK {
		t.Errorf("through the older release: status %d, want %d", status, http.StatusOK)
	}
	for _, text := range []string{"Endorsed by Bob", "Praised", "Endorsed by Dan"} {
		w.seenEverywhere(text)
	}
	w.once("endorse-1", "create-1", "endorse-2")

	// Back to the older release.
	first.flip(true)
	first.Kill(t)
	w.awaitStatus(second, "leads", isReadyPrimary)
	w.isReady(second, "older", w.newest, ahead)
	w.commandsOfItsRelease(second, far)
	w.start(first, w.newer)
	w.awaitTwo(second)
	w.isReady(first, "newer", w.newest, "")
	w.refused(w.endorse(first, "edited", "Bob", "endorse-3"))
	w.refused(w.createEndorsed(first, "Lauded", "Eve", "create-2"))
	w.refused(w.endorse(first, "first", "Bob", "endorse-1")) // it cannot say whether it was done
	w.nothingOf("endorse-3", "Lauded")
	w.nothingOf("create-2", "Lauded")

	// And on to the newer one.
	w.restart(second, w.newer)
	w.awaitTwo(first)
	w.must(w.endorse(first, "edited", "Bob", "endorse-3"))
	w.must(w.createEndorsed(second, "Lauded", "Eve", "create-2"))
	w.replayed(w.endorse(second, "first", "Bob", "endorse-1"))
	w.seenEverywhere("Lauded")
	w.once("endorse-1", "create-1", "endorse-2", "endorse-3", "create-2")
	for _, s := range w.sites {
		w.awaitCount(s, 4, "SELECT COUNT(*) FROM endorsements JOIN posts ON posts.id = post_id WHERE endorsed = 1")
		w.awaitCount(s, w.newest, "SELECT MAX(version_id) FROM goose_db_version WHERE is_applied = 1")
	}
}

// commandsOfItsRelease makes the older release change what the newer one has written, on the newer
// one's schema.
func (w *world) commandsOfItsRelease(primary, replica *site) {
	w.tb.Helper()
	w.must(w.run(replica, "", "post", "edit", "praised", "--title", "Reworded"))
	w.must(w.create(primary, "Edited"))
	w.must(w.run(replica, "", "post", "delete", "older-"+replica.Name)) // with its endorsement
	w.seenEverywhere("Reworded")
	w.awaitCount(replica, 2, "SELECT COUNT(*) FROM endorsements")
	w.awaitCount(replica, w.newest, "SELECT MAX(version_id) FROM goose_db_version WHERE is_applied = 1")
}

func isReadyPrimary(st app.Status) bool { return st.Role == "primary" && st.Ready }
