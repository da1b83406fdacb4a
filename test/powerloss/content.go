//go:build linux

package powerloss

import (
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

const (
	pageSize   = 4096
	sectorSize = 512
)

// content is what was written to a file, and how it was truncated, since its last sync. The zero
// value is a file that is as on the disk.
type content struct {
	size   int64            // length of the file at the last sync
	mapped int64            // pages from the beginning that have had blocks ever since
	before map[int64][]byte // changed pages as they were at the last sync
	born   map[int64]int    // for each page that has got blocks since: how many changes there were before
	events []event          // in order
	counts map[int64]int    // for each page: how many of the events are its writes
}

// Of a page that is written again and again without a sync, a few versions are enough. Of more than
// most, all but the newest few are dropped.
const (
	mostVersions = 16
	fewVersions  = 4
)

// event is a write of one page, or a truncation.
type event struct {
	truncation bool
	size       int64 // of a truncation
	number     int   // how many changes there were before; for a truncation its own number

	page  int64
	data  []byte // the whole page after the write
	end   int64  // the file's length as far as this page determines it; 0 when the write does not change the length
	fresh bool   // the page had no blocks at the last sync
}

func (c *content) dirty() bool { return len(c.events) > 0 }

func pages(size int64) int64 { return (size + pageSize - 1) / pageSize }

func length(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// begin records the file as it is, unless it has done so already.
func (c *content) begin(f *os.File) error {
	if c.dirty() {
		return nil
	}
	size, err := length(f)
	if err != nil {
		return err
	}
	*c = content{
		size: size, mapped: pages(size), before: map[int64][]byte{}, born: map[int64]int{}, counts: map[int64]int{},
	}
	return nil
}

// recordBefore records the pages from first to end, without end, that are as at the last sync.
func (c *content) recordBefore(f *os.File, first, end int64) error {
	for page := first; page < min(end, pages(c.size)); page++ {
		if _, ok := c.before[page]; ok {
			continue
		}
		data, err := readPage(f, page)
		if err != nil {
			return err
		}
		c.before[page] = data
	}
	return nil
}

// write writes to the file. changes is how many changes there were before.
func (c *content) write(f *os.File, p []byte, offset int64, changes int) error {
	if len(p) == 0 {
		return nil
	}
	first, end := offset/pageSize, pages(offset+int64(len(p)))
	if err := errors.Join(c.begin(f), c.recordBefore(f, first, end)); err != nil {
		return err
	}
	n, fault := f.WriteAt(p, offset)
	if n == 0 {
		return fault
	}
	// A disk that is full has a part of it.
	size, err := length(f)
	if err != nil {
		return err
	}
	return errors.Join(fault, c.record(f, first, pages(offset+int64(n)), func(e *event) {
		e.number, e.end = changes, min(size, (e.page+1)*pageSize)
		if e.fresh = e.page >= c.mapped; !e.fresh {
			return
		}
		if _, ok := c.born[e.page]; !ok {
			c.born[e.page] = changes
		}
		e.number = c.born[e.page]
	}))
}

// record appends an event for each page from first to end, without end.
func (c *content) record(f *os.File, first, end int64, complete func(e *event)) error {
	for page := first; page < end; page++ {
		data, err := readPage(f, page)
		if err != nil {
			return err
		}
		e := event{page: page, data: data}
		complete(&e)
		c.events = append(c.events, e)
		if c.counts[page]++; c.counts[page] > mostVersions {
			c.thin(page)
		}
	}
	return nil
}

// thin drops all but the newest few writes of a page.
func (c *content) thin(page int64) {
	c.events = slices.DeleteFunc(c.events, func(e event) bool {
		old := !e.truncation && e.page == page && c.counts[page] > fewVersions
		if old {
			c.counts[page]--
		}
		return old
	})
}

// truncate sets the file's length. number is the number of this change.
func (c *content) truncate(f *os.File, size int64, number int) error {
	if err := errors.Join(c.begin(f), c.recordBefore(f, size/pageSize, pages(c.size))); err != nil {
		return err
	}
	if err := f.Truncate(size); err != nil {
		return err
	}
	c.mapped = min(c.mapped, pages(size))
	maps.DeleteFunc(c.born, func(page int64, _ int) bool { return page >= pages(size) })
	c.events = append(c.events, event{truncation: true, size: size, number: number})
	return nil
}

// punch frees blocks. On the disk they are zeros, or what they were.
func (c *content) punch(f *os.File, offset, size int64) error {
	now, err := length(f)
	if err != nil {
		return err
	}
	first, end := offset/pageSize, min(pages(offset+size), pages(now))
	if err := errors.Join(c.begin(f), c.recordBefore(f, first, end)); err != nil {
		return err
	}
	const hole = unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE
	if err := unix.Fallocate(int(f.Fd()), hole, offset, size); err != nil {
		return err
	}
	return c.record(f, first, end, func(*event) {})
}

// lose draws which events have reached the disk, and which changes survive, and writes the file
// accordingly. It returns how many writes of pages there were, and how many of them are lost.
func (c *content) lose(f *os.File, draw *rand.Rand, surviving int) (writes, lost int, err error) {
	state := &crashed{content: c, file: f, draw: draw, size: c.size, valid: c.size, written: map[int64][]byte{}}
	chance := draw.Float64()
	switch draw.IntN(4) { // a file of which everything is there, or nothing, is as likely as any other
	case 0:
		chance = 0
	case 1:
		chance = 1
	}
	touched := map[int64]bool{}
	for page := range c.before {
		touched[page] = true
	}
	for _, e := range c.events {
		if e.truncation {
			if e.number < surviving {
				err = state.truncate(e.size)
			}
		} else {
			touched[e.page] = true
			writes++
			var done bool
			if done, err = state.write(e, chance, surviving); !done {
				lost++
			}
		}
		if err != nil {
			return writes, lost, err
		}
	}
	return writes, lost, state.finish(slices.Sorted(maps.Keys(touched)))
}

// crashed is a file as it is found after a loss.
type crashed struct {
	content *content
	file    *os.File
	draw    *rand.Rand
	size    int64
	valid   int64 // what remains of the file of the last sync, from its beginning
	written map[int64][]byte
}

// read returns a page.
func (s *crashed) read(page int64) ([]byte, error) {
	if data, ok := s.written[page]; ok {
		return slices.Clone(data), nil
	}
	data := make([]byte, pageSize)
	if page >= pages(s.valid) {
		return data, nil
	}
	if before, ok := s.content.before[page]; ok {
		copy(data, before)
	} else if _, err := readFull(s.file, data, page*pageSize); err != nil { // nothing was written to it yet
		return nil, err
	}
	clear(data[min(pageSize, max(0, s.valid-page*pageSize)):])
	return data, nil
}

// truncate applies a truncation that has survived.
func (s *crashed) truncate(size int64) error {
	last, within := size/pageSize, size%pageSize
	data, err := s.read(last)
	if err != nil {
		return err
	}
	clear(data[within:])
	s.size, s.valid = size, min(s.valid, size)
	maps.DeleteFunc(s.written, func(page int64, _ []byte) bool { return page >= last })
	if within > 0 {
		s.written[last] = data
	}
	return nil
}

// write draws whether a write has reached the disk, and reports whether it has.
func (s *crashed) write(e event, chance float64, surviving int) (bool, error) {
	there := s.draw.Float64() < chance
	longer := s.draw.Float64() < chance
	torn := s.draw.IntN(8) == 0
	cut := (1 + s.draw.IntN(pageSize/sectorSize-1)) * sectorSize
	if e.fresh {
		longer = there // the length is that of what has blocks
		if e.number > surviving {
			return false, nil
		}
	}
	if longer && e.number <= surviving {
		s.size = max(s.size, e.end)
	}
	if !there {
		return false, nil
	}
	data := e.data
	_, written := s.written[e.page]
	if torn && e.end > 0 && (written || !e.fresh) { // it goes to existing blocks
		old, err := s.read(e.page)
		if err != nil {
			return false, err
		}
		if data = slices.Clone(e.data); s.draw.IntN(2) == 0 {
			copy(data[cut:], old[cut:])
		} else {
			copy(data[:cut], old[:cut])
		}
	}
	s.written[e.page] = data
	return true, nil
}

// finish writes the pages that differ, and the length, to the file.
func (s *crashed) finish(touched []int64) error {
	data := make([][]byte, len(touched))
	for i, page := range touched {
		var err error
		if data[i], err = s.read(page); err != nil {
			return err
		}
	}
	for i, page := range touched {
		within := min(s.size-page*pageSize, pageSize)
		if within <= 0 {
			continue
		}
		if _, err := s.file.WriteAt(data[i][:within], page*pageSize); err != nil {
			return err
		}
	}
	return s.file.Truncate(s.size)
}

func readPage(f *os.File, page int64) ([]byte, error) {
	data := make([]byte, pageSize)
	_, err := readFull(f, data, page*pageSize)
	return data, err
}

// readFull reads until p is full or the file ends.
func readFull(f *os.File, p []byte, offset int64) (int, error) {
	n, err := f.ReadAt(p, offset)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}
