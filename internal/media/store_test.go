package media_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"

	"blog/internal/apperr"
	"blog/internal/media"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// show makes a post show a picture. drop makes it show none, and notes the end of a use of Hash.
// The commands of posts belong to another package.
type show struct {
	Hash string `json:"hash"`
}

func (show) Name() string { return "test.show" }

func (s show) Apply(ctx context.Context, tx *repo.Tx) (string, error) {
	for _, q := range []string{
		"INSERT OR IGNORE INTO users (id, email, name, password_hash, created_at) VALUES (1, 'a', 'a', 'x', '')",
		`INSERT OR IGNORE INTO posts (id, slug, title, description, author_id, state, published_at, created_at, updated_at,
			revision, labels, anchor, renderer, minutes, excerpt, headings, html, plain, body)
		VALUES (1, 'a', 'a', '', 1, 'published', '', '', '', 1, '[]', 'a', 1, 1, '', '[]', '', '', '')`,
		"DELETE FROM post_media",
	} {
		if _, err := tx.ExecContext(ctx, q); err != nil {
			return "", err
		}
	}
	_, err := tx.ExecContext(ctx,
		"INSERT INTO post_media (post_id, path, hash) SELECT 1, 'p', hash FROM media WHERE hash = ?", s.Hash)
	return "", err
}

type drop struct {
	Hash string `json:"hash"`
}

func (drop) Name() string { return "test.drop" }

func (d drop) Apply(ctx context.Context, tx *repo.Tx) (string, error) {
	if _, err := tx.ExecContext(ctx, "DELETE FROM post_media"); err != nil {
		return "", err
	}
	return "", media.Used(ctx, tx, d.Hash)
}

// mustRepos opens a primary and a replica on one file.
func mustRepos(tb testing.TB) (ctx context.Context, primary, replica *repo.Repo) {
	tb.Helper()
	primary, replica, _ = repotest.MustPair(tb, repo.Options{
		Path: filepath.Join(tb.TempDir(), "blog.db"),
		Registry: repotest.MustRegistry(tb, media.Commands(), []repo.Registration{
			repo.Register[show](), repo.Register[drop](), repo.Register[age](), repo.Register[late](),
		}),
	})
	return repotest.As(tb.Context(), repo.Operator), primary, replica
}

// MustNoise returns a PNG that compression does not make smaller, of side times side pixels.
func MustNoise(tb testing.TB, side int, seed uint64) []byte {
	tb.Helper()
	img := image.NewGray(image.Rect(0, 0, side, side))
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range img.Pix {
		img.Pix[i] = byte(r.Uint32()) // #nosec G115 -- noise
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// puts returns the chunks of a picture as Upload sends them.
func puts(tb testing.TB, data []byte) []media.Put {
	tb.Helper()
	clean, err := media.Strip(data)
	if err != nil {
		tb.Fatal(err)
	}
	info, err := media.Inspect(clean)
	if err != nil {
		tb.Fatal(err)
	}
	var out []media.Put
	chunks := media.Chunks(clean)
	for n, c := range chunks {
		out = append(out, media.Put{
			Hash: media.Hash(clean), Type: info.Type, Ext: info.Ext, Width: info.Width, Height: info.Height,
			Size: int64(len(clean)), Chunks: len(chunks), N: n, Data: c,
		})
	}
	return out
}

func stored(ctx context.Context, r *repo.Repo, hash string) (p media.Picture, data []byte, err error) {
	err = r.View(ctx, func(rd repo.Reader) (err error) {
		p, data, err = media.Read(ctx, rd, hash)
		return err
	})
	return p, data, err
}

// wantData checks that the whole picture is stored, as data.
func wantData(ctx context.Context, tb testing.TB, r *repo.Repo, hash string, data []byte) {
	tb.Helper()
	_, got, err := stored(ctx, r, hash)
	if err != nil {
		tb.Fatalf("read: %v", err)
	}
	if !bytes.Equal(got, data) {
		tb.Errorf("read: got other %d bytes, want the %d bytes", len(got), len(data))
	}
}

func count(tb testing.TB, r *repo.Repo, query string, args ...any) (n int) {
	tb.Helper()
	err := r.View(tb.Context(), func(rd repo.Reader) error {
		return rd.QueryRowContext(tb.Context(), query, args...).Scan(&n)
	})
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

func TestUploadAndRead(t *testing.T) {
	ctx, primary, replica := mustRepos(t)
	for name, data := range map[string][]byte{
		"small": MustDirtyPNG(t), "photo": MustDirtyJPEG(t, 6), "chunks": MustNoise(t, 720, 1),
	} {
		pic, err := media.Upload(ctx, replica, data)
		if err != nil {
			t.Fatal(err)
		}
		clean, err := media.Strip(data)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []*repo.Repo{primary, replica} {
			got, bytes1, err := stored(ctx, r, pic.Hash)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got != pic {
				t.Errorf("%s: got %+v, want %+v", name, got, pic)
			}
			if !bytes.Equal(bytes1, clean) {
				t.Errorf("%s: got other %d bytes, want the %d bytes", name, len(bytes1), len(clean))
			}
			if want := media.Hash(clean); pic.Hash != want {
				t.Errorf("%s: got the hash %s, want %s", name, pic.Hash, want)
			}
			if want := int64(len(clean)); pic.Size != want {
				t.Errorf("%s: got the size %d, want %d", name, pic.Size, want)
			}
		}
		rows := count(t, primary, "SELECT COUNT(*) FROM writes")
		again, errAgain := media.Upload(ctx, primary, data)
		if errAgain != nil {
			t.Fatalf("%s again: %v", name, errAgain)
		}
		if again != pic {
			t.Errorf("%s again: got %+v, want %+v", name, again, pic)
		}
		if n := count(t, primary, "SELECT COUNT(*) FROM writes"); n != rows {
			t.Errorf("%s again: got %d writes, want %d", name, n, rows)
		}
	}
	if n := count(t, primary, "SELECT MAX(length(data)) FROM media_chunks"); n > 256<<10 {
		t.Errorf("a chunk of %d bytes, want at most %d", n, 256<<10)
	}
	if _, _, err := stored(ctx, replica, "nothing"); !errors.Is(err, apperr.NotFound) {
		t.Errorf("got %v, want %v", err, apperr.NotFound)
	}
	for _, data := range [][]byte{
		nil, []byte("<svg onload='x'/>"), []byte("text"), MustPNG(t)[:20], make([]byte, media.MaxBytes+1),
	} {
		_, err := media.Upload(ctx, replica, data)
		e := apperr.From(err)
		if e.Code != apperr.Invalid {
			t.Errorf("%.20q: got %v, want %v", data, err, apperr.Invalid)
		}
		if e.Fields["image"] == "" {
			t.Errorf("%.20q: got messages of the fields %q, want one of image", data, e.Fields)
		}
	}
}

func TestChunksInAnyOrderAndRepeated(t *testing.T) {
	ctx, primary, replica := mustRepos(t)
	data := MustNoise(t, 720, 2)
	all := puts(t, data)
	if len(all) < 3 {
		t.Fatalf("%d chunks, want at least 3", len(all))
	}
	order := rand.New(rand.NewPCG(3, 3)).Perm(len(all))
	for i, n := range append(order[:2:2], order...) {
		got, err := repo.Write(ctx, replica, all[n])
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		if want := i == len(order)+1; got.Complete != want {
			t.Errorf("%d: got %+v, want Complete %t", i, got, want)
		}
		if _, _, err := stored(ctx, primary, all[0].Hash); (err == nil) != got.Complete {
			t.Errorf("%d: read: got the error %v, want complete %t", i, err, got.Complete)
		}
	}
	if n := count(t, primary, "SELECT COUNT(*) FROM writes"); n != len(all) {
		t.Errorf("got %d writes, want %d, one for each chunk", n, len(all))
	}
	got, err := repo.Write(ctx, replica, all[1])
	if err != nil {
		t.Fatalf("after the end: %v", err)
	}
	if !got.Complete {
		t.Errorf("after the end: got %+v, want Complete true", got)
	}
	wantData(ctx, t, replica, all[0].Hash, data)
}

// TestUploadGoesOnWhereItBrokeOff: what is stored of it, which is sent first and at one time, is not written again.
func TestUploadGoesOnWhereItBrokeOff(t *testing.T) {
	ctx, primary, replica := mustRepos(t)
	data := mustPad(t, 7*media.ChunkSize)
	all := puts(t, data)
	for _, p := range all[:4] {
		repo.MustWrite(ctx, replica, p)
	}
	pic, err := media.Upload(ctx, replica, data)
	if err != nil {
		t.Fatal(err)
	}
	if n := count(t, primary, "SELECT COUNT(*) FROM writes"); n != len(all) {
		t.Errorf("got %d rows for %+v, want %d", n, pic, len(all))
	}
}

func TestManyUploadsOfOnePicture(t *testing.T) {
	ctx, primary, replica := mustRepos(t)
	data := MustNoise(t, 520, 5)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			if _, err := media.Upload(ctx, []*repo.Repo{primary, replica}[i%2], data); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	all := puts(t, data)
	wantData(ctx, t, replica, all[0].Hash, data)
	if n := count(t, primary, "SELECT COUNT(*) FROM media_chunks"); n != len(all) {
		t.Errorf("got %d chunks, want %d", n, len(all))
	}
}

func TestPutRefuses(t *testing.T) {
	ctx, primary, replica := mustRepos(t)
	good := puts(t, MustPNG(t))[0]
	html := []byte("<script>alert(1)</script>")
	dirty := MustDirtyPNG(t)
	for name, c := range map[string]struct {
		change func(p *media.Put)
		fields []string
	}{
		"no hash":      {func(p *media.Put) { p.Hash = "" }, []string{"hash"}},
		"upper case":   {func(p *media.Put) { p.Hash = "A" + p.Hash[1:] }, []string{"hash"}},
		"no hex":       {func(p *media.Put) { p.Hash = "x" + p.Hash[1:] }, []string{"hash"}},
		"size":         {func(p *media.Put) { p.Size = 0 }, []string{"size"}},
		"too large":    {func(p *media.Put) { p.Size = media.MaxBytes + 1 }, []string{"size"}},
		"chunks":       {func(p *media.Put) { p.Chunks = 1 << 40 }, []string{"chunks"}},
		"number":       {func(p *media.Put) { p.N = 1 }, []string{"n"}},
		"negative":     {func(p *media.Put) { p.N = -1 }, []string{"n"}},
		"cut off":      {func(p *media.Put) { p.Data = p.Data[1:] }, []string{"data"}},
		"no data":      {func(p *media.Put) { p.Data = nil }, []string{"data"}},
		"wrong hash":   {func(p *media.Put) { p.Hash = media.Hash([]byte("x")) }, []string{"image"}},
		"wrong type":   {func(p *media.Put) { p.Type = "text/html" }, []string{"image"}},
		"wrong ending": {func(p *media.Put) { p.Ext = ".html" }, []string{"image"}},
		"wrong width":  {func(p *media.Put) { p.Width++ }, []string{"image"}},
		"no picture": {func(p *media.Put) {
			p.Data, p.Size, p.Hash = html, int64(len(html)), media.Hash(html)
		}, []string{"image"}},
		"with position": {func(p *media.Put) {
			p.Data, p.Size, p.Hash = dirty, int64(len(dirty)), media.Hash(dirty)
		}, []string{"image"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := good
			c.change(&p)
			_, err := repo.Write(ctx, replica, p)
			repotest.WantFields(t, err, c.fields...)
		})
	}
	if n := count(t, primary,
		"SELECT (SELECT COUNT(*) FROM media) + (SELECT COUNT(*) FROM media_chunks) + (SELECT COUNT(*) FROM writes)"); n != 0 {
		t.Errorf("%d rows are left, want 0", n)
	}
}

// TestWrongChunksAreNoObstacle: what was announced or stored wrongly, by any client, neither
// becomes public nor prevents the upload of the right picture.
func TestWrongChunksAreNoObstacle(t *testing.T) {
	data := MustNoise(t, 720, 6)
	all := puts(t, data)
	for name, wrong := range map[string]func() []media.Put{
		"other type":    func() []media.Put { p := all[0]; p.Type, p.Ext = "text/html", ".html"; return []media.Put{p} },
		"other size":    func() []media.Put { p := all[0]; p.Size--; return []media.Put{p} },
		"other cut":     func() []media.Put { p := all[0]; p.Size += media.ChunkSize; p.Chunks++; return []media.Put{p} },
		"first chunk":   func() []media.Put { return []media.Put{flipped(all[0])} },
		"all but first": func() []media.Put { return append([]media.Put{flipped(all[1])}, all[2:]...) },
		"all but last":  func() []media.Put { return append([]media.Put{flipped(all[0])}, all[1:len(all)-1]...) },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, primary, replica := mustRepos(t)
			for _, p := range wrong() {
				got, err := repo.Write(ctx, replica, p)
				if err != nil {
					t.Fatal(err)
				}
				if got.Complete {
					t.Errorf("got %+v, want Complete false", got)
				}
			}
			pic, err := media.Upload(ctx, replica, data)
			if err != nil {
				t.Fatal(err)
			}
			got, read, err := stored(ctx, primary, pic.Hash)
			if err != nil {
				t.Fatal(err)
			}
			if got.Type != "image/png" {
				t.Errorf("got the type %s, want image/png", got.Type)
			}
			if got != pic {
				t.Errorf("got %+v, want %+v", got, pic)
			}
			if !bytes.Equal(read, data) {
				t.Errorf("read: got other %d bytes, want the %d bytes", len(read), len(data))
			}
		})
	}
	ctx, primary, replica := mustRepos(t)
	for i, p := range append([]media.Put{flipped(all[0])}, all[1:]...) {
		got, err := repo.Write(ctx, replica, p)
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		if got.Complete {
			t.Errorf("%d: got %+v, want Complete false", i, got)
		}
	}
	if n := count(t, primary, "SELECT (SELECT COUNT(*) FROM media) + (SELECT COUNT(*) FROM media_chunks)"); n != 0 {
		t.Errorf("%d rows of a wrong picture are left, want 0", n)
	}
}

func flipped(p media.Put) media.Put {
	p.Data = bytes.Clone(p.Data)
	p.Data[len(p.Data)/2] ^= 1
	return p
}
