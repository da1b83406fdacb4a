// Package browser drives a headless Chromium for tests. A tab fails its test for anything that the
// browser complains about, also for violations of the content security policy.
package browser

import (
	"context"
	"errors"
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
		_ = chromedp.Cancel(ctx) // the browser ends with its allocator in any case
		cancel()
		stop()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start the browser: %v", err)
	}
	return Browser{ctx}
}

// Tab is one page of the browser, and everything that it complained about.
type Tab struct {
	ctx context.Context

	mu       sync.Mutex
	problems []string
}

// MustTab opens a tab in which each action has 30 s. At the end of the test it fails for
// complaints, which the log reports as errors, violations of the content security policy among
// them.
func (b Browser) MustTab(t *testing.T) *Tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	p := &Tab{ctx: ctx}
	t.Cleanup(func() {
		cancel()
		for _, complaint := range p.Complaints() {
			t.Errorf("the browser complains: %s", complaint)
		}
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	if err := chromedp.Listen(ctx, p.listen); err != nil {
		t.Fatalf("listen: %v", err)
	}
	return p
}

func (p *Tab) listen(ev any) {
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
		p.mu.Lock()
		defer p.mu.Unlock()
		p.problems = append(p.problems, problem)
	}
}

// Complaints returns what the browser complained about, and forgets it.
func (p *Tab) Complaints() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.problems
	p.problems = nil
	return list
}

// Allow forgets complaints that contain text, such as connections that a test makes fail, which the
// log reports as errors too.
func (p *Tab) Allow(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problems = slices.DeleteFunc(p.problems, func(problem string) bool { return strings.Contains(problem, text) })
}

// MustDo runs steps within 30 s.
func (p *Tab) MustDo(tb testing.TB, steps ...chromedp.Action[chromedp.Void]) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 30*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		tb.Fatalf("browser: %v", err)
	}
}

// MustOpen opens an address.
func (p *Tab) MustOpen(tb testing.TB, url string) {
	tb.Helper()
	p.MustDo(tb, chromedp.Navigate(url))
}

// MustEval evaluates an expression, which may be a promise, and returns its value.
func MustEval[T any](tb testing.TB, p *Tab, expression string) T {
	tb.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 30*time.Second)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, func(e *runtime.EvaluateParams) {
		e.AwaitPromise = new(true)
	}))
	if err != nil {
		tb.Fatalf("evaluate %s: %v", expression, err)
	}
	return value
}

// MustPoll waits until an expression is true, also across navigations.
func (p *Tab) MustPoll(tb testing.TB, expression string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 20*time.Second)
	defer cancel()
	for {
		_, err := chromedp.Run(ctx, chromedp.Poll[bool](expression))
		if err == nil {
			return
		}
		// A page that is left ends the poll, so its successor is polled.
		if ctx.Err() != nil {
			tb.Fatalf("never true: %s: %v", expression, err)
		}
	}
}

// MustSize sets the size of the window, and whether the system prefers dark.
func (p *Tab) MustSize(tb testing.TB, width, height int64, scheme string) {
	tb.Helper()
	p.MustDo(tb, chromedp.EmulateViewport(width, height), Media("", "prefers-color-scheme", scheme))
}

// Media emulates a medium (print, screen) and one of its features.
func Media(kind, feature, value string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Media:    kind,
			Features: []*emulation.MediaFeature{{Name: feature, Value: value}},
		})
		return err
	})
}

// MustShoot returns a picture (PNG) of the whole page.
func (p *Tab) MustShoot(tb testing.TB) []byte {
	tb.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 30*time.Second)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		tb.Fatalf("screenshot: %v", err)
	}
	return picture
}

// SavesScreenshots reports whether SaveScreenshot writes pictures.
func SavesScreenshots() bool { return os.Getenv("SCREENSHOTS") != "" }

// SaveScreenshot writes a picture of the page into the folder that the variable SCREENSHOTS names,
// for people to look at. It does nothing without the variable.
func (p *Tab) SaveScreenshot(tb testing.TB, name string) {
	tb.Helper()
	if !SavesScreenshots() {
		return
	}
	root, err := os.OpenRoot(os.Getenv("SCREENSHOTS"))
	if err != nil {
		tb.Fatal(err)
	}
	if err := errors.Join(root.WriteFile(name+".png", p.MustShoot(tb), 0o600), root.Close()); err != nil {
		tb.Fatal(err)
	}
}
