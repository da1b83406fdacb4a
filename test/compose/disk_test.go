package compose_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/superfly/ltx"

	"blog/internal/repo"
	"blog/test/cluster"
	"blog/test/compose"
)

// transaction is an LTX file with one page.
type transaction struct {
	id         ltx.TXID
	pre, post  ltx.Checksum
	mark       repo.Mark
	cut, named int // bytes that are missing at its end; another id in its name
}

func (x transaction) MustWrite(tb testing.TB, dir string) {
	tb.Helper()
	const pageSize = 512
	var file bytes.Buffer
	enc := ltx.NewEncoder(&file)
	page := make([]byte, pageSize)
	copy(page[100:], x.mark[:])
	err := enc.EncodeHeader(ltx.Header{
		Version: ltx.Version, PageSize: pageSize, Commit: 2, MinTXID: x.id, MaxTXID: x.id,
		PreApplyChecksum: ltx.ChecksumFlag | x.pre,
	})
	if err == nil {
		err = enc.EncodePage(ltx.PageHeader{Pgno: 2}, page)
	}
	enc.SetPostApplyChecksum(ltx.ChecksumFlag | x.post)
	if err == nil {
		err = enc.Close()
	}
	if err == nil {
		err = os.MkdirAll(dir, 0o750)
	}
	name := ltx.FormatFilename(x.id, x.id)
	if x.named != 0 {
		name = ltx.FormatFilename(ltx.TXID(x.named), ltx.TXID(x.named)) // #nosec G115 -- a small number
	}
	data := file.Bytes()
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name), data[:len(data)-x.cut], 0o600)
	}
	if err != nil {
		tb.Fatal(err)
	}
}

// TestDisks: an acknowledgement that rests on two nodes is on two disks, in a file that is whole and at its place.
func TestDisks(t *testing.T) {
	mark := repo.Mark{1, 2, 3}
	row := repo.Cursor{Seq: 7, Mark: mark}
	history := func(third transaction) []transaction {
		third.id, third.pre, third.post = max(third.id, 3), 2, max(third.post, 3)
		return []transaction{{id: 2, pre: 1, post: 2}, third}
	}
	whole := history(transaction{mark: mark})
	for name, c := range map[string]struct {
		standby []transaction
		wrong   string
	}{
		"both have it":            {whole, ""},
		"and a later one":         {append(whole, transaction{id: 4, pre: 3, post: 4, mark: mark}), ""},
		"not there":               {history(transaction{}), "none of the newest 2 files has the row"},
		"nothing is there":        {nil, "no such file"},
		"half of it":              {history(transaction{mark: mark, cut: 8}), "0000000000000003.ltx"},
		"another transaction":     {history(transaction{mark: mark, post: 9}), "fra2 at"},
		"not its name":            {history(transaction{mark: mark, named: 4}), "its header says"},
		"not where the last ends": {append(whole, transaction{id: 4, pre: 8, post: 9}), "the one after it begins at"},
	} {
		dirs := [2]string{t.TempDir(), t.TempDir()}
		for i, all := range [2][]transaction{whole, c.standby} {
			for _, x := range all {
				x.MustWrite(t, filepath.Join(dirs[i], "dbs", "blog.db", "ltx"))
			}
		}
		d := &compose.Disks{Nodes: []*compose.Node{(&compose.Node{Name: "fra1"}).At(dirs[0]),
			(&compose.Node{Name: "fra2"}).At(dirs[1])}}
		d.Durable = func(context.Context, *compose.Node, string, time.Time) error { return nil }
		answered := time.Now()
		expect(t, name, d.Compare(t.Context(), row, answered), c.wrong)
		if name == "not where the last ends" {
			d.Nodes[1].Forget(3)
			err := d.Compare(t.Context(), row, answered)
			expect(t, "the test deleted the one before", err, "none of the newest 1 files has the row")
		}
		if name != "both have it" {
			continue
		}
		var asked []string
		d.Durable = func(_ context.Context, n *compose.Node, path string, then time.Time) error {
			if then != answered {
				t.Errorf("asked for %s, want %s", then, answered)
			}
			asked = append(asked, n.Name+" "+filepath.Base(path))
			return errors.New("is not synced")
		}
		expect(t, "not synced", d.Compare(t.Context(), row, answered), "is not synced")
		const file = "0000000000000003-0000000000000003.ltx"
		if got := strings.Join(asked, ", "); got != "fra1 "+file+", fra2 "+file {
			t.Errorf("asked whether %s is synced", got)
		}
	}
}

// TestDisksSynced: on a volume that remembers what was not synced, a transaction counts that was synced, with its name,
// when it was answered.
func TestDisksSynced(t *testing.T) {
	row := repo.Cursor{Seq: 7, Mark: repo.Mark{1, 2, 3}}
	volume := cluster.StartVolume(t, filepath.Join(t.TempDir(), "data"))
	d := &compose.Disks{Nodes: []*compose.Node{compose.NodeOnVolume("fra1", volume)}}
	dir := filepath.Join(volume.Dir, "dbs", "blog.db", "ltx")
	transaction{id: 2, pre: 1, post: 2}.MustWrite(t, dir)
	transaction{id: 3, pre: 2, post: 3, mark: row.Mark}.MustWrite(t, dir)
	const name = "0000000000000003-0000000000000003.ltx"
	compare := func(what string, answered time.Time, wrong string) {
		t.Helper()
		expect(t, what, d.Compare(t.Context(), row, answered), wrong)
	}
	compare("not synced", time.Now(), name+": ")
	mustSync(t, dir)
	compare("its name alone is", time.Now(), "is not synced")
	before := time.Now()
	mustSync(t, filepath.Join(dir, name))
	compare("synced", time.Now(), "")
	compare("synced after the answer", before, "after the answer")
	d.Nodes[0].Forget(2)
	compare("it may not be the row's first transaction, since the test deleted the one before", before, "")
	if _, err := volume.Lose(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	compare("without power", time.Now(), name)
	volume.Start(t)
	compare("back after the loss", before, "")
}

func mustSync(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path) // #nosec G304 -- a test's own
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestKilledIn: a process that has a SIGKILL, or has ended.
func TestKilledIn(t *testing.T) {
	const status = "Name:\tblog\nState:\tD (disk sleep)\nSigPnd:\t%s\nShdPnd:\t%s\n"
	for text, want := range map[string]bool{
		fmt.Sprintf(status, "0000000000000000", "0000000000000000"): false,
		fmt.Sprintf(status, "0000000000004000", "0000000000000000"): false, // SIGTERM
		fmt.Sprintf(status, "0000000000000100", "0000000000000000"): true,
		fmt.Sprintf(status, "0000000000000000", "0000000000004100"): true,
		"Name:\tblog\nState:\tZ (zombie)\n":                         true,
	} {
		if got := compose.KilledIn(text); got != want {
			t.Errorf("%q: %t, want %t", text, got, want)
		}
	}
}

// TestDisksSample: of the answers that rest on two nodes some are compared, and what is wrong with one is kept.
func TestDisksSample(t *testing.T) {
	d := &compose.Disks{Nodes: []*compose.Node{(&compose.Node{Name: "fra1"}).At(t.TempDir())}}
	row := repo.Cursor{Seq: 7, Mark: repo.Mark{1}}
	two := compose.Answer{Outcome: compose.OK, Assurance: repo.Two, Cursor: row.String()}
	alone, again := two, two
	alone.Assurance, again.Replayed = repo.Alone, true
	for _, answer := range []compose.Answer{alone, again} {
		for range compose.SampleEvery {
			d.Acknowledged(t.Context(), compose.Ask{Key: "k"}, answer)
		}
	}
	expect(t, "none that is compared", d.Err(), "")
	for range compose.SampleEvery {
		d.Acknowledged(t.Context(), compose.Ask{Key: "k"}, two)
	}
	compared, answers := d.Seen()
	if got, want := [2]int{compared, answers}, [2]int{1, 3 * compose.SampleEvery}; got != want {
		t.Errorf("got compared and answers %v, want %v", got, want)
	}
	expect(t, "one that is", d.Err(), "key k")
}
