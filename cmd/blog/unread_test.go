package main_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	main "blog/cmd/blog"
)

// lockedFS is a file system in which the folders of a name cannot be read, as they cannot by who is not
// their owner.
type lockedFS struct {
	fstest.MapFS
	locked string
}

func (l lockedFS) ReadDir(name string) ([]fs.DirEntry, error) {
	if filepath.Base(name) == l.locked {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return l.MapFS.ReadDir(name)
}

// Sub hides that of MapFS, which knows no locks.
func (l lockedFS) Sub(dir string) (fs.FS, error) { return fs.Sub(struct{ fs.ReadDirFS }{l}, dir) }

// TestFoldersThatCannotBeRead: what may be in one is not said to be missing, and nothing else is kept out.
func TestFoldersThatCannotBeRead(t *testing.T) {
	fsys := lockedFS{fstest.MapFS{
		"a.md": {}, "b/c.md": {}, "b/locked/d.md": {}, "b/locked/p.png": {}, "static/locked/q.png": {}, "r.png": {},
	}, "locked"}
	for dest, want := range map[string]string{
		"r.png": "", "locked/p.png": "b/locked cannot be read", "/locked/q.png": "static/locked cannot be read",
		"other/s.png": "does not exist", "t.png": "b/locked cannot be read", "../../../u.png": "above the folder",
	} {
		place, problem := main.FindPicture(fsys, ".", "b/c.md", dest)
		if found := place != ""; found != (want == "") {
			t.Errorf("%s: got the place %q, want one: %t", dest, place, want == "")
		}
		if !strings.Contains(problem, want) {
			t.Errorf("%s: got the problem %q, want %q in it", dest, problem, want)
		}
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	names, left, err := main.ReadFolder(dir, fsys)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a.md", "b/c.md"}, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if len(left) != 2 {
		t.Errorf("got %d left, want 2: %v", len(left), left)
	}
	if got, want := left["b/locked"], "cannot be read: permission denied"; got != want {
		t.Errorf("b/locked: got the reason %q, want %q", got, want)
	}
	if _, _, err := main.ReadFolder(dir, lockedFS{fstest.MapFS{"a.md": {}}, "."}); err == nil {
		t.Error("a folder that cannot be read itself: got no error, want one")
	}
}

// TestTooManyPictures: a folder that has more pictures than are looked through can be read, and the refusal says what
// is wrong with it and what to do.
func TestTooManyPictures(t *testing.T) {
	const most = 200_000
	many := fstest.MapFS{}
	for n := range most {
		many[fmt.Sprintf("uploads/%d.png", n)] = &fstest.MapFile{}
	}
	if files, unread, err := main.PicturesBeside(many, false); len(files) != most || len(unread) != 0 || err != nil {
		t.Errorf("%d pictures: got %d, unread %v, error %v", most, len(files), unread, err)
	}
	many["uploads/more/one.png"] = &fstest.MapFile{}
	for _, named := range []bool{false, true} {
		_, unread, err := main.PicturesBeside(many, named)
		if err == nil {
			t.Fatalf("named %t: got no error, unread %v, want one", named, unread)
		}
		for _, want := range []string{"more than 200000 pictures", "--root DIR"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("named %t: got the error %q, want %q in it", named, err, want)
			}
		}
		if strings.Contains(err.Error(), "cannot be read") {
			t.Errorf("named %t: got the error %q, want none about reading", named, err)
		}
	}
	locked := lockedFS{fstest.MapFS{"uploads/a.png": {}, "images/b.png": {}}, "images"}
	files, unread, err := main.PicturesBeside(locked, false)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"uploads/a.png"}, files); diff != "" {
		t.Errorf("pictures (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"images"}, unread); diff != "" {
		t.Errorf("folders that cannot be read (-want +got):\n%s", diff)
	}
	_, _, err = main.PicturesBeside(lockedFS{fstest.MapFS{"a.png": {}}, "."}, true)
	if got, want := fmt.Sprint(err), "pictures cannot be read: permission denied."; !strings.HasSuffix(got, want) {
		t.Errorf("got the error %q, want %q at its end", got, want)
	}
}
