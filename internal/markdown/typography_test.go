package markdown_test

import (
	"strings"
	"testing"

	"blog/internal/markdown"
)

// TestTypography asserts what becomes of dashes, dots and angle brackets, and what is left for machines.
func TestTypography(t *testing.T) {
	for source, want := range map[string]string{
		"a -- b":                         "a – b",
		"a --- b":                        "a — b",
		"3--5":                           "3–5",
		"word--word":                     "word–word",
		"word---word":                    "word—word",
		"(a) -- b":                       "(a) – b",
		"\"a\"--b":                       "“a”–b",
		"a --":                           "a –",
		"-- a":                           "– a",
		"wait...":                        "wait…",
		"...and so on":                   "…and so on",
		"it's 'so' \"nice\"":             "it’s ‘so’ “nice”",
		"'twas 'the' 'n' 'least' of 'em": "’twas ‘the’ ’n’ ‘least’ of ’em",
		"the '90s":                       "the ’90s",
		"run it with --flags":            "run it with --flags",
		"--flags=x, --no-flags (--so)":   "--flags=x, --no-flags (--so)",
		"*--flags* and [--flags](/x)":    "--flags and --flags",
		"\"--flags\"":                    "“--flags”",
		"'--flags' --2":                  "‘--flags’ --2",
		"a --> b <-- c":                  "a --> b <-- c",
		"a ---> b":                       "a ---> b",
		"a ----- b":                      "a ----- b",
		"go test ./...":                  "go test ./...",
		".../a and a/...":                ".../a and a/...",
		"cat <<EOF":                      "cat <<EOF",
		"1 << 3 >> 2":                    "1 << 3 >> 2",
		"vector<vector<int>>":            "vector<vector>", // and a tag
		"a <<quoted>> b":                 "a «quoted» b",
		"a >>b":                          "a >>b",
		"`--flags ... \"a\"`":            "--flags ... \"a\"",
	} {
		if got := mustRender(t, source, markdown.Options{}).Plain; got != want {
			t.Errorf("%q: %q, want %q", source, got, want)
		}
	}
}

// TestQuotes asserts that quotation marks are those of the post's language.
func TestQuotes(t *testing.T) {
	for _, c := range [][2]string{
		{"She said \"this is 'the' one\" and that was all of it.", "She said “this is ‘the’ one” and that was all of it."},
		{
			"Sie hat \"das ist 'die' eine\" gesagt, und das war auch nicht alles.",
			"Sie hat „das ist ‚die‘ eine“ gesagt, und das war auch nicht alles.",
		},
		{
			"Il a dit \"c'est 'bon' pour nous\" et les autres ne sont pas venus.",
			"Il a dit «\u202fc’est “bon” pour nous\u202f» et les autres ne sont pas venus.",
		},
		{
			"Dijo \"es el mejor\" y los otros no se lo creen por una vez.",
			"Dijo «es el mejor» y los otros no se lo creen por una vez.",
		},
		{"Han sa \"det är bra\" och jag tror inte att det är så.", "Han sa ”det är bra” och jag tror inte att det är så."},
		{
			"Powiedział \"to nie jest to\" i nie wrócił do domu, ale się nie martwię.",
			"Powiedział „to nie jest to” i nie wrócił do domu, ale się nie martwię.",
		},
		{"Он сказал \"да\" и ушёл.", "Он сказал «да» и ушёл."},
		{"הוא אמר \"כן\" והלך.", "הוא אמר ”כן” והלך."},
		{"彼は\"はい\"と言った。", "彼は\"はい\"と言った。"},
		{"他说\"好\"，然后\"走\"了。", "他说“好”，然后“走”了。"},
		{"\"강조\"는 그는\"강조\"라고 했다.", "“강조”는 그는“강조”라고 했다."},
		{"\"ok\"", "“ok”"},
		{"```\nund der die das nicht\n```\n\n\"a\" b", "und der die das nicht\n“a” b"},
	} {
		source, want := c[0], c[1]
		if got := mustRender(t, source, markdown.Options{}).Plain; got != want {
			t.Errorf("%q:\n got %q\nwant %q", source, got, want)
		}
	}
	long := strings.Repeat("und der die das nicht ist ein ", 1000)
	if got := mustRender(t, "\"a\" "+long, markdown.Options{}).Plain; !strings.HasPrefix(got, "„a“") {
		t.Errorf("got %.20q, want %q at its start", got, "„a“")
	}
}
