package ui_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"blog/internal/markdown"
	"blog/test/browser"
)

// TestFragments: a fragment leads to its heading however it is written.
func TestFragments(t *testing.T) {
	url, _ := mustGallery(t)
	tb := browser.Must(t).MustTab(t)
	tb.MustSize(t, 1280, 800, "light")
	const want = "#h-tables-that-are-wider-than-they-should-be"
	for _, written := range []string{
		"tables-that-are-wider-than-they-should-be", "Tables-that-are-wider-than-they-should-be", want[1:],
		"h-Tables%20that%20are%20wider%20than%20they%20should%20be",
	} {
		tb.MustOpen(t, url+"/post#"+written)
		tb.MustPoll(t, `location.hash === "`+want+`" && document.querySelector(":target")?.localName[0] === "h"`)
		tb.MustOpen(t, "about:blank")
	}
	// What is the page's own is no heading, and what is nowhere stays as it is.
	tb.MustOpen(t, url+"/post#h-main")
	tb.MustPoll(t, `location.hash === "#h-main"`)
	browser.MustEval[bool](t, tb, `(location.hash = "tables-that-are-wider-than-they-should-be", true)`)
	tb.MustPoll(t, `location.hash === "`+want+`"`)
}

// TestPageIDs: no heading of a post gets an id that a page uses.
func TestPageIDs(t *testing.T) {
	templates, err := filepath.Glob("*.templ")
	if err != nil {
		t.Fatal(err)
	}
	if len(templates) == 0 {
		t.Fatal("got no templates, want some")
	}
	written := regexp.MustCompile(`\sid="([^"]+)"`)
	for _, name := range templates {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range written.FindAllStringSubmatch(string(source), -1) {
			if !markdown.IsPageID(id[1]) {
				t.Errorf("%s: got the id %q, which a heading may have, want one of pages", name, id[1])
			}
		}
	}
	for _, e := range exhibits(t, mustAssets(t).Base()) {
		var page bytes.Buffer
		if err := e.page.Render(t.Context(), &page); err != nil {
			t.Fatal(err)
		}
		doc, err := goquery.NewDocumentFromReader(&page)
		if err != nil {
			t.Fatal(err)
		}
		doc.Find("[id]").Not(".prose *").Each(func(_ int, of *goquery.Selection) {
			if id := of.AttrOr("id", ""); !markdown.IsPageID(id) {
				t.Errorf("the page %s: got the id %q, which a heading may have, want one of pages", e.name, id)
			}
		})
	}
}
