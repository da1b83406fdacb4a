//go:build linux

package powerloss

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	fusefs "bazil.org/fuse/fs"
)

// Config says what Serve serves.
type Config struct {
	Dir     string // folder for Open
	Mount   string // where programs see it
	Socket  string // of the control: see Client
	Options Options
}

// Serve mounts a disk until it has lost what was not synced, or until ctx ends or somebody else takes the mount away,
// which loses nothing. It takes the mount away then. It needs root, or fusermount3 and user_allow_other.
func Serve(ctx context.Context, cfg Config) (err error) {
	disk, err := Open(cfg.Dir, cfg.Options)
	if err != nil {
		return err
	}
	conn, err := mount(disk, cfg.Mount)
	if err != nil {
		return err
	}
	ctx, end := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() {
		defer end()
		served <- fusefs.New(conn, &fusefs.Config{Debug: func(any) {}}).Serve(fileSystem{disk})
	}()
	defer func() {
		end()
		err = errors.Join(err, unmount(cfg.Mount), <-served, conn.Close())
	}()
	return control(ctx, cfg.Socket, disk)
}

// control answers on the socket until the disk has lost, or ctx ends.
func control(ctx context.Context, socket string, disk *Disk) (err error) {
	if err = os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("control: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "unix", socket)
	if err != nil {
		return fmt.Errorf("control: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /freeze", func(w http.ResponseWriter, r *http.Request) {
		after, fault := strconv.Atoi(r.FormValue("after"))
		if fault != nil {
			http.Error(w, fault.Error(), http.StatusBadRequest)
			return
		}
		select {
		case <-disk.Freeze(after):
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("POST /thaw", func(http.ResponseWriter, *http.Request) { disk.Thaw() })
	mux.HandleFunc("POST /lose", func(w http.ResponseWriter, r *http.Request) {
		seed, fault := strconv.ParseUint(r.FormValue("seed"), 10, 64)
		if fault != nil {
			http.Error(w, fault.Error(), http.StatusBadRequest)
			return
		}
		loss, fault := disk.Lose(seed)
		if fault != nil {
			http.Error(w, fault.Error(), http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(loss) // it fails when the client is gone
	})
	mux.HandleFunc("GET /durable", func(w http.ResponseWriter, r *http.Request) {
		since, fault := disk.Durable(r.FormValue("path"))
		switch {
		case errors.Is(fault, fs.ErrNotExist):
			http.Error(w, fault.Error(), http.StatusNotFound)
		case errors.Is(fault, ErrUnsynced):
			http.Error(w, fault.Error(), http.StatusConflict)
		case fault != nil:
			http.Error(w, fault.Error(), http.StatusInternalServerError)
		default:
			_ = json.NewEncoder(w).Encode(since) // who asked has gone, else
		}
	})
	const limit = 10 * time.Second
	server := &http.Server{Handler: mux, ReadHeaderTimeout: limit}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case <-ctx.Done():
	case <-disk.over:
	case err = <-served:
		return err
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	err = server.Shutdown(last) // after the answer
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

// Client is a client of a Serve, by its socket.
type Client struct{ http *http.Client }

// NewClient returns a client of the Serve that listens on socket.
func NewClient(socket string) *Client {
	return &Client{&http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}}
}

// Freeze makes every operation on the disk wait until Lose or Thaw, once after more operations have changed
// something. It returns then.
func (c *Client) Freeze(ctx context.Context, after int) error {
	return c.post(ctx, "/freeze?after="+strconv.Itoa(after), nil)
}

// Thaw lets the operations go on that wait since Freeze.
func (c *Client) Thaw(ctx context.Context) error { return c.post(ctx, "/thaw", nil) }

// Lose ends the disk and returns what it has lost.
func (c *Client) Lose(ctx context.Context, seed uint64) (Loss, error) {
	var loss Loss
	return loss, c.post(ctx, "/lose?seed="+strconv.FormatUint(seed, 10), &loss)
}

// Durable is the disk's: since when a loss would leave the file at path. Its errors are fs.ErrNotExist, ErrUnsynced, or
// others where nobody answers.
func (c *Client) Durable(ctx context.Context, path string) (since time.Time, err error) {
	return since, c.ask(ctx, http.MethodGet, "/durable?path="+url.QueryEscape(path), &since)
}

func (c *Client) post(ctx context.Context, path string, out any) error {
	return c.ask(ctx, http.MethodPost, path, out)
}

func (c *Client) ask(ctx context.Context, method, path string, out any) (err error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://powerloss"+path, nil)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask for %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode != http.StatusOK {
		var text [500]byte
		n, _ := resp.Body.Read(text[:])
		kind := map[int]error{http.StatusNotFound: fs.ErrNotExist, http.StatusConflict: ErrUnsynced}[resp.StatusCode]
		return &refusal{fmt.Sprintf("%s: status %d: %s", path, resp.StatusCode, bytes.TrimSpace(text[:n])), kind}
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// refusal is what a Serve answers instead.
type refusal struct {
	text string
	kind error // nil where the client knows none
}

// Error implements error.
func (r *refusal) Error() string { return r.text }

// Unwrap returns fs.ErrNotExist, ErrUnsynced or nil.
func (r *refusal) Unwrap() error { return r.kind }
