// Package browser drives a headless Chromium for tests: tabs that fail their test
// for anything the browser complains of, violations of the content security
// policy included.
package browser

import (
	"context"
	"fmt"
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

// Browser is a headless Chromium that its tests share.
type Browser struct{ ctx context.Context }

// Must starts a browser, which ends with the test.
func Must(t *testing.T) Browser {
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
	return Browser{ctx}
}

// Tab is one page of the browser and everything it complained about.
type Tab struct {
	ctx context.Context

	mu       sync.Mutex
	problems []string
}

// MustTab opens a tab in which each action has 30 s. At its end there must
// have been no complaint: CSP violations are errors of the log.
func (b Browser) MustTab(t *testing.T) *Tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	tb := &Tab{ctx: ctx}
	t.Cleanup(func() {
		cancel()
		for _, p := range tb.Complaints() {
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

func (tb *Tab) listen(ev any) {
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

// Complaints returns and forgets what the browser complained about.
func (tb *Tab) Complaints() []string {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	list := tb.problems
	tb.problems = nil
	return list
}

// Allow forgets complaints that contain text: failed connections that a test
// makes on purpose are errors of the log, too.
func (tb *Tab) Allow(text string) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	tb.problems = slices.DeleteFunc(tb.problems, func(p string) bool { return strings.Contains(p, text) })
}

// MustDo runs steps within 30 s.
func (tb *Tab) MustDo(t testing.TB, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(tb.ctx, 30*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatalf("browser: %v", err)
	}
}

// MustOpen goes to an address.
func (tb *Tab) MustOpen(t testing.TB, url string) {
	t.Helper()
	tb.MustDo(t, chromedp.Navigate(url))
}

// MustEval evaluates an expression, a promise included.
func MustEval[T any](t testing.TB, tb *Tab, expression string) T {
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

// MustPoll waits until an expression is true, across navigations too.
func (tb *Tab) MustPoll(t testing.TB, expression string) {
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

// MustSize sets the window and whether the system asks for dark.
func (tb *Tab) MustSize(t testing.TB, width, height int64, scheme string) {
	t.Helper()
	tb.MustDo(t, chromedp.EmulateViewport(width, height), mediaFeature("", "prefers-color-scheme", scheme))
}

func mediaFeature(kind, feature, value string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Media:    kind,
			Features: []*emulation.MediaFeature{{Name: feature, Value: value}},
		})
		return err
	})
}

// MustShoot returns a picture (PNG) of the whole page.
func (tb *Tab) MustShoot(t testing.TB) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(tb.ctx, 30*time.Second)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatalf("screenshot: %v", err)
	}
	return picture
}
