//go:build linux

package powerloss_test

import (
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"blog/test/powerloss"
)

// walk does the same to a disk and to the model.
type walk struct {
	*model
	disk *disk
	draw *rand.Rand
}

// TestRandomWalk: what is left after random operations is something that the model allows.
func TestRandomWalk(t *testing.T) {
	parent := mustFolder(t)
	var total powerloss.Loss
	durableFiles := 0
	for seed := range uint64(200) {
		dir := filepath.Join(parent, strconv.FormatUint(seed, 10))
		w := &walk{model: newModel(t), draw: rand.New(rand.NewPCG(seed, seed))}
		for range 3 {
			w.disk = mustOpen(t, dir, powerloss.Options{})
			for range w.draw.IntN(250) {
				w.step()
			}
			durable := w.disk.files(true)
			loss, err := w.disk.Lose(w.draw.Uint64())
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range durable {
				if left := show(t, dir); !always([]string{left}, file) {
					t.Errorf("%s was said to be durable, and left is: %q", file, left)
				}
			}
			durableFiles += len(durable)
			total.ChangesLost += loss.ChangesLost
			total.WritesLost += loss.WritesLost
			w.check(dir)
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	}
	t.Logf("lost: %+v, and %d files were durable", total, durableFiles)
	if total.ChangesLost < 100 || total.WritesLost < 100 || durableFiles < 100 {
		t.Error("hardly anything was lost, or durable")
	}
}

// step does one operation, if it is possible.
func (w *walk) step() {
	a, b := w.name(), w.name()
	id, there := w.tree()[a]
	folder := there && w.folder[id]
	file := there && !folder
	other, taken := w.tree()[b]
	parents := w.has(parentOf(a)) && w.has(parentOf(b))
	switch w.draw.IntN(12) {
	case 0, 1:
		if !there && parents {
			w.disk.create(a)
			w.add(a, false, w.inode(a))
		}
	case 2:
		if !there && parents && strings.Count(a, "/") == 0 {
			w.disk.mkdir(a)
			w.add(a, true, w.inode(a))
		}
	case 3, 4, 5:
		if file {
			offset := w.draw.IntN(3 * 4096)
			text := strings.Repeat(w.letter(26), 1+w.draw.IntN(6000))
			w.disk.write(a, int64(offset), text)
			w.write(a, offset, text)
		}
	case 6:
		if file {
			size := w.draw.IntN(4 * 4096)
			w.disk.truncate(a, int64(size))
			w.truncate(a, size)
		}
	case 7:
		if there {
			w.disk.sync(a)
			w.sync(a, w.synced)
		}
	case 8:
		if file {
			w.disk.must(w.disk.at(a).SyncData())
			w.sync(a, w.data)
		}
	case 9:
		if file && !taken && parents {
			w.disk.link(a, b)
			w.link(a, b)
		}
	case 10:
		if a != "" && there && (file || w.empty(a)) {
			w.disk.remove(a)
			w.remove(a)
		}
	case 11:
		fits := !taken || (file && !w.folder[other]) || (folder && w.folder[other] && w.empty(b))
		if a != "" && b != "" && there && parents && fits && a != b && !strings.HasPrefix(b+"/", a+"/") {
			w.disk.rename(a, b)
			w.rename(a, b)
		}
	}
}

// name draws a path: the root, an entry of it, or an entry of one of two folders.
func (w *walk) name() string {
	base := w.letter(4)
	switch w.draw.IntN(8) {
	case 0:
		return ""
	case 1, 2, 3:
		return base
	}
	return w.letter(2) + "/" + base
}

// letter draws one of the first n letters.
func (w *walk) letter(n int) string {
	i := w.draw.IntN(n)
	return "abcdefghijklmnopqrstuvwxyz"[i : i+1]
}

// has reports whether there is such a folder.
func (w *walk) has(name string) bool {
	id, ok := w.tree()[name]
	return ok && w.folder[id]
}

func (w *walk) inode(name string) uint64 {
	info, err := w.disk.at(name).Stat()
	w.disk.must(err)
	return info.Sys().(*syscall.Stat_t).Ino
}
