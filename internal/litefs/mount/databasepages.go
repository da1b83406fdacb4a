//go:build linux

package mount

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/superfly/litefs"
	"github.com/superfly/ltx"
)

// databasePages is a database's file, page by page.
type databasePages struct {
	file  *os.File
	size  uint32 // of a page; 0: it is no database
	count uint32
}

// headerSize is the size of a database's header.
const headerSize = 100

// pagesOf reads a database's header.
// Source: https://www.sqlite.org/fileformat.html#the_database_header
func pagesOf(file *os.File) (*databasePages, error) {
	header := make([]byte, headerSize)
	if _, err := file.ReadAt(header, 0); errors.Is(err, io.EOF) {
		return &databasePages{}, nil
	} else if err != nil {
		return nil, err
	}
	size := uint32(binary.BigEndian.Uint16(header[16:]))
	if size == 1 {
		size = 1 << 16
	}
	if !bytes.HasPrefix(header, []byte(litefs.SQLITE_DATABASE_HEADER_STRING)) || !ltx.IsValidPageSize(size) {
		return &databasePages{}, nil
	}
	return &databasePages{file: file, size: size}, nil
}

func (p *databasePages) read(page uint32) ([]byte, error) {
	data := make([]byte, p.size)
	_, err := p.file.ReadAt(data, int64(page-1)*int64(p.size))
	return data, err
}

func (p *databasePages) write(page uint32, data []byte) error {
	if page == 0 {
		return errors.New("there is no page 0")
	}
	_, err := p.file.WriteAt(data, int64(page-1)*int64(p.size))
	return err
}

// resize makes count pages the whole of it, down to the disk.
func (p *databasePages) resize(count uint32) error {
	p.count = count
	return errors.Join(p.file.Truncate(int64(count)*int64(p.size)), p.file.Sync())
}

// each calls do for every page but SQLite's lock page, in order.
func (p *databasePages) each(do func(page uint32, data []byte) error) error {
	for page := uint32(1); page <= p.count; page++ {
		if page == ltx.LockPgno(p.size) {
			continue
		}
		data, err := p.read(page)
		if err == nil {
			err = do(page, data)
		}
		if err != nil {
			return fmt.Errorf("page %d: %w", page, err)
		}
	}
	return nil
}

// checksum returns LiteFS's checksum of the whole.
func (p *databasePages) checksum() (ltx.Checksum, error) {
	var sum ltx.Checksum
	err := p.each(func(page uint32, data []byte) error {
		sum ^= ltx.ChecksumPage(page, data)
		return nil
	})
	return ltx.ChecksumFlag | sum, err
}

// freeLeaves returns the free pages that have no content: the leaves of the list.
// Source: https://www.sqlite.org/fileformat.html#the_freelist
func (p *databasePages) freeLeaves() (map[uint32]bool, error) {
	leaves := map[uint32]bool{}
	header, err := p.read(1)
	if err != nil {
		return nil, err
	}
	seen := map[uint32]bool{}
	for trunk := binary.BigEndian.Uint32(header[32:]); trunk != 0 && trunk <= p.count && !seen[trunk]; {
		seen[trunk] = true
		data, err := p.read(trunk)
		if err != nil {
			return nil, err
		}
		n := min(binary.BigEndian.Uint32(data[4:]), p.size/4-2)
		for i := range n {
			leaves[binary.BigEndian.Uint32(data[8+4*i:])] = true
		}
		trunk = binary.BigEndian.Uint32(data)
	}
	return leaves, nil
}
