package tags_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"blog/internal/apperr"
	"blog/internal/tags"
)

func labels() map[string]string {
	return map[string]string{
		"Go": "go", " Web  dev ": "web-dev", "C++": "c++", "C#": "c#", ".NET": ".net", "Cafe\u0301": "café", "日本語": "日本語",
		"J\u030c":       "ǰ",
		"می\u200cخواهم": "می\u200cخواهم", "👩\u200d💻": "👩\u200d💻", "👍🏽": "👍🏽", "❤\ufe0f": "❤\ufe0f", "\u200dgo\u200c": "go",
		"नमस्ते":                "नमस्ते",
		strings.Repeat("é", 50): strings.Repeat("é", 50), "rock'n'roll": "rock'n'roll",
	}
}

func TestNormalize(t *testing.T) {
	for label, want := range labels() {
		got, err := tags.Normalize(label)
		if err != nil {
			t.Errorf("%q: got the error %v, want none", label, err)
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", label, got, want)
		}
	}
	for _, label := range []string{
		"", " ", ".", "..", "-", "+", "#", "\u0301a", "a/b", "a?b", "a,b", "a<b", `a"b`, "a&b", "a%b", "a:b", `a\b`, "a\x00b",
		"a\u202eb", "a\u200bb",
		"\xff", "\ufffd", strings.Repeat("é", 51), "\u200d",
	} {
		got, err := tags.Normalize(label)
		if got != "" {
			t.Errorf("%q: got %q, want no label", label, got)
		}
		if !errors.Is(err, apperr.Invalid) {
			t.Errorf("%q: got the error %v, want %v", label, err, apperr.Invalid)
		}
		if text := fmt.Sprint(err); !utf8.ValidString(text) {
			t.Errorf("%q: got the error %q, want UTF-8", label, text)
		}
	}
}

func TestNormalizeAll(t *testing.T) {
	got, err := tags.NormalizeAll([]string{"b", "A", "a ", "B"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"b", "a"}, got); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if got, err = tags.NormalizeAll(nil); err != nil {
		t.Fatalf("none: %v", err)
	}
	if diff := cmp.Diff([]string{}, got); diff != "" { // not nil
		t.Errorf("none (-want +got):\n%s", diff)
	}
	var many []string
	for i := range tags.MaxCount {
		many = append(many, fmt.Sprint("t", i))
	}
	if got, err = tags.NormalizeAll(append(many, many...)); err != nil {
		t.Fatalf("as many as there can be: %v", err)
	}
	if len(got) != tags.MaxCount {
		t.Errorf("as many as there can be: got %d, want %d", len(got), tags.MaxCount)
	}
	if _, err := tags.NormalizeAll(append(many, "more")); !errors.Is(err, apperr.Invalid) {
		t.Errorf("one more: %v, want %v", err, apperr.Invalid)
	}
	if _, err := tags.NormalizeAll([]string{"good", "?"}); !errors.Is(err, apperr.Invalid) {
		t.Errorf("a wrong one: %v, want %v", err, apperr.Invalid)
	}
}

func FuzzNormalize(f *testing.F) {
	for label := range labels() {
		f.Add(label)
	}
	f.Fuzz(func(t *testing.T, label string) {
		s, err := tags.Normalize(label)
		if err != nil {
			if !utf8.ValidString(apperr.From(err).Message) {
				t.Fatalf("%q: got the error %q, want UTF-8", label, err)
			}
			return
		}
		again, err := tags.Normalize(s)
		if err != nil {
			t.Fatalf("%q, of %q: got the error %v, want none", s, label, err)
		}
		if again != s {
			t.Fatalf("%q, of %q: got %q, want it unchanged", s, label, again)
		}
		if s == "" {
			t.Fatalf("%q: got %q, want a label", label, s)
		}
		if strings.ContainsAny(s, "/?%&<>\" \x00") {
			t.Fatalf("%q: got %q, want no character that an address or a page would have to escape", label, s)
		}
		if n := utf8.RuneCountInString(s); n > tags.MaxRunes {
			t.Fatalf("%q: got %q of %d characters, want at most %d", label, s, n, tags.MaxRunes)
		}
	})
}
