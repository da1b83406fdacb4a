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
		if frontmatter.Failed(problems) || f.Verbatim != verbatim || f.Body != body ||
			strings.Contains(text, "verbatim: true\n") != verbatim {
			t.Errorf("%q: %s", body, text)
		}
	}
}
