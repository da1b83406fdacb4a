package foreign

import (
	"cmp"

	"blog/internal/frontmatter"
)

// database reads an element of db.
func (g *ghost) database(r *jsonReader) error {
	return r.object(func(name string) error {
		if frontmatter.PlainKey(name) == "data" {
			return g.data(r)
		}
		return r.skip()
	})
}

// data reads the tables.
func (g *ghost) data(r *jsonReader) error {
	return r.object(func(name string) error {
		name = frontmatter.PlainKey(name) // without underscores
		switch name {
		case "posts":
			g.found = true
			return r.array(func() error { return g.head(r) })
		case "users":
			return r.array(func() error {
				var u struct {
					ID, Name, Email loose
				}
				_, err := r.value(&u)
				g.users[bounded(string(u.ID))] = cmp.Or(bounded(string(u.Email)), bounded(string(u.Name)))
				return err
			})
		case "tags":
			return r.array(func() error {
				var t ghostTag
				at, err := r.value(&t)
				g.tags[bounded(string(t.ID))] = ghostTag{
					Name:     loose(bounded(string(t.Name))),
					internal: at.doubt != "" || t.Visibility.given && t.Visibility.text != "public",
				}
				return err
			})
		case "postsmeta":
			g.mustBeList(r, name)
			return r.array(func() error { return g.postMeta(r) })
		case "poststags", "postsauthors":
			to := g.has
			if name == "postsauthors" {
				to = g.by
			}
			return r.array(func() error {
				var l ghostLink
				_, err := r.value(&l)
				for _, text := range []*loose{&l.PostID, &l.TagID, &l.AuthorID, &l.Order} {
					*text = loose(bounded(string(*text)))
				}
				to[string(l.PostID)] = append(to[string(l.PostID)], l)
				return err
			})
		case "settings":
			g.mustBeList(r, name)
			return r.array(func() error { return g.setting(r) })
		}
		return r.skip()
	})
}

// mustBeList doubts all posts where a table that may hide them is no list.
func (g *ghost) mustBeList(r *jsonReader, name string) {
	if kind := r.dec.PeekKind(); kind != '[' && kind != 'n' {
		g.doubt = "the export's table " + name + " cannot be read"
	}
}

// setting reads a row of the settings. A site may be private as a whole.
func (g *ghost) setting(r *jsonReader) error {
	var s struct {
		Key   loose
		Value scalar
	}
	at, err := r.value(&s)
	switch key := frontmatter.PlainKey(bounded(string(s.Key))); {
	case key == "permalinks":
		g.permalinks = bounded(string(s.Value.text))
	case key == "isprivate" && (at.doubt != "" || s.Value.hides(key)):
		g.doubt = "its site is private"
	}
	return err
}

// postMeta reads a row of what posts have besides. Of several for a post, each may hide it.
func (g *ghost) postMeta(r *jsonReader) error {
	var m ghostMeta
	at, err := r.value(&m)
	if err != nil {
		return err
	}
	m.doubt = at.doubt != "" || !m.EmailOnly.no()
	for _, text := range []*loose{&m.PostID, &m.Alt, &m.Caption, &m.Meta} {
		*text = loose(bounded(string(*text)))
	}
	m.EmailOnly.text = "" // it is part of the doubt
	if m.PostID == "" && m.doubt {
		g.doubt = "the export's posts_meta has a row that may hide a post, and does not say which one"
	}
	m.doubt = m.doubt || g.meta[string(m.PostID)].doubt
	g.meta[string(m.PostID)] = m
	return nil
}

// head reads a post without its text.
func (g *ghost) head(r *jsonReader) error {
	var p struct {
		ID, Slug, Title loose
		Type, Page      scalar
	}
	at, err := r.value(&p)
	if err != nil {
		return err
	}
	g.refs = append(g.refs, ghostRef{
		place: at, id: bounded(string(p.ID)), slug: bounded(string(p.Slug)), title: bounded(string(p.Title)),
		page: isGhostPage(p.Type, p.Page),
	})
	return nil
}
