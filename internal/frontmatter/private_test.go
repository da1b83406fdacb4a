package frontmatter_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"blog/internal/frontmatter"
)

// TestWhatIsPrivateIsADraft: each of these files would be public by its date alone, and says that
// it is not for everybody.
func TestWhatIsPrivateIsADraft(t *testing.T) {
	for _, front := range []string{
		// Jekyll, Hexo
		"published: false", "Published: False", "PUBLISHED: no", "published: 'false'", `published: "no"`, "published: 0",
		"published: off", "password: secret", "password: 1234", "Password: \"x y\"", "encrypt: true",
		// Hugo, Zola
		"draft: true", "Draft: true", "DRAFT: Yes", "draft: 'true'", "draft: \"yes\"", "draft: 1", "isDraft: true",
		"is-draft: on", "build: {render: never}", "build:\n  render: false", "_build: {list: never, render: always}",
		"build: {list: local}", "build: {render: link}", "render: false", "headless: true", "params: {draft: true}",
		"params:\n  private: yes", "extra: {hidden: true}", "extra:\n  nested:\n    published: false",
		// Eleventy
		"permalink: false", "eleventyExcludeFromCollections: true", "eleventyExcludeFromCollections: [posts]",
		// Obsidian
		"publish: false", "dg-publish: false", "Publish: 'No'", "tags: [go, private]", "tags: '#draft #go'", "tag: Draft",
		// Ghost, WordPress, others
		"status: draft", "Status: DRAFT", "state: draft", "state: Draft", "status: 'Pending Review'", "status: in-review",
		"post_status: private", "postStatus: trash", "visibility: private", "visibility: members", "visibility: paid",
		"Visibility: Tiers", "access: members", "access: [admin, editor]", "audience: subscribers", "private: true",
		"hidden: true", "unlisted: true", "Unlisted: YES", "public: false", "isPublic: no", "listed: false",
		"visible: false", "members_only: true", "status: archived", "status: false", "visibility: false", "type: draft",
		"layout: private", "secret: true", "wip: true", "embargo: true", "nopublish: true", "meta: {visibility: unlisted}",
		"base: &b {draft: true}\n<<: *b", "yes: &y true\nprivate: *y", "{hidden: true, date: 2024-01-01}",
		"draft: false\npublished: false", "published: true\nprivate: true", "draft: false\nstatus: draft",
		"password: {value: x}", "visibility: [public, members]", "tiers: [gold]", "show: false", "cover: {private: true}",
		// Merges, anchors, lists and tables
		"x: [&a {hidden: true}]\n<<: [*a]", "params: [{hidden: true}]", "k: &k private\nparams: {*k : yes}",
		"params.private: true", "extra.hidden: yes", "x: &t !!bool true\nhidden: *t", "private: !odd true",
		"meta: [[{private: 1}]]", "params: {a: 1, private: no, private: yes}", "? private\n: true",
		"private: |\n  yes\n", "type: [post, draft]", "kind: [private]",
		// Letters and signs
		"\uff50\uff52\uff49\uff56\uff41\uff54\uff45: true", "PR\u0130VATE: true", "pr\u0131vate: true",
		"priv\u0430te: true", "hid\u00adden: true", "private\u200b: yes", "private: \uff39\uff25\uff33",
		"un-listed: true", "un\u2011listed: true", "PRIVATE : ON", "private?: true", "'private:': t",
		"status: Pri\u0475at\u0435", "status: \uff44\uff52\uff41\uff46\uff54",
		// Words
		"isPagePrivate: true", "post_private: true", "page-draft: true", "draft_post: yes", "hiddenPage: true",
		"postVisibility: members", "post-password: x", "pagePassword: 0", "password: n", "patrons_only: true",
		"sponsors-only: 1", "not_public: true", "loginRequired: true", "gated: yes", "visible_to: members",
		"visibleTo: [friends]", "tier: paid", "public: off", "blog_public: 0", "restricted_to: staff",
		"tags: [status/draft]", "tags: '#private/diary'", "meta: {is_public: false}", "notListed: 1",
	} {
		text := "---\ndate: 2024-01-01\n" + front + "\n---\nText.\n"
		if strings.HasPrefix(front, "{") {
			text = "---\n" + front + "\n---\nText.\n"
		}
		f, problems := frontmatter.Parse("x.md", []byte(text), nil)
		wantNoFailure(t, front, problems)
		if !f.Draft {
			t.Errorf("%s: got Draft %t, want true", front, f.Draft)
		}
		if !f.HasDraft {
			t.Errorf("%s: got HasDraft %t, want true", front, f.HasDraft)
		}
		if said(problems, frontmatter.Private) == 0 && !strings.Contains(strings.ToLower(front), "draft") {
			t.Errorf("%s: got the problems %v, want one of the kind %v", front, problems, frontmatter.Private)
		}
	}
	for name, draft := range map[string]bool{
		"_drafts/x.md": true, "site/_Drafts/2024-01-02-x.md": true, "_x.md": true, "a/_templates/x.md": true,
		"_posts/2024-01-02-x.md": false, "x_y.md": false, "__/x.md": true, "drafts/x.md": true, "Private/a/x.md": true,
		"x.draft.md": true, "drafting/x.md": false, "/home/private/x.md": false, "a/unpublished/x.md": true,
	} {
		f, problems := frontmatter.Parse(name, []byte("---\ndate: 2024-01-01\n---\n"), nil)
		if f.Draft != draft {
			t.Errorf("%s: got Draft %t, want %t", name, f.Draft, draft)
		}
		if got := said(problems, frontmatter.Private) > 0; got != draft {
			t.Errorf("%s: got the problems %v, want one of the kind %v: %t", name, problems, frontmatter.Private, draft)
		}
		if f, _ = frontmatter.Parse(name, []byte("---\ndate: 2024-01-01\nis_draft: false\n---\n"), nil); f.Draft {
			t.Errorf("%s with our own word: got Draft %t, want false", name, f.Draft)
		}
	}
	if f, _ := frontmatter.ParseIn("_drafts", "x.md", []byte("---\ndate: 2024-01-01\n---\n"), nil); !f.Draft {
		t.Errorf("a file of a folder that is named _drafts: got Draft %t, want true", f.Draft)
	}
}

// said counts the mentions of a kind.
func said(problems []frontmatter.Problem, kind frontmatter.Kind) (n int) {
	for _, p := range problems {
		if p.Warning && p.Kind == kind {
			n++
		}
	}
	return n
}

// TestWhatIsPublicIsPublished: these say that it is for everybody, or speak of something else.
func TestWhatIsPublicIsPublished(t *testing.T) {
	for _, front := range []string{
		"published: true", "Published: 'yes'", "publish: true", "draft: false", "draft: 'false'", "isDraft: no",
		"hidden: false",
		"private: false", "status: published", "Status: Publish", "state: public", "visibility: public", "access: all",
		"visibility: everyone", "status:", "password:", "password: ''", "password: false", "permalink: /x/", "type: post",
		"layout: post", "layout: archive", "kind: link", "type: review", "stage: 3", "workflow: mine", "show: sidebar",
		"cover: {hidden: true}", "toc: {hidden: true, status: x}", "comments: {enabled: false}",
		"author: {name: A, visible: false}",
		"build: {render: always, list: always}", "_build: {publishResources: false}", "eleventyExcludeFromCollections: false",
		"tags: [privacy, drafting]", "draft: false\ntags: [draft]", "draft: false\nstatus: evergreen",
		"published: true\nvisibility: 🌱", "status: scheduled", "hidden:", "tiers: []", "private: off", "noindex: true",
		"robots: noindex", "robots: [noindex, nofollow]", "sitemap: {exclude: true}", "sitemap: false",
		"sitemap_exclude: true", "search: {exclude: true}", "searchHidden: true", "hideFromFeed: true", "rss: false",
		"seo: {noindex: true, robots: none}", "feed: {exclude: true}", "accessMode: textual", "postUrl: /x",
		"x: {hidden: {a: 1}}", "noteOnly: true", "print_only: true", "tier: gold", "live_at: https://x.example/",
		"available_on: amazon", "params: {published: true}", "params.draft: false", "gallery: [{hidden: true}]",
		"expire_time: never", "book: {published: 1999}", "статус: черновик",
	} {
		f, problems := frontmatter.Parse("x.md", []byte("---\ndate: 2024-01-01\n"+front+"\n---\nText.\n"), nil)
		wantNoFailure(t, front, problems)
		if f.Draft {
			t.Errorf("%s: got Draft %t, want false", front, f.Draft)
		}
		if said(problems, frontmatter.Private) > 0 {
			t.Errorf("%s: got the problems %v, want none of the kind %v", front, problems, frontmatter.Private)
		}
	}
	for front, draft := range map[string]bool{
		"published: true": false, "publish: true": false, "status: published": false, "dg-publish: yes": false,
		"draft: false": false, "created: 2024-01-01": true, "created: 2024-01-01\npublish: true": false,
		"visibility: public": true, "hidden: false": true, "status: scheduled": true, "status: evergreen": true,
		"status: done": true,
	} {
		f, problems := frontmatter.Parse("x.md", []byte("---\n"+front+"\n---\nText.\n"), nil)
		wantNoFailure(t, front+", without a date", problems)
		if f.Draft != draft {
			t.Errorf("%s, without a date: got Draft %t, want %t", front, f.Draft, draft)
		}
	}
}

// TestWhatIsAmbiguousIsRefused: by its line, and only where the post would be public.
func TestWhatIsAmbiguousIsRefused(t *testing.T) {
	for _, front := range []string{
		"status: evergreen", "status: Entwurf", "state: 下書き", "visibility: sometimes", "published: maybe",
		"private: ask", "hidden: [home]", "draft: perhaps", "access: {roles: [a], open: x}", "audience: beginners",
		"expiryDate: soon", "expires: true", "publishDate: tomorrow", "unlisted: {a: b}", "draft: [true]",
		"draft: true\nis_draft: false", "Draft: false\ndraft: true", "params: {status: perhaps}",
		"private: true\nprivate: false", "publishDate: [2199-01-01]", "publishDate: {at: 2199-01-01}",
		"params: {publishDate: soon}", "publishDate: 99999-01-01", "publishDate: 20990101", "publishDate: 4070908800",
		"publishDate: never", "publish_after: 1 Foo", "params.status: perhaps", "<<: [{state: ripe}]",
		"visibleTo: [alice]", "expires: [2020-01-01]", "params: {expires: soon}", "draft: -1", "draft: 1.0", "draft: 2",
		"private: ja", "draft: \u2713", "unlisted: {a: b}\ncreated: 2024-01-01",
	} {
		_, problems := frontmatter.Parse("x.md", []byte("---\ndate: 2024-01-01\ntitle: T\n"+front+"\n---\nText.\n"), nil)
		if !frontmatter.Failed(problems) {
			t.Errorf("%s: got the problems %v, want a failure", front, problems)
		}
		for _, p := range problems {
			if p.Line < 4 {
				t.Errorf("%s: got line %d, want at least 4, in %+v", front, p.Line, p)
			}
			if p.Field == "" {
				t.Errorf("%s: got the field %q, want one, in %+v", front, p.Field, p)
			}
		}
	}
}

func TestDatesOfPublication(t *testing.T) {
	for front, want := range map[string]string{
		"date: 2024-01-01\npublishDate: 2124-02-01":                       "2124-02-01",
		"publishDate: 2124-02-01\ndate: 2024-01-01":                       "2124-02-01",
		"date: 2124-01-01\npublishDate: 2024-02-01":                       "2124-01-01",
		"pubDate: 2024-01-01":                                             "2024-01-01",
		"publish_date: 2024-01-01":                                        "2024-01-01",
		"published: 2024-01-01":                                           "2024-01-01",
		"created: 2023-01-01\ndate: 2024-01-01":                           "2024-01-01",
		"created: 2025-01-01\npublished_at: 2024-01-01":                   "2024-01-01",
		"created: 2024-01-01\npublish: true":                              "2024-01-01",
		"date: 2024-01-01\nembargo: 2124-01-01":                           "2124-01-01",
		"date: 2024-01-01\nlastmod: 2025-01-01\nreleaseDate: 2125-01-01":  "2024-01-01",
		"Date: 2024-01-01\nDRAFT: false":                                  "2024-01-01",
		"date:\npublishDate: 2024-01-01":                                  "2024-01-01",
		"date: 2024-01-01\npublished: true\npublish: true\nscheduled: no": "2024-01-01",
		"date: 2024-01-01\nparams: {publishDate: 2124-01-01}":             "2124-01-01",
		"date: 2024-01-01\nparams: {publishDate: 2023-01-01}":             "2024-01-01",
		"date: 2024-01-01\nparams.publish_date: 2124-01-01":               "2124-01-01",
		"b: &b {date: 2124-01-01}\n<<: *b\npublished: 2024-01-01":         "2124-01-01",
		"date: 2024-01-01\npublishAfter: 2124-01-01":                      "2124-01-01",
		"date: 2024-01-01\nhidden_until: 1 Jan 2124":                      "2124-01-01",
		"date: 2024-01-01\nPublish-Start-Date: 2124-01-01":                "2124-01-01",
		"date: 2024-01-01\nmeta: {published: 2124-01-01}":                 "2124-01-01",
		"date: 2024-01-01\n\uff50ublishDate: 2124-01-01":                  "2124-01-01",
		"draft: false\navailable_from: 2124-01-01":                        "2124-01-01",
		"date: 2024-01-01\ncover: {publishDate: 2124-01-01}":              "2024-01-01",
	} {
		f, problems := frontmatter.Parse("x.md", []byte("---\n"+front+"\n---\nText.\n"), nil)
		wantNoFailure(t, front, problems)
		if f.Draft {
			t.Errorf("%q: got Draft %t, want false", front, f.Draft)
		}
		wantDay(t, front, f.PublishedAt, want)
	}
}

// wantDay checks that there is a date, and that it is on a day such as 2024-05-01.
func wantDay(tb testing.TB, what string, date *time.Time, want string) {
	tb.Helper()
	if date == nil {
		tb.Errorf("%q: got no date, want %s", what, want)
		return
	}
	if got := date.Format(time.DateOnly); got != want {
		tb.Errorf("%q: got the date %s, want %s", what, got, want)
	}
}

func TestExpiry(t *testing.T) {
	now := time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)
	for front, want := range map[string]string{
		"expiryDate: 2024-04-30":                      "x.md:3: expiryDate: 2024-04-30T00:00:00Z has passed, so ",
		"Expires: 2024-05-02":                         "stays for everybody after 2024-05-02",
		"params:\n  unpublish_date: 2024-04-30":       "x.md:4: unpublish_date: 2024-04-30T00:00:00Z has passed",
		"expires: 2025-01-01\nexpirydate: 2024-01-01": "x.md:4: expirydate: 2024-01-01T00:00:00Z has passed",
		"expiryDate: 9999-12-31":                      "",
		"expires: never":                              "",
		"expires: false":                              "",
		"cover: {expires: 2024-01-01}":                "",
		"unpublishAfter: 2024-04-30":                  "x.md:3: unpublishAfter: 2024-04-30T00:00:00Z has passed",
		"deleted_at: 2024-04-30 10:00":                "x.md:3: deleted_at: 2024-04-30T10:00:00Z has passed",
		"available-until: 2024-04-30":                 "x.md:3: available-until: 2024-04-30T00:00:00Z has passed",
		"extra: [{expires: 2024-04-30}]":              "x.md:3: expires: 2024-04-30T00:00:00Z has passed",
	} {
		f, problems := frontmatter.Parse("x.md", []byte("---\ndate: 2024-01-01\n"+front+"\n---\n"), nil)
		wantNoFailure(t, front, problems)
		got, ok := f.Expired(now)
		if ok != (want != "") {
			t.Errorf("%s: got expired %t, want %t: %v", front, ok, want != "", got)
		}
		if ok && !strings.Contains(got.Error(), want) {
			t.Errorf("%s: got %q, want %q in it", front, got.Error(), want)
		}
	}
}

// TestWhatIsPublishedHereSaysSo: the file of a post that was private, and was published here, says
// nothing else any more.
func TestWhatIsPublishedHereSaysSo(t *testing.T) {
	for before, after := range map[string]string{
		"---\ndate: 2024-01-01\npublished: false # not yet\nmine: 1\n---\nText.\n": "---\ndate: 2024-01-01\nmine: 1\n" +
			"is_draft: false\n---\nText.\n",
		"---\ndate: 2024-01-01\nDraft: true\nmine: 1\n---\nText.\n": "---\ndate: 2024-01-01\n" +
			"Draft: false\nmine: 1\n---\nText.\n",
		"---\ndate: 2024-01-01\ntags: [draft]\n---\nText.\n": "---\ndate: 2024-01-01\ntags: [draft]\n" +
			"is_draft: false\n---\nText.\n",
		"---\ndate: 2024-01-01\nextra:\n  private: true\nmine: 1\n---\nText.\n": "---\ndate: 2024-01-01\nmine: 1\n" +
			"is_draft: false\n---\nText.\n",
		"---\ndate: 2024-01-01\nparams.private: true\nmine: 1\n---\nText.\n": "---\ndate: 2024-01-01\nmine: 1\n" +
			"is_draft: false\n---\nText.\n",
		"---\ndate: 2024-01-01\na: &a {private: yes}\nb: *a\n---\nText.\n": "---\ndate: 2024-01-01\n" +
			"is_draft: false\n---\nText.\n",
	} {
		f := MustParse(t, "x.md", before)
		want := f.Fields
		want.Draft = false
		got := string(frontmatter.Render(&f, want))
		if got != after {
			t.Errorf("%q became\n%q, want\n%q", before, got, after)
		}
		mustSay(t, "x.md", got, want)
	}
}

// TestWhatIsPrivateInTOMLAndJSON: in tables, in arrays of them, and with escapes.
func TestWhatIsPrivateInTOMLAndJSON(t *testing.T) {
	for text, draft := range map[string]bool{
		"+++\ndate = 2024-01-01\ndraft = true\n+++\n":                              true,
		"+++\ndate = 2024-01-01\n\"Dr\\u0061ft\" = 'yes'\n+++\n":                   true,
		"+++\ndate = 2024-01-01\nparams.private = true\n+++\n":                     true,
		"+++\ndate = 2024-01-01\n[extra]\nhidden = true\n+++\n":                    true,
		"+++\ndate = 2024-01-01\n[[params]]\na = 1\n[[params]]\nhidden = 1\n+++\n": true,
		"+++\ndate = 2024-01-01\n[taxonomies]\ntags = ['a']\ndraft = true\n+++\n":  true,
		"+++\ndate = 2024-01-01\n[extra]\na = {b = {private = true}}\n+++\n":       true,
		"+++\ndate = 2024-01-01\n[sitemap]\ndisable = true\n+++\n":                 false,
		"+++\r\ndate = 2024-01-01\r\nprivate = true\r\n+++\r\n":                    true,
		"{\"date\": \"2024-01-01\", \"dr\\u0061ft\": true}\n":                      true,
		"{ \"date\": \"2024-01-01\", \"params\": [{\"PRIVATE\": \"1\"}]}\n":        true,
		"{\n\"date\": \"2024-01-01\", \"noindex\": true}\n":                        false,
		"\ufeff---\r\ndate: 2024-01-01\r\nprivate: true\r\n---\r\n":                true,
		"---\rdate: 2024-01-01\rprivate: true\r---\r":                              true,
		"---\ndate: 2024-01-01\n---\nFree.\n\n<!--members-only-->\n\nPaid.\n":      true,
		"---\ndate: 2024-01-01\n---\n{{% hugo-encryptor \"x\" %}}\nSecret\n":       true,
		"---\ndate: 2024-01-01\n---\n```\n<!--members-only-->\n```\n`{% private`":  false,
		"---\ndate: 2024-01-01\ndraft: false\n---\n<!-- members only -->\n":        false,
	} {
		f, problems := frontmatter.Parse("x.md", []byte(text), nil)
		wantNoFailure(t, text, problems)
		if f.Draft != draft {
			t.Errorf("%q: got Draft %t, want %t", text, f.Draft, draft)
		}
		if f.HasDraft != draft && !strings.Contains(text, "draft: f") {
			t.Errorf("%q: got HasDraft %t, want %t", text, f.HasDraft, draft)
		}
	}
	for _, text := range []string{
		"+++\ndate = 2024-01-01\ndraft = true\ndraft = false\n+++\n", "{\"draft\": true, \"draft\": false}\n",
		"\xff\xfe-\x00-\x00-\x00", "\x00-\x00-\x00-", "\xff\xfe-\x00\x00\x00", "---\ndraft: true\xa0\n---\n",
	} {
		_, problems := frontmatter.Parse("x.md", []byte(text), nil)
		if !frontmatter.Failed(problems) {
			t.Errorf("%q: got the problems %v, want a failure", text, problems)
			continue
		}
		if got := problems[0].Line; got == 0 {
			t.Errorf("%q: got line %d, want another, in %+v", text, got, problems[0])
		}
	}
}

// TestHiddenFrontMatter: what is above the first line of front matter keeps it from being read, so the file
// is a draft whatever its name says, and who publishes it by hand is told.
func TestHiddenFrontMatter(t *testing.T) {
	for text, line := range map[string]int{
		"\n---\npublished: false\n---\n": 2, "\ufeff\ufeff---\ndraft: true\n---\n": 1,
		"\u200b---\nprivate: true\n---\n": 1, " ---\nstatus: draft\n---\n": 1, "--- # mine\ndraft: true\n---\n": 1,
		"\r\n\r\n+++\r\ndraft = true\r\n+++\r\n": 3, "---\ndraft: true\n---\n": 0, "Text\n": 0, "\n---\nText\n": 0,
		"\n----\ntitle: x\n": 0, "": 0, "\n---": 0,
	} {
		if got := frontmatter.Hidden([]byte(text)); got != line {
			t.Errorf("%q: line %d, want %d", text, got, line)
		}
		f, _ := frontmatter.Parse("_posts/2024-01-02-x.md", []byte(text), nil)
		if line > 0 && !f.Draft {
			t.Errorf("%q: got Draft %t, want true", text, f.Draft)
		}
	}
}

// TestDoubts: a file without a date is a draft when it is imported, and published by who names it. Then it
// has to be told as well.
func TestDoubts(t *testing.T) {
	for front, line := range map[string]int{
		"title: T\nstatus: ripe": 3, "title: T": 0, "status: ripe\ndraft: true": 0, "status: ripe\nis_draft: false": 0,
		"status: scheduled": 0,
	} {
		f, problems := frontmatter.Parse("x.md", []byte("---\n"+front+"\n---\n"), nil)
		doubts := f.Doubts()
		wantNoFailure(t, front, problems)
		var lines, want []int
		for _, doubt := range doubts {
			lines = append(lines, doubt.Line)
		}
		if line > 0 {
			want = []int{line}
		}
		if diff := cmp.Diff(want, lines); diff != "" {
			t.Errorf("%s: lines of doubts %v (-want +got):\n%s", front, doubts, diff)
		}
		if strings.Contains(front, "scheduled") && !f.HasDraft {
			t.Errorf("what is scheduled without a date: got HasDraft %t, want true", f.HasDraft)
		}
	}
}

func TestPrivatePlace(t *testing.T) {
	for dir, want := range map[string]string{
		"/srv/_drafts/2024": "_drafts", "_Private": "_Private", "/private/tmp/x": "", "/x/_work/y": "", ".": "", "_posts": "",
	} {
		if got := frontmatter.PrivatePlace(dir); got != want {
			t.Errorf("%s: %q, want %q", dir, got, want)
		}
	}
}
