package tags_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

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
		if got, err := tags.Normalize(label); got != want || err != nil {
			t.Errorf("%q: %q, %v, want %q and no error", label, got, err, want)
		}
	}
	for _, label := range []string{
		"", " ", ".", "..", "-", "+", "#", "\u0301a", "a/b", "a?b", "a,b", "a<b", `a"b`, "a&b", "a%b", "a:b", `a\b`, "a\x00b",
		"a\u202eb", "a\u200bb",
		"\xff", "\ufffd", strings.Repeat("é", 51), "\u200d",
	} {
		got, err := tags.Normalize(label)
		if got != "" || !errors.Is(err, apperr.Invalid) || !utf8.ValidString(err.Error()) {
			t.Errorf("%q: %q, %v", label, got, err)
		}
	}
}

func TestNormalizeAll(t *testing.T) {
	got, err := tags.NormalizeAll([]string{"b", "A", "a ", "B"})
	if err != nil || !slices.Equal(got, []string{"b", "a"}) {
		t.Errorf("got %v, %v, want no error and %v", got, err, []string{"b", "a"})
	}
	if got, err := tags.NormalizeAll(nil); err != nil || got == nil || len(got) != 0 {
		t.Errorf("none: %v, %v, want no error, not nil and 0 of them", got, err)
	}
	var many []string
	for i := range tags.MaxCount {
		many = append(many, fmt.Sprint("t", i))
	}
	if got, err := tags.NormalizeAll(append(many, many...)); err != nil || len(got) != tags.MaxCount {
		t.Errorf("as many as there can be: %d, %v, want no error and %d", len(got), err, tags.MaxCount)
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
				t.Fatalf("%q: %q", label, err)
			}
			return
		}
		if again, err := tags.Normalize(s); again != s || err != nil {
			t.Fatalf("%q: %q, then %q, %v, want %q and no error", label, s, again, err, s)
		}
		if s == "" || strings.ContainsAny(s, "/?%&<>\" \x00") || utf8.RuneCountInString(s) > tags.MaxRunes {
			t.Fatalf("%q: %q", label, s)
		}
	})
}
