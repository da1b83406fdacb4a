package ui_test

import (
	"testing"
	"time"

	"blog/web/ui"

	"github.com/a-h/templ"
)

// exhibit is one page of the gallery.
type exhibit struct {
	name string
	page templ.Component
}

func exhibits(t *testing.T, base string) []exhibit {
	t.Helper()
	list := append(readerExhibits(t, base), authorExhibits(t, base)...)
	return append(list, errorExhibits(base)...)
}

func signedIn(p ui.Page) ui.Page {
	p.User = fakeUser()
	p.NoIndex = true
	return p
}

func readerExhibits(t *testing.T, base string) []exhibit {
	t.Helper()
	home := fakePage("", base)
	posts := fakePage("Posts", base)
	posts.Active = ui.NavPosts
	post := fakePost(t)
	article := fakePage(post.Title, base)
	article.Description = post.Description
	signed := signedIn(article)
	signed.Flash = "Published. Readers see it now, in every region that is awake."
	rtl := rtlPage(base)
	short := ui.Post{
		ID: 2, Slug: "short", Title: "Short", PublishedAt: at(), ReadingMinutes: 1, Body: "<p>That is all.</p>",
	}
	list := fakeList(base)
	filters := []ui.TagFilter{
		{"databases", "/posts", true}, {"networks", "/posts?tag=databases&tag=networks", false},
		{"time", "/posts?tag=time", false}, {"عربي", "/posts?tag=x", false},
	}
	return append(listExhibits(base), []exhibit{
		{"home", ui.Home(ui.HomeView{Page: home, List: list, Tags: fakeTags()})},
		{"home-empty", ui.Home(ui.HomeView{Page: home, List: ui.List{Topic: "posts", Limit: 20}})},
		{
			"posts",
			ui.PostList(ui.PostListView{
				Page: posts, List: list, Filters: filters, Clear: "/posts",
				Pager: ui.Pager{Number: 2, Total: 9, Newer: "/posts?page=1", Older: "/posts?page=3"},
			}),
		},
		{
			"posts-rtl",
			ui.PostList(ui.PostListView{Page: rtl, List: list, Pager: ui.Pager{Number: 1, Total: 9, Older: "/posts?page=2"}}),
		},
		{
			"post",
			ui.PostPage(ui.PostView{
				Page: article, Post: post,
				Older: &ui.Link{Title: "Τι κοστίζει να μην ξέρεις — the cost of not knowing", URL: "/posts/post-b"},
				Newer: &ui.Link{Title: "الكتابة من اليمين إلى اليسار ليست حالة خاصة", URL: "/posts/post-c"},
			}),
		},
		{
			"post-own",
			ui.PostPage(ui.PostView{Page: signed, Post: post, EditURL: "/admin/posts/40", Status: "Scheduled for 1 June 2026"}),
		},
		{
			"post-short",
			ui.PostPage(ui.PostView{
				Page: fakePage("Short", base), Post: short, Newer: &ui.Link{Title: "Longer", URL: "/posts/post-a"},
			}),
		},
	}...)
}

// rtlPage returns a page of a blog that is written from right to left.
func rtlPage(base string) ui.Page {
	rtl := fakePage("المقالات", base)
	rtl.Lang = "ar"
	rtl.Blog.Title, rtl.Blog.Description = "الطريق الطويل", "ملاحظات عن قواعد البيانات والشاي."
	return rtl
}

// listExhibits returns the archive, the tags and the searches.
func listExhibits(base string) []exhibit {
	rtl := rtlPage(base)
	archive := fakePage("Archive", base)
	archive.Active = ui.NavPosts
	tags := fakePage("Tags", base)
	tags.Active = ui.NavTags
	list := fakeList(base)
	return []exhibit{
		{"archive", ui.Archive(ui.ArchiveView{Page: archive, Years: fakeYears()})},
		{"archive-empty", ui.Archive(ui.ArchiveView{Page: archive})},
		{"archive-rtl", ui.Archive(ui.ArchiveView{Page: rtl, Years: fakeYears()})},
		{"tags", ui.Tags(ui.TagsView{Page: tags, Tags: fakeTags()})},
		{"tags-empty", ui.Tags(ui.TagsView{Page: tags})},
		{"tag", ui.Tag(ui.TagView{Page: tags, Label: "databases", Count: 7, List: list})},
		{"search", ui.Search(searchView(base))},
		{"search-empty", ui.Search(ui.SearchView{Page: fakePage("Search", base)})},
		{
			"search-odd",
			ui.Search(ui.SearchView{
				Page: fakePage("Search", base), Query: `"AND NEAR(*`, Message: "There is no word in that. Try some letters.",
			}),
		},
		{"search-none", ui.Search(ui.SearchView{Page: fakePage("Search", base), Query: "xyzzy"})},
	}
}

// fakeYears returns the same posts again and again, in three years.
func fakeYears() []ui.ArchiveYear {
	var years []ui.ArchiveYear
	for i, from := range []int{0, 2, 6} {
		y := ui.ArchiveYear{Year: 2026 - i}
		for _, c := range fakeCards()[from:] {
			y.Posts = append(y.Posts, ui.ArchivePost{
				ID: c.ID - int64(100*i), Slug: c.Slug, Title: c.Title, PublishedAt: c.PublishedAt.AddDate(-i, 0, 0),
			})
		}
		years = append(years, y)
	}
	return years
}

func searchView(base string) ui.SearchView {
	v := ui.SearchView{Page: fakePage("Search", base), Query: "clock “drift”", Total: 2}
	v.Results = []ui.Result{
		{Slug: "post-a", PublishedAt: at(), Tags: []string{"time"},
			Title: []ui.Segment{{Text: "What a "}, {Text: "clock", Hit: true}, {Text: " cannot know"}},
			Snippet: []ui.Segment{
				{Text: "… which is a different thing altogether, and the difference is called "}, {Text: "drift", Hit: true},
				{Text: " by those who like it <b>and</b> a bug by those who do not. Another "}, {Text: "clock", Hit: true},
				{Text: " …"},
			}},
		{Slug: "post-c", PublishedAt: at().AddDate(-1, 0, 0),
			Title:   []ui.Segment{{Text: "الساعة", Hit: true}, {Text: " لا تعرف"}},
			Snippet: []ui.Segment{{Text: "النص العربي داخل صفحة إنجليزية "}, {Text: "يجد", Hit: true}, {Text: " اتجاهه بنفسه"}}},
	}
	return v
}

func authorExhibits(t *testing.T, base string) []exhibit {
	t.Helper()
	errors := map[string]string{"email": "This is no e-mail address.", "password": "Too short."}
	admin := signedIn(fakePage("Posts", base))
	admin.Active = ui.NavAdmin
	return append(editorExhibits(t, base), []exhibit{
		{"login", ui.Login(ui.LoginView{Page: fakePage("Sign in", base), Form: ui.Form{Action: "/login"}, Next: "/admin"})},
		{
			"login-wrong",
			ui.Login(ui.LoginView{
				Page: fakePage("Sign in", base), Form: ui.Form{Action: "/login", Message: "That is not right. Please try again."},
				Email: "ada@blog.example",
			}),
		},
		{
			"setup",
			ui.Setup(ui.SetupView{
				Page: fakePage("The first author", base), Form: ui.Form{Action: "/setup", Errors: errors}, Token: "t", Email: "ada",
				Name: "Ada Õunapuu",
			}),
		},
		{"account", ui.Account(accountView(base))},
		{
			"admin",
			ui.Admin(ui.AdminView{
				Page: admin, NewURL: "/admin/posts/new", Drafts: adminPosts(0, 2), Scheduled: adminPosts(2, 3),
				Published: adminPosts(3, 7), Message: "It was changed by somebody else in the meantime. Nothing was done.",
				Pager: ui.Pager{Number: 1, Total: 3, Older: "/admin?page=2"},
			}),
		},
		{"admin-empty", ui.Admin(ui.AdminView{Page: admin, NewURL: "/admin/posts/new"})},
		{"conflict", ui.Conflict(conflictView(base))},
		{
			"delete",
			ui.DeleteConfirm(ui.DeleteView{
				Page: signedIn(fakePage("Delete this post?", base)), Form: ui.Form{Action: "/admin/posts/40/delete"},
				Title: fakeCards()[0].Title, URL: "/posts/post-a", CancelURL: "/admin/posts/40", Revision: "3", Key: "k",
			}),
		},
	}...)
}

// editorExhibits returns the editor in its states.
func editorExhibits(t *testing.T, base string) []exhibit {
	t.Helper()
	refused := editorView(base)
	refused.Form.Errors = map[string]string{
		"title": "A post needs a title.", "slug": "“feed” is the address of the feed.", "published_at": "This is no date.",
		"revision": "It is missing.",
	}
	refused.Title, refused.Slug = "", "feed"
	away := editorView(base)
	away.Unavailable = true
	signedOut := editorView(base)
	signedOut.Page.User, signedOut.SignedOut, signedOut.Status, signedOut.ViewURL, signedOut.Uploads = nil, true, "", "",
		nil
	preview := editorView(base)
	post := fakePost(t)
	preview.Preview = &ui.Preview{Post: post}
	preview.Warnings = []ui.Warning{
		{Line: 3, Text: "<your-name> is no element of HTML and is left out; write \\<your-name> to show it"},
		{Line: 120, Text: "the comment that begins here (<!--) does not end (-->): what follows is not shown"},
	}
	fresh := ui.EditorView{
		Page: signedIn(fakePage("New post", base)), Form: ui.Form{Action: "/admin/posts"}, New: true, DraftKey: "new",
		Status: ui.StatusDraft, Zone: "Europe/Berlin", Key: "k1",
	}
	return []exhibit{
		{"editor", ui.Editor(editorView(base))},
		{"editor-new", ui.Editor(fresh)},
		{"editor-refused", ui.Editor(refused)},
		{"editor-away", ui.Editor(away)},
		{"editor-signed-out", ui.Editor(signedOut)},
		{"editor-preview", ui.Editor(preview)},
	}
}

func accountView(base string) ui.AccountView {
	page := signedIn(fakePage("Account", base))
	page.Active = ui.NavAccount
	return ui.AccountView{
		Page: page, Name: fakeUser().Name, Email: fakeUser().Email,
		MinPasswordLen: 12, PasswordChanged: true,
		Password: ui.Form{
			Action: "/account/password",
		}, LogoutAll: ui.Form{Action: "/account/logout-all"}, Renew: ui.Form{Action: "/account/renew"},
		Sessions: []ui.Session{
			{Label: "Firefox on Linux", CreatedAt: at(), ExpiresAt: at().AddDate(0, 0, 30), Current: true},
			{
				Label:     "Mozilla/5.0 (iPhone; CPU iPhone OS 26_1 like Mac OS X) AppleWebKit/605.1.15",
				CreatedAt: at().AddDate(0, 0, -5), ExpiresAt: at().AddDate(0, 0, 25),
			},
		},
	}
}

func adminPosts(from, to int) []ui.AdminPost {
	var list []ui.AdminPost
	for _, c := range fakeCards()[from:to] {
		list = append(list,
			ui.AdminPost{ID: c.ID, Title: c.Title, Slug: c.Slug, At: c.PublishedAt, Author: "Ada Õunapuu", Tags: c.Tags,
				Pinned:  c.Pinned != 0,
				ViewURL: "/posts/" + c.Slug, EditURL: "/admin/posts/1", DeleteURL: "/admin/posts/1/delete",
				Action:   "/admin/posts/1",
				Revision: "3", Key: "k"})
	}
	return list
}

func editorView(base string) ui.EditorView {
	page := signedIn(fakePage("Edit", base))
	return ui.EditorView{
		Page: page, Form: ui.Form{Action: "/admin/posts/40"}, DraftKey: "40", Status: ui.StatusPublished,
		Title: "A date is not a condition", Slug: "a-date-is-not-a-condition",
		Description: "Whether a post can be seen is a fact.",
		Tags:        "databases, time, عربي", Body: "\n" + source, PublishedAt: "2026-05-24T09:05", Zone: "Europe/Berlin",
		Revision: "7", Key: "k7", ViewURL: "/posts/post-a",
		Uploads: []ui.Upload{
			{Name: "harbour at dusk.jpg", URL: "/media/picture.svg", Markdown: "![](/media/3f9a2c/harbour-at-dusk.jpg)"},
		},
	}
}

func conflictView(base string) ui.ConflictView {
	mine := ui.Version{
		Title: "A date is not a condition", Slug: "a-date", Tags: "databases, time", Body: source,
		PublishedAt: "2026-05-24T09:05",
	}
	theirs := mine
	theirs.Title, theirs.Tags = "A date is no condition", "databases"
	return ui.ConflictView{
		Page: signedIn(fakePage("Two versions of one post", base)), Form: ui.Form{Action: "/admin/posts/40"},
		Mine: mine, Theirs: theirs, TheirsBy: "Grace", TheirsAt: at().Add(3 * time.Hour), TheirsURL: "/admin/posts/40",
		Do: "save", Zone: "Europe/Berlin", Revision: "8", Key: "k8", DraftKey: "40",
		Diff: []ui.DiffLine{
			{Kind: ui.DiffSkip, Text: "12 lines alike"},
			{
				Kind: ui.DiffSame,
				Text: "So visibility is stored. When a date comes, one machine writes one row, and everything else follows from " +
					"that row.",
			},
			{
				Kind: ui.DiffTheirs,
				Text: "It is read by three machines, in three regions, at three times that are all called now.",
			},
			{Kind: ui.DiffMine, Text: "It is read by as many machines as there are, at times that are all called now."},
			{Kind: ui.DiffMine, Text: "هذه فقرة عربية داخل مقالة إنجليزية."},
			{Kind: ui.DiffSame, Text: ""},
			{Kind: ui.DiffSame, Text: "### In code, naturally"},
		},
	}
}

func errorExhibits(base string) []exhibit {
	page := fakePage("Not found", base)
	return []exhibit{
		{"not-found", ui.NotFound(ui.ErrorView{Page: page, Status: 404, RequestID: "01JDK5Z3V8Q4M2"})},
		{"error", ui.Error(ui.ErrorView{Page: fakePage("Error", base), Status: 500, RequestID: "01JDK5Z3V8Q4M2"})},
		{
			"error-away",
			ui.Error(ui.ErrorView{
				Page: signedIn(fakePage("Unavailable", base)), Status: 503, Title: "No region takes writes just now",
				Message: "The primary cannot be reached. Reading goes on as before.", RetryAfter: 10, RetryURL: "/admin",
				Key: "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d", RequestID: "01JDK5Z3V8Q4M2",
			}),
		},
		{
			"on-its-way",
			ui.OnItsWay(ui.ErrorView{
				Page: signedIn(fakePage("On its way", base)), Status: 503, RetryAfter: 2, RetryURL: "/posts/post-a",
			}),
		},
	}
}
