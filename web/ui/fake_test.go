package ui_test

import (
	"strings"
	"testing"
	"time"

	"blog/internal/markdown"
	"blog/web/ui"
)

// at returns the time of all fakes.
func at() time.Time { return time.Date(2026, time.May, 24, 7, 5, 9, 123e6, time.UTC) }

func fakeBlog() ui.Blog {
	return ui.Blog{
		Title:       "The Long Way Round",
		Description: "Notes on databases, tea and other things that take their time.",
		Location:    time.FixedZone("CEST", 2*60*60),
	}
}

func fakePage(title, base string) ui.Page {
	return ui.Page{Title: title, Blog: fakeBlog(), Lang: "en", AssetBase: base, Canonical: "https://blog.example/"}
}

func fakeUser() *ui.User {
	return &ui.User{Name: "Ada Õunapuu-Ψαρράς", Email: "ada@blog.example"}
}

func fakeCards() []ui.Card {
	titles := []struct{ title, excerpt string }{
		{
			"A date is not a condition",
			"Whether a post can be seen is a fact that somebody wrote down, not a comparison with whatever clock the reader’s " +
				"request happens to meet on its way.",
		},
		{
			"Τι κοστίζει να μην ξέρεις — the cost of not knowing",
			"Half of what goes wrong between two machines is that one of them does not know what the other one knows, and " +
				"asks nobody.",
		},
		{
			"الكتابة من اليمين إلى اليسار ليست حالة خاصة",
			"النص العربي داخل صفحة إنجليزية يجد اتجاهه بنفسه، من أول حرف قوي فيه، دون أن يطلب أحد ذلك.",
		},
		{
			"Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
			"One very long word: pneumonoultramicroscopicsilicovolcanoconiosispneumonoultramicroscopicsilicovolcanoconiosis.",
		},
		{"日本語の組版と空白のない行", "単語の間に空白がない文章でも、行は正しい場所で折り返され、引用符は行頭に来ない。"},
		{
			"🫖 Tea, and other slow protocols 🐢🐢🐢",
			"Green at seventy degrees, black at a hundred, and never a second infusion without an acknowledgement.",
		},
		{
			"<script>alert('no')</script> & other greetings",
			"Markup in a title is text: <b>this</b> is not bold & that is right.",
		},
	}
	var cards []ui.Card
	for i, c := range titles {
		cards = append(cards, ui.Card{
			ID: int64(40 - i), Slug: "post-" + string(rune('a'+i)), Title: c.title, Excerpt: c.excerpt, Author: "Ada",
			PublishedAt: at().AddDate(0, 0, -9*i), ReadingMinutes: 3 + 2*i,
			Tags: [][]string{
				{"databases", "time"}, {"networks", "Ελληνικά"}, {"عربي"}, nil, {"日本語", "typography"}, {"tea", "🐢"},
				{"a tag with spaces & <brackets>"},
			}[i],
		})
	}
	cards[0].Pinned, cards[1].Pinned = 2, 1
	return cards
}

func fakeTags() []ui.TagCount {
	return []ui.TagCount{
		{"databases", 12}, {"networks", 7}, {"time", 4}, {"Ελληνικά", 1}, {"عربي", 2}, {"日本語", 3}, {"typography", 9},
		{"tea", 1}, {"🐢", 1}, {"Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft", 1},
	}
}

func fakeList(base string) ui.List {
	_ = base
	return ui.List{Topic: "posts", Cards: fakeCards(), Limit: 20, More: true}
}

// fakePost returns a post with everything that Markdown can produce.
func fakePost(t *testing.T) ui.Post {
	t.Helper()
	doc, err := markdown.New(markdown.Words{}).Render(source, markdown.Options{
		Prefix: "p1",
		Image: func(string) (string, int, int, bool) {
			return "/media/picture.svg", 1600, 900, true
		},
	})
	if err != nil {
		t.Fatalf("render the fake: %v", err)
	}
	p := ui.Post{
		ID: 40, Slug: "post-a", Title: "A date is not a condition, and what else a clock cannot know",
		Description: "Whether a post can be seen is a fact that somebody wrote down. A long look at time, tables and tea, " +
			"in several scripts.",
		Author: "Ada Õunapuu-Ψαρράς", PublishedAt: at(), UpdatedAt: at().AddDate(0, 0, 3),
		ReadingMinutes: doc.ReadingMinutes,
		Tags:           []string{"databases", "time", "عربي", "typography"}, Body: doc.HTML,
	}
	for _, h := range doc.Headings {
		p.TOC = append(p.TOC, ui.Heading{Level: h.Level, ID: h.ID, Text: h.Text})
	}
	return p
}

// lines joins paragraphs of Markdown.
func lines(parts ...string) string { return strings.Join(parts, "\n\n") }

var source = lines(
	`The reader who opens a page at one second before noon and the reader who opens it one second after are asking `+
		`**the same question** of the same table. It would be *odd* to answer them differently because of a `+
		`[comparison](/posts/post-b) that neither of them can see. The rest of this text is here to show how type behaves: `+
		`long lines, short ones, and ~~mistakes~~ corrections.[^1]`,
	`So visibility is stored. When a date comes, one machine writes one row with `+"`posts.release`"+
		`, and everything else — pages, feeds, search, sockets — follows from that row.[^clock] "Smart quotes" aren't `+
		`'dumb' -- they're dashes --- too...`,
	`## What a clock cannot know`,
	`> A man with one watch knows what time it is; a man with two is never quite sure. And a program with three regions `+
		`has, on average, one and a half opinions about everything.`+"\n>\n> — somebody who had three",
	`### In code, naturally`,
	"```go\n// Release makes visible what is due. It runs on the primary only, and exactly once for each post and date, "+
		"whatever happens.\nfunc (c Release) Apply(ctx context.Context, tx *repo.Tx) (Released, error) {\n\trow := "+
		"tx.QueryRow(ctx, `SELECT id, slug FROM posts WHERE state = 'scheduled' AND due <= ?`, tx.Now())\n\tvar out "+
		"Released\n\tif err := row.Scan(&out.ID, &out.Slug); errors.Is(err, sql.ErrNoRows) {\n\t\treturn out, nil // "+
		"somebody was faster: that is no error\n\t}\n\treturn out, tx.Exec(ctx, \"UPDATE posts SET state = 'published' "+
		"WHERE id = ?\", out.ID)\n}\n```",
	"A shell that says nothing about its language:",
	"```\n$ blog post publish a-date-is-not-a-condition --json | jq .cursor\n\"00000000000004d2-5f2a9c\"\n```",
	`### A list, and lists within`,
	"1. First, a row is written.\n2. Then it travels:\n   - to Tokyo, over a cable that lies on the ground of an "+
		"ocean,\n   - to Virginia, over another,\n   - and to the laptop on which this was typed.\n3. Then it is "+
		"read.\n\n- [x] store the state\n- [x] wake at the earliest due date\n- [ ] explain it to the editor, who wants it "+
		"*now*",
	`## Tables that are wider than they should be`,
	"| Region | Role | Round trip | p50 | p99 | What it sees first | Notes |\n|:--|:-:|--:|--:|--:|:--|:--|\n| London | "+
		"primary | 0 ms | 0.4 ms | 2.1 ms | everything | the one that writes |\n| Virginia | replica | 76 ms | 0.3 ms | "+
		"1.9 ms | after half a round trip | reads what it has |\n| Tokyo | replica | 232 ms | 0.5 ms | 2.4 ms | after half "+
		"a long round trip | `SELECT` stays at home |\n| Reykjavík | replica | 51 ms | 0.4 ms | 2.0 ms | soon | windy |",
	"## Alerts, and words that are explained {#alerts}",
	"> [!NOTE]\n> What a reader should know, with `code` and a [link](/posts/post-b).",
	"> [!TIP] A tip with a *title* of its own\n> Write less.\n>\n> - And then\n> - less than that",
	"> [!IMPORTANT]\n> A [link](/posts/post-b) that matters.",
	"> [!WARNING]\n> Hot water.\n>\n> > somebody's words",
	"> [!CAUTION]\n> Boiling `water`:\n>\n> ```sh {1}\n> kettle --on # beware\n> ```",
	"Green tea\n: Seventy degrees, two minutes.\n: Never a third time.\n\nBlack tea\n: A hundred degrees.",
	"```go title=\"internal/tea/kettle.go\" {2,4-5}\n// Boil heats w.\nfunc Boil(w Water) (Tea, error) {\n\tw.Heat(100, "+
		"`Celsius`) // this line is rather long, so that it has to be scrolled where the window is narrow\n\tconst "+
		"minutes = 3\n\treturn Tea{\"black\", minutes}, nil\n}\n```",
	`## Pictures`,
	"![A harbour at dusk, drawn with far too few lines](harbour.jpg)",
	"![The harbour, with its waves](https://example.org/harbour.mp4)\n\nAnd how it sounds:\n\n"+
		"<audio src=\"https://example.org/harbour.mp3\"></audio>",
	`Text goes on after a picture as if nothing had happened, which is the best that can be said of any text.`,
	`## Από δεξιά, from the left, 右から左へ`,
	`هذه فقرة عربية داخل مقالة إنجليزية. تبدأ من اليمين وتنتهي حيث يجب أن تنتهي، حتى مع كلمة English في وسطها، ومع `+
		`أرقام مثل 12345.`,
	`עברית גם כן נכתבת מימין לשמאל, והיא אינה מתנצלת על כך.`,
	`漢字とかなの混ざった文は、空白がなくても読める。行の折り返しも、句読点の位置も、ブラウザーがよく知っている。`,
	`> اقتباس يبدأ من اليمين، وخطّه على الجانب الصحيح.`,
	`An address that nobody can break: https://example.com/a/very/long/address/that/goes/on/`+
		`and/on/and/never/finds/an/end/because/it/was/made/by/a/machine?with=parameters&and=more`,
	`#### A heading of the fourth kind`,
	"Press <kbd>Ctrl</kbd> + <kbd>S</kbd>, and read "+
		"`a_very_long_identifier_that_someone_thought_was_a_good_idea_at_the_time_and_never_renamed` aloud. 👩🏽‍💻 "+
		"H<sub>2</sub>O and E = mc<sup>2</sup>.",
	"---",
	"<div dir=\"rtl\">\n\n## عنوان داخل إطار\n\nفقرة أولى داخل إطار من اليمين.\n\nفقرة ثانية، وبينهما مسافة.\n\n</div>",
	"<details><summary>More than anybody asked for</summary><p>Here is the rest of it, folded away so that it bothers "+
		"nobody.</p></details>",
	`## The end`,
	strings.Repeat(`A last paragraph, long enough to have a shape of its own, so that one can see how even the colour `+
		`of the page is when nothing happens on it. `, 4),
	"[^1]: Corrections are what makes a text long. See also the [next one](/posts/post-b).",
	"[^clock]: A clock says what time it *thinks* it is, which is a different thing altogether, and the difference is "+
		"called drift by those who like it and a bug by those who do not.",
)
