package markdown_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"blog/internal/markdown"
)

func FuzzRender(f *testing.F) {
	sources, err := filepath.Glob("testdata/*.md")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range sources {
		source, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(source))
	}
	for _, source := range hostile {
		f.Add(source)
	}
	r := markdown.New(markdown.Words{})
	f.Fuzz(func(t *testing.T, source string) {
		doc, err := r.Render(source, markdown.Options{Prefix: "fuzz"})
		if errors.Is(err, markdown.ErrTooComplex) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		mustHold(t, doc)
		// The output, read as an author's raw HTML, loses everything that only this package may
		// write, and is harmless.
		again, err := r.Render(doc.HTML, markdown.Options{Prefix: "again"})
		if err != nil && !errors.Is(err, markdown.ErrTooComplex) {
			t.Fatal(err)
		}
		if err == nil {
			mustHold(t, again)
		}
	})
}
