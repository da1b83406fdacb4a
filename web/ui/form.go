package ui

import (
	"maps"
	"slices"
	"strings"
)

// input is one labelled control of a form.
type input struct {
	Name         string
	Label        string
	Hint         string
	Type         string // "" means text
	Value        string
	Autocomplete string
	Required     bool
	Dir          string // "auto" for words, "" for addresses and codes
	MinLength    string
	Placeholder  string
}

func (i input) id() string { return "f-" + i.Name }

func (i input) kind() string {
	if i.Type == "" {
		return "text"
	}
	return i.Type
}

// describedBy returns the ids of a control's hint and error, or "".
func (i input) describedBy(f Form) string {
	var ids []string
	if i.Hint != "" {
		ids = append(ids, i.id()+"-hint")
	}
	if f.Errors[i.Name] != "" {
		ids = append(ids, i.id()+"-error")
	}
	return strings.Join(ids, " ")
}

func (f Form) failed() bool { return f.Message != "" || len(f.Errors) > 0 }

// problems returns the errors of a form: those of inputs in their order, then all others.
func (f Form) problems(inputs []input) []problem {
	left := maps.Clone(f.Errors)
	var list []problem
	for _, i := range inputs {
		if text := left[i.Name]; text != "" {
			list = append(list, problem{Label: i.Label, Text: text, Target: "#" + i.id()})
		}
		delete(left, i.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		list = append(list, problem{Label: name, Text: left[name]})
	}
	return list
}

// problem is a line in a form's summary of errors.
type problem struct {
	Label, Text, Target string
}

func loginInputs(v LoginView) []input {
	return []input{
		{Name: "email", Label: "E-mail", Type: "email", Value: v.Email, Autocomplete: "username", Required: true},
		{Name: "password", Label: "Password", Type: "password", Autocomplete: "current-password", Required: true},
	}
}

func setupInputs(v SetupView) []input {
	return []input{
		{
			Name: "name", Label: "Name", Hint: "Readers see it under what you write.", Value: v.Name, Autocomplete: "name",
			Required: true, Dir: "auto",
		},
		{
			Name: "email", Label: "E-mail", Hint: "For signing in. It is shown to nobody.", Type: "email", Value: v.Email,
			Autocomplete: "username", Required: true,
		},
		{
			Name: "password", Label: "Password", Hint: "A long sentence is better than a short riddle.", Type: "password",
			Autocomplete: "new-password", Required: true,
		},
	}
}

func passwordInputs(v AccountView) []input {
	hint := ""
	if v.MinPasswordLen > 0 {
		hint = "At least " + count(v.MinPasswordLen, "character", "characters") +
			". A long sentence is better than a short riddle."
	}
	return []input{
		{Name: "current", Label: "Current password", Type: "password", Autocomplete: "current-password", Required: true},
		{Name: "password", Label: "New password", Hint: hint, Type: "password", Autocomplete: "new-password", Required: true},
	}
}

func editorInputs(v EditorView) map[string]input {
	list := []input{
		{Name: "title", Label: "Title", Value: v.Title, Required: true, Dir: "auto"},
		{
			Name: "body", Label: "Text", Hint: "Markdown: tables, footnotes, task lists and fenced code.", Value: v.Body,
			Dir: "auto",
		},
		{
			Name: "slug", Label: "Address", Hint: "The last part of the link. Left empty, it is made from the title.",
			Value: v.Slug, Dir: "auto",
		},
		{
			Name: "description", Label: "Description", Hint: "A sentence or two under the title and in search engines.",
			Value: v.Description, Dir: "auto",
		},
		{Name: "tags", Label: "Tags", Hint: "Separated by commas.", Value: v.Tags, Dir: "auto"},
		{Name: "published_at", Label: "Date", Hint: "In " + v.Zone + ".", Type: "datetime-local", Value: v.PublishedAt},
		{Name: "image", Label: "Picture", Hint: "PNG, JPEG, GIF or WebP. Its place and camera are removed.", Type: "file"},
	}
	byName := make(map[string]input, len(list))
	for _, i := range list {
		byName[i.Name] = i
	}
	return byName
}

// editorOrder returns the editor's inputs in their order on the page.
func editorOrder(v EditorView) []input {
	byName := editorInputs(v)
	var list []input
	for _, name := range []string{"title", "body", "description", "tags", "slug", "published_at", "image"} {
		list = append(list, byName[name])
	}
	return list
}

func editorHeading(v EditorView) string {
	switch {
	case v.New:
		return "New post"
	case v.Title == "":
		return "Edit a post"
	default:
		return "Edit “" + v.Title + "”"
	}
}

func statusText(status string) string {
	switch status {
	case StatusPublished:
		return "Published"
	case StatusScheduled:
		return "Scheduled"
	default:
		return "Draft"
	}
}

// mostlySaves reports whether saving is the most likely purpose of the form. It is not while the
// post is not published.
func mostlySaves(v EditorView) bool {
	return v.Status == StatusPublished || v.Status == "" && !v.New
}

func saveText(status string) string {
	if status == StatusPublished {
		return "Save changes"
	}
	return "Save"
}

func diffMark(kind string) string {
	switch kind {
	case DiffMine:
		return "+"
	case DiffTheirs:
		return "−"
	default:
		return " "
	}
}

// summaryID returns the id of the summary of a form's errors, or "" without errors.
func summaryID(f Form) string {
	if f.failed() {
		return "form-summary"
	}
	return ""
}

// versionInputs returns the inputs of one side of a conflict.
func versionInputs(prefix string, v Version, zone string) []input {
	return []input{
		{Name: prefix + "title", Label: "Title", Value: v.Title, Dir: "auto"},
		{Name: prefix + "body", Label: "Text", Value: v.Body, Dir: "auto"},
		{Name: prefix + "description", Label: "Description", Value: v.Description, Dir: "auto"},
		{Name: prefix + "tags", Label: "Tags", Value: v.Tags, Dir: "auto"},
		{Name: prefix + "slug", Label: "Address", Value: v.Slug, Dir: "auto"},
		{Name: prefix + "published_at", Label: "Date (" + zone + ")", Type: "datetime-local", Value: v.PublishedAt},
	}
}
