//go:build linux

package mount

import (
	"bytes"
	"fmt"

	"github.com/superfly/ltx"
)

// compressionWorks writes and reads one compressed transaction file. LiteFS v0.5.14 needs a
// github.com/pierrec/lz4/v4 that stops reading at the end of a frame (v4.1.17, its own, does). Later ones go on to
// a next frame and stumble over what LiteFS has put there: every transaction is then written in a form that this
// build cannot read, and a node could not be opened again.
func compressionWorks() error {
	const pageSize = 512
	page := make([]byte, pageSize)
	var file bytes.Buffer
	enc := ltx.NewEncoder(&file)
	err := enc.EncodeHeader(ltx.Header{
		Version: ltx.Version, Flags: ltx.HeaderFlagCompressLZ4, PageSize: pageSize, Commit: 1, MinTXID: 1, MaxTXID: 1,
	})
	if err == nil {
		err = enc.EncodePage(ltx.PageHeader{Pgno: 1}, page)
	}
	if err == nil {
		enc.SetPostApplyChecksum(ltx.ChecksumFlag | ltx.ChecksumPage(1, page))
		err = enc.Close()
	}
	if err != nil {
		return fmt.Errorf("write a compressed transaction: %w", err)
	}
	if err := ltx.NewDecoder(&file).Verify(); err != nil {
		return fmt.Errorf("data.compress cannot be true in this build, it needs github.com/pierrec/lz4/v4 v4.1.17: %w", err)
	}
	return nil
}
