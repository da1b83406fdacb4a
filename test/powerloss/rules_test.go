//go:build linux

package powerloss_test

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"testing"
	"time"

	"blog/test/powerloss"
)

// rule is a sequence of operations, and exactly everything that may be left after it.
type rule struct {
	name   string
	before func(d *disk) // durable
	do     func(d *disk)
	want   []string
}

func old(d *disk) { d.put("f", "old") }

// TestData: what is written is there after its sync, and may be there before.
func TestData(t *testing.T) {
	testRules(t, []rule{
		{"a write is lost or not", old, func(d *disk) { d.write("f", 0, "new") }, []string{"f=new", "f=old"}},
		{"a synced write is there", old, func(d *disk) {
			d.write("f", 0, "new")
			d.sync("f")
		}, []string{"f=new"}},
		{"fdatasync is a sync of data", old, func(d *disk) {
			d.write("f", 0, "new")
			d.must(d.at("f").SyncData())
		}, []string{"f=new"}},
		{"a write after the sync is lost or not", old, func(d *disk) {
			d.write("f", 0, "new")
			d.sync("f")
			d.write("f", 0, "NEW")
		}, []string{"f=NEW", "f=new"}},
		{"a page is as after any of its writes", old, func(d *disk) {
			d.write("f", 0, "1")
			d.write("f", 1, "2")
			d.write("f", 2, "3")
		}, []string{"f=123", "f=12d", "f=1ld", "f=old"}},
		{"of many writes the old ones are forgotten", old, func(d *disk) {
			for i := range 40 {
				d.write("f", 0, string(rune('a'+i/10)))
			}
		}, []string{"f=cld", "f=dld", "f=old"}},
		{"another file's sync is nothing to it", func(d *disk) { d.put("f", "old"); d.put("g", "old") }, func(d *disk) {
			d.write("f", 0, "new")
			d.write("g", 0, "new")
			d.sync("g")
		}, []string{"f=new g=new", "f=old g=new"}},
		{"pages are lost one by one", func(d *disk) { d.put("f", page("a")+page("b")) }, func(d *disk) {
			d.write("f", 0, "x")
			d.write("f", 4096, "y")
		}, []string{"f=a4096 b4096", "f=a4096 yb4095", "f=xa4095 b4096", "f=xa4095 yb4095"}},
		{"a file grows by what has reached the disk", func(d *disk) { d.put("f", page("a")) }, func(d *disk) {
			d.write("f", 4096, page("b"))
			d.write("f", 8192, "c")
		}, []string{"f=a4096", "f=a4096 04096 c", "f=a4096 b4096", "f=a4096 b4096 c"}},
		{"within its last page it may grow without its data", old, func(d *disk) { d.write("f", 3, "er") },
			[]string{"f=old", "f=old00", "f=older"}},
		{"a hole is what it was, or zeros", func(d *disk) { d.put("f", page("a")+page("b")) }, func(d *disk) {
			d.must(d.at("f").Punch(0, 4096))
		}, []string{"f=04096 b4096", "f=a4096 b4096"}},
		{"a removed file that is open can be written", old, func(d *disk) {
			i := d.at("f")
			d.must(i.Open(true))
			d.remove("f")
			d.must(i.WriteAt([]byte("new"), 0))
			var text [3]byte
			if _, err := i.ReadAt(text[:], 0); err != nil || string(text[:]) != "new" {
				t.Errorf("read %q, %v, want no error and %q", text, err, "new")
			}
			d.must(i.Release())
			d.sync("")
		}, []string{""}},
	})
}

// TestTornPage: a page may be half old and half new, divided at the end of a sector.
func TestTornPage(t *testing.T) {
	before := func(d *disk) { d.put("f", page("a")) }
	got, _, _ := outcomes(t, powerloss.Options{}, before, func(d *disk) { d.write("f", 0, page("b")) })
	want := []string{"f=a4096", "f=b4096"}
	for cut := 512; cut < 4096; cut += 512 {
		want = append(want, fmt.Sprintf("f=a%d b%d", cut, 4096-cut), fmt.Sprintf("f=b%d a%d", cut, 4096-cut))
	}
	for _, outcome := range got {
		if !slices.Contains(want, outcome) {
			t.Errorf("left: %s", outcome)
		}
	}
	if len(got) < 8 {
		t.Errorf("few pages are torn: %q, want at least 8 of them", got)
	}
}

// TestNames: names change in order, and are durable after a sync of the folder or of the file.
func TestNames(t *testing.T) {
	replace := func(d *disk) {
		d.put("n", "new")
		d.sync("n")
		d.rename("n", "f")
	}
	testRules(t, []rule{
		{"a new file is not there, empty, or whole", nil, func(d *disk) { d.put("f", "x") }, []string{"", "f=", "f=x"}},
		{"a synced new file has its name", nil, func(d *disk) {
			d.put("f", "x")
			d.sync("f")
		}, []string{"f=x"}},
		{"fdatasync is enough for that", nil, func(d *disk) {
			d.put("f", "x")
			d.must(d.at("f").SyncData())
		}, []string{"f=x"}},
		{"a folder's sync is for names, not for data", nil, func(d *disk) {
			d.put("f", "x")
			d.sync("")
		}, []string{"f=", "f=x"}},
		{"a renaming may be lost", old, replace, []string{"f=new", "f=old n=new"}},
		{"not after the folder's sync", old, func(d *disk) { replace(d); d.sync("") }, []string{"f=new"}},
		{"not after the file's sync", old, func(d *disk) { replace(d); d.sync("f") }, []string{"f=new"}},
		{"but after fdatasync", old, func(d *disk) {
			replace(d)
			d.must(d.at("f").SyncData())
		}, []string{"f=new", "f=old n=new"}},
		{"a file is renamed before its data is there", old, func(d *disk) {
			d.put("n", "new")
			d.rename("n", "f")
		}, []string{"f=", "f=new", "f=old", "f=old n=", "f=old n=new"}},
	})
}

// TestRemovalsAndLinks: names are removed and added in order, too.
func TestRemovalsAndLinks(t *testing.T) {
	testRules(t, []rule{
		{"a removal may be lost", old, func(d *disk) { d.remove("f") }, []string{"", "f=old"}},
		{"not after the folder's sync", old, func(d *disk) { d.remove("f"); d.sync("") }, []string{""}},
		{"a removed file comes back as it was written", old, func(d *disk) {
			d.write("f", 0, "new")
			d.remove("f")
		}, []string{"", "f=new", "f=old"}},
		{"changes survive in order", func(d *disk) { d.create("c") }, func(d *disk) {
			d.create("a")
			d.create("b")
			d.remove("c")
		}, []string{"a= b=", "a= b= c=", "a= c=", "c="}},
		{"a sync brings all changes before the file's own last one", nil, func(d *disk) {
			d.create("a")
			d.create("b")
			d.create("c")
			d.sync("b")
		}, []string{"a= b=", "a= b= c="}},
		{"a link may be lost", old, func(d *disk) { d.link("f", "g") }, []string{"f=old", "f=old g=old"}},
		{"not after the file's sync", old, func(d *disk) { d.link("f", "g"); d.sync("f") }, []string{"f=old g=old"}},
		{"a file lives by its other name", old, func(d *disk) {
			d.link("f", "g")
			d.remove("f")
			d.write("g", 0, "new")
			d.sync("g")
			d.sync("")
		}, []string{"g=new"}},
		{"a name is another file's", old, func(d *disk) {
			d.remove("f")
			d.put("f", "new")
		}, []string{"", "f=", "f=new", "f=old"}},
	})
}

// TestFolders: folders and their entries follow the same rules.
func TestFolders(t *testing.T) {
	folders := func(d *disk) {
		d.mkdir("a")
		d.mkdir("b")
		d.put("a/f", "old")
	}
	testRules(t, []rule{
		{"a synced file brings its folders", nil, func(d *disk) {
			d.mkdir("a")
			d.mkdir("a/b")
			d.put("a/b/f", "x")
			d.sync("a/b/f")
		}, []string{"a/ a/b/ a/b/f=x"}},
		{"folders may be lost", nil, func(d *disk) { d.mkdir("a"); d.mkdir("a/b") }, []string{"", "a/", "a/ a/b/"}},
		{"a folder is renamed with what is in it", func(d *disk) { d.mkdir("a"); d.put("a/f", "old") }, func(d *disk) {
			d.rename("a", "b")
			d.write("b/f", 0, "new")
			d.rename("b/f", "b/g")
		}, []string{"a/ a/f=new", "a/ a/f=old", "b/ b/f=new", "b/ b/f=old", "b/ b/g=new", "b/ b/g=old"}},
		{"a removed folder comes back", func(d *disk) { d.mkdir("a"); d.put("a/f", "old") }, func(d *disk) {
			d.remove("a/f")
			d.remove("a")
			d.mkdir("a")
		}, []string{"", "a/", "a/ a/f=old"}},
		{"a file moves between folders", folders, func(d *disk) {
			d.rename("a/f", "b/f")
		}, []string{"a/ a/f=old b/", "a/ b/ b/f=old"}},
		{"the sync of either folder brings that", folders, func(d *disk) {
			d.rename("a/f", "b/f")
			d.sync("a")
		}, []string{"a/ b/ b/f=old"}},
	})
}

// TestTruncation: a truncation is a change of the journal, and removes blocks of a file.
func TestTruncation(t *testing.T) {
	two := func(d *disk) { d.put("f", page("a")+page("b")) }
	testRules(t, []rule{
		{"may be lost", old, func(d *disk) { d.truncate("f", 1) }, []string{"f=o", "f=old"}},
		{"not after a sync", old, func(d *disk) { d.truncate("f", 1); d.sync("f") }, []string{"f=o"}},
		{"not after fdatasync", old, func(d *disk) { d.truncate("f", 1); d.must(d.at("f").SyncData()) }, []string{"f=o"}},
		{"what is written to new blocks needs it", two, func(d *disk) {
			d.truncate("f", 0)
			d.write("f", 0, "c")
		}, []string{"f=", "f=a4096 b4096", "f=c"}},
		{"what is written to old blocks does not", two, func(d *disk) {
			d.truncate("f", 4096)
			d.write("f", 0, "c")
		}, []string{"f=a4096", "f=a4096 b4096", "f=ca4095", "f=ca4095 b4096"}},
		{"longer, it reads as zeros", old, func(d *disk) {
			d.truncate("f", 1)
			d.truncate("f", 4)
			d.sync("f")
		}, []string{"f=o000"}},
		{"in order with names", old, func(d *disk) {
			d.create("a")
			d.truncate("f", 1)
			d.create("b")
		}, []string{"a= b= f=o", "a= f=o", "a= f=old", "f=old"}},
		{"data in new blocks needs the changes before it", old, func(d *disk) {
			d.create("a")
			d.write("f", 4096, "x")
		}, []string{"a= f=old", "a= f=old04093 x", "f=old"}},
	})
}

func testRules(t *testing.T, rules []rule) {
	t.Helper()
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			got, durable, unsynced := outcomes(t, powerloss.Options{}, r.before, r.do)
			if !slices.Equal(got, r.want) {
				t.Errorf("left: %q\nwant: %q", got, r.want)
			}
			for _, file := range durable {
				if !always(got, file) {
					t.Errorf("%s is said to be durable, and left is: %q", file, got)
				}
			}
			for _, file := range unsynced {
				if always(got, file) {
					t.Errorf("%s is said to be unsynced, and left is: %q", file, got)
				}
			}
		})
	}
}

// always reports whether a file is in all that may be left.
func always(outcomes []string, file string) bool {
	return !slices.ContainsFunc(outcomes, func(left string) bool { return !slices.Contains(entries(left), file) })
}

// TestIgnoreSync: with it, what was synced is lost.
func TestIgnoreSync(t *testing.T) {
	got, durable, _ := outcomes(t, powerloss.Options{IgnoreSync: true}, nil, func(d *disk) {
		d.put("f", "x")
		d.sync("f")
		d.sync("")
	})
	if want := []string{"", "f=", "f=x"}; !slices.Equal(got, want) || len(durable) > 0 {
		t.Errorf("left: %q\nwant: %q, and durable are %q", got, want, durable)
	}
}

// TestSameSeed: a seed gives the same loss each time.
func TestSameSeed(t *testing.T) {
	var losses [2]powerloss.Loss
	var left [2]string
	for i := range losses {
		dir := t.TempDir()
		d := mustOpen(t, dir, powerloss.Options{})
		for _, name := range []string{"a", "b", "c", "d"} {
			d.put(name, page("x")+page("y"))
		}
		var err error
		losses[i], err = d.Lose(42)
		d.must(err)
		left[i] = show(t, dir)
	}
	if losses[0] != losses[1] || left[0] != left[1] {
		t.Errorf("%+v, %s\nand %+v, %s", losses[0], left[0], losses[1], left[1])
	}
	if want := (powerloss.Loss{Seed: 42, Changes: 4, Writes: 8, Files: 4}); losses[0].Changes != want.Changes ||
		losses[0].Writes != want.Writes || losses[0].Files != want.Files {
		t.Errorf("loss: %+v, want as many as %+v", losses[0], want)
	}
}

// TestDurableSince: a file is durable since the later of the two syncs that it needs; one that was there, since ever.
func TestDurableSince(t *testing.T) {
	dir := t.TempDir()
	mustOpen(t, dir, powerloss.Options{}).put("old", "x")
	d := mustOpen(t, dir, powerloss.Options{})
	if since, err := d.Durable("old"); err != nil || !since.IsZero() {
		t.Errorf("what was there is durable since %s, %v", since, err)
	}
	d.put("tmp", "x")
	d.sync("tmp")
	d.rename("tmp", "f")
	if since, err := d.Durable("f"); !errors.Is(err, powerloss.ErrUnsynced) {
		t.Errorf("a file whose renaming may be lost is durable since %s, %v, want %v", since, err, powerloss.ErrUnsynced)
	}
	before := time.Now()
	d.sync("")
	after := time.Now()
	if since, err := d.Durable("f"); err != nil || since.Before(before) || since.After(after) {
		t.Errorf("durable since %s, %v, and was synced between %s and %s", since, err, before, after)
	}
	d.link("f", "g")
	d.sync("")
	if since, err := d.Durable("f"); err != nil || since.After(after) {
		t.Errorf("a file that has got another name is durable since %s, %v, and was synced until %s", since, err, after)
	}
	if since, err := d.Durable("g"); err != nil || since.Before(after) {
		t.Errorf("another name is durable since %s, %v, and was given after %s, want no error and not before %v", since, err,
			after, after)
	}
	d.remove("g")
	d.sync("")
	if since, err := d.Durable("f"); err != nil || since.After(after) {
		t.Errorf("a file that has lost another name is durable since %s, %v, and was synced until %s", since, err, after)
	}
	d.write("f", 1, "y")
	d.Freeze(0)
	if since, err := d.Durable("f"); !errors.Is(err, powerloss.ErrUnsynced) {
		t.Errorf("a file with an unsynced write, on a frozen disk, is durable since %s, %v, want %v", since, err,
			powerloss.ErrUnsynced)
	}
	if _, err := d.Durable("g"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v, want %v", err, fs.ErrNotExist)
	}
}
