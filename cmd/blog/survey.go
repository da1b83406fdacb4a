package main

import (
	"net/url"
	"path"
	"strings"
	"time"

	"blog/internal/frontmatter"
	"blog/internal/posts"
)

// pages finds the posts of the files of a folder, by slug.
type pages struct {
	byPath map[string]page // by nameKey of the file's path, with and without extension, and of a bundle's folder
	byName map[string]page // by nameKey of the last part of it, without extension
	hidden map[string]bool // the files whose posts not everybody may read, or not yet, and the folders of such bundles
}

// page is the post of a file.
type page struct {
	slug   string
	hidden bool
}

// survey reads all files for their slugs: a text may lead to a file that comes later.
func (i *importer) survey(names []string) {
	i.surveyFolders()
	i.shelf.closed = i.isClosed
	taken := map[string]string{} // the file that has it, by slug
	i.renamed = map[string]renamed{}
	i.pages = pages{byPath: map[string]page{}, byName: map[string]page{}, hidden: map[string]bool{}}
	for _, name := range names {
		data, err := readWithin(i.root, name, frontmatter.MaxSize)
		if err != nil {
			continue // as is said when it is imported
		}
		f, problems := frontmatter.ParseIn(i.folder, name, data, i.loc)
		i.pages.hidden[name] = !i.isOpen(f, problems)
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
		to := page{slug, i.pages.hidden[name]}
		stem := strings.TrimSuffix(name, path.Ext(name))
		for _, key := range []string{name, stem} {
			i.pages.byPath[nameKey(key)] = to
		}
		if dir := path.Dir(stem); strings.EqualFold(path.Base(stem), "index") && dir != "." {
			i.pages.byPath[nameKey(dir)] = to
			i.pages.hidden[dir] = to.hidden
			stem = dir
		}
		if key := nameKey(path.Base(stem)); i.pages.byName[key].slug == "" {
			i.pages.byName[key] = to
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

// isOpen reports whether the post of a file, with what is wrong with the file, is one that everybody may read.
func (i *importer) isOpen(f frontmatter.File, problems []frontmatter.Problem) bool {
	problems = append(problems, i.hide(&f)...)
	return !frontmatter.Failed(problems) && posts.NewImport(f, nil).State(time.Now()) == posts.Published
}

// isClosed reports whether what lies in a folder, which has this path below that of the pictures, is not for
// everybody: the folder's name, a file in it or the one post in it says so.
func (i *importer) isClosed(dir string) bool {
	if frontmatter.PrivateName(path.Base(dir)) {
		return true
	}
	if i.shelf.prefix != "." {
		var found bool
		if dir, found = strings.CutPrefix(dir, i.shelf.prefix+"/"); !found {
			return false
		}
	}
	_, said := i.private[dir]
	return said || i.pages.hidden[dir]
}

// linker finds the posts to which the text of a file leads.
type linker struct {
	*importer
	file string
}

// link gives the address of the post that the text calls ref. A text that everybody may read does not get the slug
// of a post that not everybody may, unless it stands there already.
func (l *linker) link(ref string) (address string, ok bool) {
	to := l.find(ref)
	if to.slug == "" || !l.names(ref, to) {
		return "", false
	}
	return "/posts/" + url.PathEscape(to.slug), true
}

// missing says why link gives no address.
func (l *linker) missing(ref string) string {
	if l.find(ref).slug != "" {
		return "this leads to what is not for everybody, whose name readers are not shown, so it stays as it is"
	}
	return "this leads to no file"
}

// names reports whether the text may have the slug of a post.
func (l *linker) names(ref string, to page) bool {
	if !to.hidden || l.pages.hidden[l.file] {
		return true
	}
	if plain, err := url.PathUnescape(ref); err == nil {
		ref = plain
	}
	if isMarkdown(ref) {
		ref = strings.TrimSuffix(ref, path.Ext(ref))
	}
	return strings.Contains("-"+posts.Slugify(ref)+"-", "-"+posts.Slugify(to.slug)+"-")
}

// find gives the post that the text calls ref, without a slug where there is none.
func (l *linker) find(ref string) page {
	if plain, err := url.PathUnescape(ref); err == nil {
		ref = plain
	}
	ref, fromRoot := strings.CutPrefix(ref, "@")
	var places []string
	if !fromRoot && !strings.HasPrefix(ref, "/") {
		places = append(places, path.Join(path.Dir(l.file), ref))
	}
	if below, ok := strings.CutPrefix(strings.TrimLeft(ref, "/"), l.folder+"/"); ok {
		places = append(places, below)
	}
	for _, base := range []string{"", "content", "src/content", "source", "src", "_posts", "content/posts"} {
		places = append(places, path.Join(base, strings.TrimLeft(ref, "/")))
	}
	for _, p := range places {
		if to := l.pages.byPath[nameKey(p)]; to.slug != "" {
			return to
		}
	}
	if strings.HasPrefix(ref, "/") {
		return page{}
	}
	name := path.Base(path.Clean("/" + ref))
	if isMarkdown(name) {
		name = strings.TrimSuffix(name, path.Ext(name))
	}
	return l.pages.byName[nameKey(name)]
}
