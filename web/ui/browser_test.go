package ui_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// csp is the policy that the blog's pages are served with.
const csp = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// withCSP adds the policy to every answer.
func withCSP(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", csp)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

// browser is a headless Chromium that its tests share.
type browser struct{ ctx context.Context }

func mustBrowser(t *testing.T) browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("the pages are tested in a real browser: apt-get install chromium: %v", err)
	}
	opts := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(path),
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("hide-scrollbars", false),
		chromedp.UserDataDir(t.TempDir()))
	if os.Geteuid() == 0 {
		opts = append(opts, chromedp.Flag("no-sandbox", true))
	}
	alloc, stop := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // the browser ends with its allocator anyway
		cancel()
		stop()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start the browser: %v", err)
	}
	return browser{ctx}
}

// tab is one page of the browser and everything it complained about.
type tab struct {
	ctx context.Context

	mu       sync.Mutex
	problems []string
}

// mustTab opens a tab in which each action has 30 s. At its end there must
// have been no complaint: CSP violations are errors of the log.
func (b browser) mustTab(t *testing.T) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	tb := &tab{ctx: ctx}
	t.Cleanup(func() {
		cancel()
		for _, p := range tb.complaints() {
			t.Errorf("the browser complains: %s", p)
		}
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	if err := chromedp.Listen(ctx, tb.listen); err != nil {
		t.Fatalf("listen: %v", err)
	}
	return tb
}

func (tb *tab) listen(ev any) {
	var problem string
	switch ev := ev.(type) {
	case *cdplog.EventEntryAdded:
		if string(ev.Entry.Level) == "error" {
			problem = ev.Entry.Text + " " + ev.Entry.URL
		}
	case *runtime.EventConsoleAPICalled:
		if kind := string(ev.Type); kind == "error" || kind == "warning" || kind == "assert" {
			problem = fmt.Sprintf("console.%s %v", kind, ev.Args)
		}
	case *runtime.EventExceptionThrown:
		problem = ev.ExceptionDetails.Text
		if ev.ExceptionDetails.Exception != nil {
			problem += " " + ev.ExceptionDetails.Exception.Description
		}
	}
	if problem != "" {
		tb.mu.Lock()
		defer tb.mu.Unlock()
		tb.problems = append(tb.problems, problem)
	}
}

// complaints returns and forgets what the browser complained about.
func (tb *tab) complaints() []string {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	list := tb.problems
	tb.problems = nil
	return list
}

// allow forgets complaints that contain text: failed connections that a test
// makes on purpose are errors of the log, too.
func (tb *tab) allow(text string) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	tb.problems = slices.DeleteFunc(tb.problems, func(p string) bool { return strings.Contains(p, text) })
}

func (tb *tab) mustDo(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(tb.ctx, 30*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatalf("browser: %v", err)
	}
}

func (tb *tab) mustOpen(t *testing.T, url string) {
	t.Helper()
	tb.mustDo(t, chromedp.Navigate(url))
}

// mustEval evaluates an expression, a promise included.
func mustEval[T any](t *testing.T, tb *tab, expression string) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(tb.ctx, 30*time.Second)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, func(p *runtime.EvaluateParams) {
		p.AwaitPromise = new(true)
	}))
	if err != nil {
		t.Fatalf("evaluate %s: %v", expression, err)
	}
	return value
}

// mustPoll waits until an expression is true, across navigations too.
func (tb *tab) mustPoll(t *testing.T, expression string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(tb.ctx, 20*time.Second)
	defer cancel()
	for {
		_, err := chromedp.Run(ctx, chromedp.Poll[bool](expression))
		if err == nil {
			return
		}
		// A page that is left takes the poll with it: its successor is asked.
		if ctx.Err() != nil {
			t.Fatalf("never true: %s: %v", expression, err)
		}
	}
}

// mustSize sets the window and whether the system asks for dark.
func (tb *tab) mustSize(t *testing.T, width, height int64, scheme string) {
	t.Helper()
	tb.mustDo(t, chromedp.EmulateViewport(width, height), media("", "prefers-color-scheme", scheme))
}

func media(kind, feature, value string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Media:    kind,
			Features: []*emulation.MediaFeature{{Name: feature, Value: value}},
		})
		return err
	})
}
