package media_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"blog/internal/apperr"
	"blog/internal/media"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// age makes the last use and upload of a picture, or of its chunks, longer ago.
type age struct {
	Hash string        `json:"hash"`
	By   time.Duration `json:"by"`
}

func (age) Name() string { return "test.age" }

func (a age) Apply(ctx context.Context, tx *repo.Tx) (string, error) {
	_, err := tx.ExecContext(ctx, "UPDATE media SET added_at = ?1, used_at = ?1 WHERE hash = ?2",
		repo.FormatTime(tx.Now().Add(-a.By)), a.Hash)
	return "", err
}

// aDay is how long a picture stays, and a little more, because an upload less than an hour after
// another is not noted.
const aDay = 25*time.Hour + time.Minute

// sweep runs the task until ok.
func sweep(t *testing.T, r *repo.Repo, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(repotest.As(t.Context(), repo.System))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		media.Sweeper(slog.New(slog.DiscardHandler), time.Now)(ctx, r)
	}()
	repotest.Eventually(t, 20*time.Second, "swept", ok)
	cancel()
	<-ended
}

func TestSweeperRemovesWhatNoPostShowsForADay(t *testing.T) {
	ctx, primary, replica := mustRepos(t)
	upload := func(seed uint64, by time.Duration) string {
		pic, err := media.Upload(ctx, replica, MustNoise(t, 60, seed))
		if err != nil {
			t.Fatal(err)
		}
		repo.MustWrite(ctx, replica, age{pic.Hash, by})
		return pic.Hash
	}
	shown, young, old := upload(1, 30*aDay), upload(2, aDay-2*time.Minute), upload(3, aDay)
	repo.MustWrite(ctx, replica, show{shown})
	half := puts(t, MustNoise(t, 720, 4))[0] // an upload that broke off
	repo.MustWrite(ctx, replica, half)
	repo.MustWrite(ctx, replica, age{half.Hash, aDay})
	rows := count(t, primary, "SELECT COUNT(*) FROM writes")
	sweep(t, primary, func() bool { return count(t, primary, "SELECT COUNT(*) FROM media") <= 2 })
	for hash, want := range map[string]int{shown: 1, young: 1, old: 0, half.Hash: 0} {
		if n := count(t, primary, "SELECT COUNT(*) FROM media_chunks WHERE hash = ?", hash); n != want {
			t.Errorf("%d chunks of %s, want %d", n, hash, want)
		}
	}
	if n := count(t, primary, "SELECT COUNT(*) FROM writes"); n != rows+2 {
		t.Errorf("got %d writes, want 2", n-rows)
	}
}

func TestSweepChecksAgain(t *testing.T) {
	ctx, primary, _ := mustRepos(t)
	system := repotest.As(ctx, repo.System)
	data := MustNoise(t, 60, 5)
	pic, err := media.Upload(ctx, primary, data)
	if err != nil {
		t.Fatal(err)
	}
	expectRetained := func(when string) {
		t.Helper()
		got, err := repo.Write(system, primary, media.Sweep{Hash: pic.Hash})
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		if got.Removed {
			t.Errorf("%s: got %+v, want Removed false", when, got)
		}
	}
	expectRetained("just uploaded")
	repo.MustWrite(ctx, primary, age{pic.Hash, aDay})
	if _, err := repo.Write(ctx, primary, media.Sweep{Hash: pic.Hash}); !errors.Is(err, apperr.Forbidden) {
		t.Errorf("the operator: %v, want %v", err, apperr.Forbidden)
	}
	if _, err := media.Upload(ctx, primary, data); err != nil {
		t.Fatal(err)
	}
	expectRetained("uploaded again")
	repo.MustWrite(ctx, primary, age{pic.Hash, aDay})
	repo.MustWrite(ctx, primary, show{pic.Hash})
	expectRetained("in a post")
	rows := count(t, primary, "SELECT COUNT(*) FROM writes")
	if _, err := media.Upload(ctx, primary, data); err != nil {
		t.Errorf("what is in use, again: %v", err)
	}
	if n := count(t, primary, "SELECT COUNT(*) FROM writes"); n != rows {
		t.Errorf("what is in use was written anew: %d rows, want %d", n, rows)
	}
	repo.MustWrite(ctx, primary, drop{media.Hash(nil)}) // the time of its last use has no date
	repo.MustWrite(ctx, primary, age{pic.Hash, aDay})
	if got := repo.MustWrite(system, primary, media.Sweep{Hash: pic.Hash}); !got.Removed {
		t.Errorf("in none: got %+v, want Removed true", got)
	}
}
