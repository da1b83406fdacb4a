package posts_test

import (
	"strings"
	"testing"
	"time"

	"blog/internal/frontmatter"
	"blog/internal/posts"
)

// TestExportOfForeignSigns: a text that was written here and looks like another system's says so
// in its file, and so comes back as it is.
func TestExportOfForeignSigns(t *testing.T) {
	w := mustWorld(t)
	for body, verbatim := range map[string]bool{
		"Write `{{< figure >}}`.":    false,
		"{{< youtube id >}} is how.": true,
		"==marked==":                 true,
		"plain [x](y.md)":            false,
	} {
		text := w.export(must(w, posts.Create{Title: "T", Body: body}).ID)
		f, problems := frontmatter.Parse("t.md", []byte(text), time.UTC)
		if frontmatter.Failed(problems) {
			t.Errorf("%q: got the problems %v, want none, in %s", body, problems, text)
		}
		if f.Verbatim != verbatim {
			t.Errorf("%q: got verbatim %t, want %t, in %s", body, f.Verbatim, verbatim, text)
		}
		if f.Body != body {
			t.Errorf("got the text %q, want %q", f.Body, body)
		}
		if got := strings.Contains(text, "verbatim: true\n"); got != verbatim {
			t.Errorf("%q: the file says verbatim: %t, want %t: %s", body, got, verbatim, text)
		}
	}
}
