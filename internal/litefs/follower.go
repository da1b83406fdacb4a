package litefs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"blog/internal/backoff"
)

// Limits of the conversation with LiteFS, which runs on the same machine. None of them decides who is primary.
const (
	dialLimit   = 2 * time.Second // connect to LiteFS's API
	answerLimit = 5 * time.Second // first byte of an answer; /events answers at once with init
	infoLimit   = 2 * time.Second // a whole /info
	openLimit   = 5 * time.Second // Open waits this long for the first role
	firstPause  = 50 * time.Millisecond
	lastPause   = time.Second
	maxLine     = 64 << 10         // bytes of one event; real ones are under 400
	logInterval = 30 * time.Second // the same role is logged at most this often: an outage flaps once a second
)

// Config says where LiteFS is and how its hostnames become addresses.
type Config struct {
	// URL is the base address of the local LiteFS API, such as http://localhost:20202.
	URL string
	// PrimaryURL is the template of the primary's private address; it contains {hostname}, which stands for
	// LiteFS's lease.hostname of the primary.
	PrimaryURL string
	// Self is this node's own lease.hostname. A primary of that name while this node is not primary is nobody:
	// LiteFS says so after a restart, while the lease of the process before still lives. "" when unknown; it is
	// then learned once this node is primary.
	Self string
	// Logger gets role changes. Nil means slog.Default().
	Logger *slog.Logger
}

var _ NodeCloser = (*Follower)(nil)

// Follower is a node under LiteFS. One goroutine reads the event stream and does nothing else, because LiteFS
// cuts off a reader that is more than 1,024 events behind.
type Follower struct {
	*hub
	base   string
	tmpl   template
	self   string // touched by the reader alone
	client *http.Client
	log    *slog.Logger
	logged map[Role]time.Time // touched by the reader alone
	cancel context.CancelFunc
	done   chan struct{}
}

// Open starts to follow LiteFS's event stream and waits for the first role, 5 s or until ctx ends at most; ctx has
// no say afterwards, Close has. A LiteFS that does not answer is no error: the role is Unknown until it does.
// Open fails when an address in cfg cannot be one, or when the primary's present name does not fit the template.
func Open(ctx context.Context, cfg Config) (*Follower, error) {
	base, err := url.Parse(cfg.URL)
	if err != nil || (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" {
		return nil, fmt.Errorf("litefs: LITEFS_URL %q is not of the form http://host:port", cfg.URL)
	}
	tmpl, err := parseTemplate(cfg.PrimaryURL)
	if err != nil {
		return nil, err
	}
	logger := cfg.Logger
	if logger == nil {
		logger = slog.Default()
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f := &Follower{
		hub:  newHub(Role{}),
		base: strings.TrimRight(base.String(), "/"),
		tmpl: tmpl, self: cfg.Self, log: logger,
		logged: make(map[Role]time.Time),
		client: &http.Client{Transport: &http.Transport{
			DialContext:           (&net.Dialer{Timeout: dialLimit}).DialContext,
			ResponseHeaderTimeout: answerLimit,
			MaxIdleConns:          2,
		}},
		cancel: cancel,
		done:   make(chan struct{}),
	}
	first := make(chan error, 1)
	go f.run(run, first)
	if err := f.awaitFirst(ctx, first); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// awaitFirst returns the error of the first attempt when no later one can be better.
func (f *Follower) awaitFirst(ctx context.Context, first <-chan error) error {
	limit := time.NewTimer(openLimit)
	defer limit.Stop()
	select {
	case err := <-first:
		var misfit *misfitError
		if errors.As(err, &misfit) {
			return fmt.Errorf("litefs: %w", err)
		}
		return nil
	case <-limit.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("litefs: open: %w", context.Cause(ctx))
	}
}

// Close ends the stream and waits for its reader. The role is Unknown afterwards.
func (f *Follower) Close() error {
	f.cancel()
	<-f.done
	f.client.CloseIdleConnections()
	return nil
}

// run connects again and again. first gets one value: how the first attempt to learn a role ended.
func (f *Follower) run(ctx context.Context, first chan<- error) {
	defer close(f.done)
	pauses := backoff.New(firstPause, lastPause)
	for {
		err := f.follow(ctx, func(err error) {
			pauses.Reset()
			select {
			case first <- err:
			default:
			}
		})
		select {
		case first <- err:
		default:
		}
		f.set(Role{})
		if ctx.Err() != nil {
			return
		}
		f.note(ctx, Role{}, err)
		select {
		case <-time.After(pauses.Next()):
		case <-ctx.Done():
			return
		}
	}
}

// follow reads one stream to its end. It calls learned when the first role is known.
func (f *Follower) follow(ctx context.Context, learned func(error)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	resp, err := f.get(ctx, "/events")
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()

	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(make([]byte, 0, 4<<10), maxLine)
	start, err := readInit(lines)
	if err != nil {
		return err
	}
	info, err := f.info(ctx)
	if err != nil {
		return err
	}
	// When the two differ, the lease changed between them and the event about it is already in the stream: until
	// it is read nobody is primary.
	if start.Role.IsPrimary != info.IsPrimary || (!info.IsPrimary && start.Role.Hostname != info.Hostname) {
		learned(f.become(ctx, leadership{}))
	} else {
		learned(f.become(ctx, info))
	}
	f.Notify()
	for lines.Scan() {
		ev, err := decodeEvent(lines.Bytes())
		if err != nil {
			return err
		}
		switch ev.Type {
		case eventInit, eventPrimaryChange:
			// What does not fit the template is logged by become and leaves no primary; the stream goes on.
			_ = f.become(ctx, ev.Role)
		case eventTx:
			f.Notify()
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	return io.ErrUnexpectedEOF
}

// readInit returns the first event, which LiteFS promises to be init.
func readInit(lines *bufio.Scanner) (event, error) {
	if !lines.Scan() {
		if err := lines.Err(); err != nil {
			return event{}, fmt.Errorf("read events: %w", err)
		}
		return event{}, io.ErrUnexpectedEOF
	}
	ev, err := decodeEvent(lines.Bytes())
	if err == nil && ev.Type != eventInit {
		err = fmt.Errorf("the event stream starts with %q, not with init", ev.Type)
	}
	return ev, err
}

// misfitError says that the primary's name and the template make no address together.
type misfitError struct {
	host string
	err  error
}

func (e *misfitError) Error() string {
	return fmt.Sprintf("LiteFS names %q as primary, which does not fit PRIMARY_URL: %v", e.host, e.err)
}

func (e *misfitError) Unwrap() error { return e.err }

// become turns what LiteFS says into a role.
func (f *Follower) become(ctx context.Context, l leadership) error {
	role, err := f.roleOf(l)
	if f.set(role) || err != nil {
		f.note(ctx, role, err)
	}
	return err
}

func (f *Follower) roleOf(l leadership) (Role, error) {
	switch {
	case l.IsPrimary:
		if l.Hostname != "" {
			f.self = l.Hostname
		}
		return Role{State: Primary, Host: f.self}, nil
	case l.Hostname == "", l.Hostname == f.self:
		return Role{}, nil
	}
	address, err := f.tmpl.expand(l.Hostname)
	if err != nil {
		return Role{}, &misfitError{host: l.Hostname, err: err}
	}
	return Role{State: Replica, Host: l.Hostname, URL: address}, nil
}

// note logs a role, at Debug when the same one was logged a moment ago.
func (f *Follower) note(ctx context.Context, r Role, cause error) {
	level := slog.LevelInfo
	if cause != nil {
		level = slog.LevelWarn
	}
	if at, ok := f.logged[r]; ok && time.Since(at) < logInterval {
		level = slog.LevelDebug
	} else {
		f.logged[r] = time.Now()
	}
	attrs := []slog.Attr{slog.String("role", r.State.String()), slog.String("primary", r.Host)}
	if cause != nil {
		attrs = append(attrs, slog.Any("err", cause))
	}
	f.log.LogAttrs(ctx, level, "litefs role", attrs...)
}

// info asks LiteFS for the state of the lease.
func (f *Follower) info(ctx context.Context) (leadership, error) {
	ctx, cancel := context.WithTimeout(ctx, infoLimit)
	defer cancel()
	resp, err := f.get(ctx, "/info")
	if err != nil {
		return leadership{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxLine))
	if err != nil {
		return leadership{}, fmt.Errorf("read info: %w", err)
	}
	return decodeInfo(body)
}

// get returns the answer to a GET when its status is 200. The caller closes its body.
func (f *Follower) get(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.base+path, nil)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", path, err)
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("get %s: status %d", path, resp.StatusCode), resp.Body.Close())
	}
	return resp, nil
}
