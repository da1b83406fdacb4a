package main

import (
	"net/url"
	"path"
	"strings"

	"blog/internal/frontmatter"
	"blog/internal/posts"
)

// pages finds the posts of the files of a folder, by slug.
type pages struct {
	byPath map[string]string // by nameKey of the file's path, with and without extension, and of a bundle's folder
	byName map[string]string // by nameKey of the last part of it, without extension
}

// survey reads all files for their slugs: a text may lead to a file that comes later.
func (i *importer) survey(names []string) {
	i.surveyFolders()
	taken := map[string]string{} // the file that has it, by slug
	i.renamed = map[string]renamed{}
	i.pages = pages{byPath: map[string]string{}, byName: map[string]string{}}
	for _, name := range names {
		data, err := readWithin(i.root, name, frontmatter.MaxSize)
		if err != nil {
			continue // as is said when it is imported
		}
		f, _ := frontmatter.ParseIn(i.folder, name, data, i.loc)
		slug, problem := posts.CheckSlug(f.Slug)
		if problem != "" {
			continue
		}
		if other, isTaken := taken[slug]; isTaken && !f.HasSlug {
			if slug = longer(name, slug, taken); slug == "" {
				continue
			}
			i.renamed[name] = renamed{slug: slug, other: other}
		}
		taken[slug] = name
		stem := strings.TrimSuffix(name, path.Ext(name))
		for _, key := range []string{name, stem} {
			i.pages.byPath[nameKey(key)] = slug
		}
		if dir := path.Dir(stem); strings.EqualFold(path.Base(stem), "index") && dir != "." {
			i.pages.byPath[nameKey(dir)] = slug
			stem = dir
		}
		if key := nameKey(path.Base(stem)); i.pages.byName[key] == "" {
			i.pages.byName[key] = slug
		}
	}
}

// renamed is the slug of a file whose name gives one that another file has.
type renamed struct{ slug, other string }

// longer makes a slug of a file's name and of the folders that it lies in, the nearest first, until no
// other file has it: a site has an about.md in each language. It is "" where all of them are taken.
func longer(name, slug string, taken map[string]string) string {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		slug = posts.Slugify(path.Base(dir) + "-" + slug)
		_, isTaken := taken[slug]
		if _, problem := posts.CheckSlug(slug); problem == "" && !isTaken {
			return slug
		}
	}
	return ""
}

// link returns what finds the post that the text of a file calls ref.
func (i *importer) link(file string) func(ref string) (string, bool) {
	return func(ref string) (string, bool) {
		if plain, err := url.PathUnescape(ref); err == nil {
			ref = plain
		}
		ref, fromRoot := strings.CutPrefix(ref, "@")
		var places []string
		if !fromRoot && !strings.HasPrefix(ref, "/") {
			places = append(places, path.Join(path.Dir(file), ref))
		}
		if below, ok := strings.CutPrefix(strings.TrimLeft(ref, "/"), i.folder+"/"); ok {
			places = append(places, below)
		}
		for _, base := range []string{"", "content", "src/content", "source", "src", "_posts", "content/posts"} {
			places = append(places, path.Join(base, strings.TrimLeft(ref, "/")))
		}
		for _, p := range places {
			if slug := i.pages.byPath[nameKey(p)]; slug != "" {
				return "/posts/" + url.PathEscape(slug), true
			}
		}
		name := path.Base(path.Clean("/" + ref))
		if isMarkdown(name) {
			name = strings.TrimSuffix(name, path.Ext(name))
		}
		if slug := i.pages.byName[nameKey(name)]; slug != "" && !strings.HasPrefix(ref, "/") {
			return "/posts/" + url.PathEscape(slug), true
		}
		return "", false
	}
}
