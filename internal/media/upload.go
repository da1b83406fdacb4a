package media

import (
	"context"
	"sync"

	"blog/internal/apperr"
	"blog/internal/repo"
)

// chunksAtOnce is how many chunks of one picture are sent at the same time. With a primary 80 ms away,
// one after the other would make a picture of 10 MB wait for 43 round trips.
const chunksAtOnce = 4

// Option changes one upload.
type Option func(*upload)

// WithProgress makes Upload call fn with how many bytes of how many are stored, whenever there are
// more. The calls come one after the other, from goroutines of the upload.
func WithProgress(fn func(stored, size int64)) Option {
	return func(u *upload) { u.progress = fn }
}

// Upload strips a picture and stores it, each chunk in one write, several at the same time: w must
// be safe for concurrent use. A chunk that is stored already changes nothing, so an upload that
// broke off can be sent again. The picture stays for at least a day after Upload has returned. It
// fails with Invalid for the field image when the content is refused.
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
	// The chunks are sent a second time when wrong chunks had been stored, or when chunks were
	// removed meanwhile.
	for range 2 {
		done, err := u.send(ctx)
		if done || err != nil {
			return u.picture, err
		}
	}
	return Picture{}, apperr.Errorf(apperr.Conflict, "The picture was removed while it was stored. Try again.")
}

// upload is an upload that runs.
type upload struct {
	to       repo.Writer
	picture  Picture
	chunks   [][]byte
	progress func(stored, size int64)

	mu       sync.Mutex // guards the fields below, and the calls of progress
	next     int        // the chunk that is sent next
	stored   int64      // bytes, in this round
	shown    int64      // bytes in the last call of progress
	complete bool
	err      error // the first error; it does not count once the picture is complete
}

// send sends all chunks once, until one of them completes the picture or fails. The last one that
// is stored completes it, in whichever order they arrive.
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

// nextChunk returns the number of the chunk that is sent next. more is false without one.
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

// record notes the result of chunk n.
func (u *upload) record(n int, stored Stored, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.complete: // answers to earlier chunks may come after the last one's
	case err == nil && stored.Complete: // its row lasts, and so do all chunks before it
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
