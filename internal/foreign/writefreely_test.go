package foreign_test

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestWriteFreely: a post of a public blog is published with its Markdown as it stands; what is in no
// blog, or in one that is not public, is a draft.
func TestWriteFreely(t *testing.T) {
	entries, x := mustRead(t, `{"username":"bo","email":"","collections":[
	{"alias":"bo","posts":[{"id":"a1","slug":"hello","title":"Hello",
	"body":"*Text* {{< x >}} #Go and `+"`#no`"+`\n\n<!--more-->\n\nb",
	"created":"2020-01-02T03:04:05Z","tags":["Go"]},{"id":"a2","slug":"untitled","title":"",
	"body":"# A heading\n\nText #one (#two)",
	"created":"2020-01-03T03:04:05Z"},{"id":"a3","slug":"paid","title":"P","body":"a\n\n<!--paid-->\n\nb"}],
	"public":true,"url":"https://write.example/bo/"},
	{"alias":"hidden","public":false,"posts":[{"id":"b1","slug":"hello","title":"Hidden","body":"x",
	"created":"2020-01-04T03:04:05Z"}]}],
	"posts":[{"id":"c1","slug":null,"title":"","body":"Loose words","created":"2020-01-05T03:04:05Z"}]}`)
	names := []string{"posts/hello.md", "posts/untitled.md", "posts/paid.md", "posts/hello-b1.md", "posts/post-c1.md"}
	if !reflect.DeepEqual(x.Names(), names) {
		t.Fatalf("names %v, want %v", x.Names(), names)
	}
	got := entries["posts/hello.md"]
	if got.Title != "Hello" || got.Draft || got.PublishedAt == nil ||
		got.PublishedAt.Format(time.RFC3339) != "2020-01-02T03:04:05Z" || got.Author != "bo" ||
		got.Body != "*Text* {{< x >}} #Go and `#no`\n\n\n\nb" || !reflect.DeepEqual(got.Tags, []string{"Go"}) ||
		!reflect.DeepEqual(got.Permalinks, []string{"/bo/hello"}) || got.said != "" {
		t.Errorf("%+v, said %q", got.Fields, got.said)
	}
	if got = entries["posts/untitled.md"]; got.Title != "A heading" || got.Body != "Text #one (#two)" ||
		!reflect.DeepEqual(got.Tags, []string{"one", "two"}) || got.Draft {
		t.Errorf("%+v", got.Fields)
	}
	for name, said := range map[string]string{
		"posts/paid.md": "private paid", "posts/hello-b1.md": "private public",
		"posts/post-c1.md": "private collection, choice title",
	} {
		if got = entries[name]; !got.Draft || got.said != said {
			t.Errorf("%s: draft %t, said %q", name, got.Draft, got.said)
		}
	}
	if entries["posts/post-c1.md"].Title != "Loose words" || entries["posts/post-c1.md"].Line != 10 {
		t.Errorf("%+v", entries["posts/post-c1.md"])
	}
}

// TestWriteFreelyPosts: a list of posts says of each in which blog it is.
func TestWriteFreelyPosts(t *testing.T) {
	entries, _ := mustRead(t, "\ufeff"+`[{"id":"a","slug":"a","title":"A","body":"x","created":"2020-01-02T03:04:05Z",
		"collection":{"alias":"bo","public":true,"url":"https://bo.example/"}},
		{"id":"b","slug":"b","title":"B","body":"[a](https://bo.example/a)","created":"2020-01-02T03:04:05Z"}]`)
	if a, b := entries["posts/a.md"], entries["posts/b.md"]; a.Draft || !b.Draft ||
		!strings.Contains(b.said, "collection") || !reflect.DeepEqual(a.Permalinks, []string{"/a"}) {
		t.Errorf("%+v, %+v", a.Fields, b.Fields)
	}
}
