package foreign_test

import (
	"strings"
	"testing"
)

// withParent is an attachment of another entry.
func withParent(attachment, parent string) string {
	return strings.Replace(attachment, "<wp:post_parent>7<", "<wp:post_parent>"+parent+"<", 1)
}

// TestWXRLinksToWhatIsPrivate: the slug of an entry that is not for everybody, which may be made of its title, is in
// no post that is. A link that has it in it already leads to the entry, and so does one of a post that is as private.
func TestWXRLinksToWhatIsPrivate(t *testing.T) {
	const status = `<wp:status>private</wp:status>`
	for name, c := range map[string]struct {
		more string // of the entry that the link leads to
		link string
		from string // of the entry that has it
		want string // "" for what the link says itself
	}{
		"private":  {status, "https://old.example/?p=8", "", ""},
		"in words": {status, "/?p=8", "", ""},
		"page":     {status + "<wp:post_type>page</wp:post_type>", "/?page_id=8", "", ""},
		"draft":    {`<wp:status>draft</wp:status><wp:post_name/>`, "/?p=8", "", ""},
		"pending":  {`<wp:status>pending</wp:status>`, "/?p=8", "", ""},
		"to come":  {`<wp:status>future</wp:status>`, "/?p=8", "", ""},
		"password": {`<wp:post_password>x</wp:post_password>`, "/?p=8", "", ""},
		"plugin":   {meta("_members_access_role", "x"), "/?p=8", "", ""},
		"a part":   {`<content:encoded>[members_only]x[/members_only]</content:encoded>`, "/?p=8", "", ""},
		"a block": {`<content:encoded>&lt;!-- wp:premium-content/container --&gt;x</content:encoded>`, "/?p=8", "",
			""},
		"said twice": {`<wp:status>publish</wp:status><wp:status>private</wp:status>`, "/?p=8", "", ""},
		"number":     {status + `<link>https://old.example/archives/8</link>`, "https://old.example/archives/8", "", ""},
		"named already": {status + `<link>https://old.example/a/plan-b/</link>`, "https://old.example/a/plan-b/", "",
			"/posts/plan-b"},
		"from as private": {status, "/?p=8#x", status, "/posts/plan-b#x"},
		"public":          {"", "/?p=8", "", "/posts/plan-b"},
		"public page":     {"<wp:post_type>page</wp:post_type>", "/?page_id=8", "", "/posts/plan-b"},
	} {
		t.Run(name, func(t *testing.T) {
			more := "<wp:post_id>8</wp:post_id><title>Plan B</title>" + c.more
			if !strings.Contains(more, "post_name") {
				more += "<wp:post_name>plan-b</wp:post_name>"
			}
			entries, _ := mustRead(t, wxr(item("Text.", more), item(`<a href="`+c.link+`">a</a>`, c.from)))
			got, want := entries["posts/hello.md"], "[a]("+c.want+")"
			if c.want == "" {
				want = "[a](" + c.link + ")"
			}
			if got.Body != want {
				t.Errorf("got the text %q, want %q", got.Body, want)
			}
			if wantNote := c.want == ""; strings.Contains(got.said, "link "+c.link) != wantNote {
				t.Errorf("got the notes %q, want one about the link: %t", got.said, wantNote)
			}
			if raw := string(got.Entry.Raw); c.want == "" && (strings.Contains(raw, "plan") || strings.Contains(raw, "Plan")) {
				t.Errorf("got the name of what is private in %s", raw)
			}
		})
	}
}

// TestWXRPicturesOfWhatIsPrivate: pictures of an entry that is not for everybody are in a post that is only where
// that one names them itself.
func TestWXRPicturesOfWhatIsPrivate(t *testing.T) {
	const at, status = "/wp-content/uploads/2020/01/", "<wp:status>private</wp:status>"
	secret := withParent(attachment(9, "s.png", ""), "8")
	const page = "https://old.example/2020/01/hello/att-9/"
	as := func(status string) string {
		return strings.Replace(attachment(9, "s.png", ""), "inherit", status, 1)
	}
	link := `<a href="` + page + `">a</a>`
	thumbnail := meta("_thumbnail_id", "9")
	const cut = "s-e1577934245123"
	shown := "![](" + at + "s.png)"
	for name, c := range map[string]struct {
		file, parent string // the attachment, and what its entry says
		text, more   string // of the post
		want         string
	}{
		"gallery of another":  {secret, status, `[gallery id="8"]`, "", ""},
		"of a draft":          {secret, "<wp:status>draft</wp:status>", `[gallery id=8]`, "", ""},
		"of one to come":      {secret, "<wp:status>future</wp:status>", `[gallery id=8]`, "", ""},
		"of one in the trash": {secret, "<wp:status>trash</wp:status>", `[gallery id=8]`, "", ""},
		"with a password":     {secret, "<wp:post_password>x</wp:post_password>", `[gallery id=8]`, "", ""},
		"playlist":            {secret, status, `[playlist id="8"]`, "", ""},
		"of another type":     {secret, "<wp:post_type>diary</wp:post_type>", `[gallery id=8]`, "", ""},
		"not in the export":   {withParent(secret, "7"), "", `[gallery id=99]`, "", ""},
		"of a public one":     {secret, "", `[gallery id="8"]`, "", shown},
		"of a public page":    {secret, "<wp:post_type>page</wp:post_type>", `[gallery id="8"]`, "", shown},
		"from as private":     {secret, status, `[gallery id="8"]`, status, shown},
		"named":               {secret, status, `[gallery ids="9"]`, "", shown},
		"its address":         {secret, status, `<img src="https://old.example` + at + `s.png">`, "", shown},
		"featured":            {secret, status, "", thumbnail, shown},
		"its page":            {secret, status, link, "", "[a](" + page + ")"},
		"its page, in trash":  {secret, "<wp:status>trash</wp:status>", link, "", "[a](" + page + ")"},
		"its page, public":    {secret, "", link, "", "[a](" + at + "s.png)"},
		"private itself":      {as("private"), "", `[gallery]`, "", ""},
		"in the trash itself": {as("trash"), "", `[gallery ids=9]`, thumbnail, ""},
		"own password": {attachment(9, "s.png", "<wp:post_password>x</wp:post_password>"), "", `[gallery]`, thumbnail,
			""},
		"its page, private":    {as("private"), "", link, "", "[a](" + page + ")"},
		"cut from another one": {"", "", `<img src="` + at + cut + `.png" alt="A">`, "", "![A](" + at + cut + ".png)"},
		"its smaller size": {"", "", `<img src="` + at + cut + `-300x200.png" alt="A">`, "",
			"![A](" + at + cut + "-300x200.png)"},
	} {
		t.Run(name, func(t *testing.T) {
			private := item("Text.", "<wp:post_id>8</wp:post_id><wp:post_name>b</wp:post_name>"+
				"<link>https://old.example/b</link>"+c.parent)
			entries, x := mustRead(t, wxr(c.file, private, item(c.text, c.more)), strings.TrimPrefix(at, "/")+"s.png")
			if got := entries["posts/hello.md"]; got.Body != c.want {
				t.Errorf("got the text %q, want %q; said %q", got.Body, c.want, got.said)
			} else if strings.HasPrefix(c.text, "[") && c.want == "" && !strings.Contains(got.said, "lost [") {
				t.Errorf("got the notes %q, want one about the pictures that are not shown", got.said)
			}
			for _, name := range x.Names() {
				if strings.Contains(name, "s.png") || strings.Contains(name, "att") {
					t.Errorf("an attachment is an entry of its own: %s", name)
				}
			}
		})
	}
}
