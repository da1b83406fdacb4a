package media

import (
	"context"
	"sync"

	"blog/internal/repo"
)

// chunksAtOnce is how many chunks of one picture are on their way at a time. From 80 ms
// away one after the other would make a picture of 10 MB wait for 43 round trips.
const chunksAtOnce = 4

// Option changes one upload.
type Option func(*upload)

// WithProgress has fn called with how many bytes of how many are stored, each time when
// there are more. The calls come one after the other, from goroutines of the upload's.
func WithProgress(fn func(stored, size int64)) Option {
	return func(u *upload) { u.progress = fn }
}

// Upload strips a picture and stores it, each chunk in a write of its own, several of
// them at a time: w must be safe for concurrent use. A chunk that is there already
// changes nothing: what broke off is sent again. From its answer on the picture stays for
// a day at the least. The errors of the content are Invalid, by the field "image".
func Upload(ctx context.Context, w repo.Writer, data []byte, options ...Option) (Picture, error) {
	clean, err := Strip(data)
	if err != nil {
		return Picture{}, refuse(err.Error())
	}
	info, err := Inspect(clean)
	if err != nil {
		return Picture{}, refuse(err.Error())
	}
	u := &upload{
		to: w, picture: Picture{Hash: Hash(clean), Info: info, Size: int64(len(clean))}, chunks: Chunks(clean),
		progress: func(int64, int64) {},
	}
	for _, o := range options {
		o(u)
	}
	// A second time where wrong chunks were in the way, or where chunks were removed
	// meanwhile.
	for range 2 {
		done, err := u.send(ctx)
		if done || err != nil {
			return u.picture, err
		}
	}
	return Picture{}, repo.Errorf(repo.Conflict, "The picture was removed while it was stored. Try again.")
}

// upload is a picture on its way.
type upload struct {
	to       repo.Writer
	picture  Picture
	chunks   [][]byte
	progress func(stored, size int64)

	mu       sync.Mutex // guards the fields below, and the calls of progress
	next     int        // the chunk that is sent next
	stored   int64      // bytes, in this round
	shown    int64      // bytes that progress was told of last
	complete bool
	err      error // the first; a complete picture outweighs it
}

// send sends all chunks once, until one of them completes the picture or fails. Whatever
// the order in which they arrive, the last of them to be stored completes it.
func (u *upload) send(ctx context.Context) (done bool, err error) {
	u.next, u.stored, u.err = 0, 0, nil
	var workers sync.WaitGroup
	for range min(chunksAtOnce, len(u.chunks)) {
		workers.Go(func() {
			for n, more := u.nextChunk(); more; n, more = u.nextChunk() {
				stored, err := repo.Write(ctx, u.to, u.put(n))
				u.record(n, stored, err)
			}
		})
	}
	workers.Wait()
	if u.complete {
		return true, nil
	}
	return false, u.err
}

// nextChunk returns the number of the chunk to be sent next, if there is one.
func (u *upload) nextChunk() (n int, more bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.complete || u.err != nil || u.next == len(u.chunks) {
		return 0, false
	}
	u.next++
	return u.next - 1, true
}

func (u *upload) put(n int) Put {
	p := u.picture
	return Put{
		Hash: p.Hash, Type: p.Type, Ext: p.Ext, Width: p.Width, Height: p.Height,
		Size: p.Size, Chunks: len(u.chunks), N: n, Data: u.chunks[n],
	}
}

// record counts what became of chunk n.
func (u *upload) record(n int, stored Stored, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.complete: // answers to chunks before the last one come after its own
	case err == nil && stored.Complete: // its row lasts, and with it all chunks before it
		u.complete, u.stored = true, u.picture.Size
	case err == nil:
		u.stored += int64(len(u.chunks[n]))
	case u.err == nil:
		u.err = err
	}
	if u.stored > u.shown {
		u.shown = u.stored
		u.progress(u.stored, u.picture.Size)
	}
}
