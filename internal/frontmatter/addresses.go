package frontmatter

import (
	"fmt"
	"net/url"
	"path"
	"strings"
)

// addresses reads the addresses that the post had in another system: Hugo's aliases and url,
// Jekyll's permalink and redirect_from, Zola's path.
func (p *parser) addresses() {
	f := &p.file
	for _, it := range f.items {
		if it.field != permalinks || p.rank(it) == ours {
			continue
		}
		for _, text := range p.list(it, false) {
			address, problem := p.address(squash(it.key), text)
			switch {
			case problem != "":
				p.note(NoAddress, it.line, it.key, shorten(text)+" "+problem, "")
			case len(f.Permalinks) >= maxList:
			default:
				before := len(f.Permalinks)
				if f.Permalinks = unique(append(f.Permalinks, address)); len(f.Permalinks) > before {
					f.Addresses = append(f.Addresses, Address{Path: address, Key: it.key, Line: it.line})
				}
			}
		}
	}
}

// address gives the path that a text means, or why it means none.
func (p *parser) address(key, text string) (address, problem string) {
	if strings.Contains(text, "{{") || strings.Contains(text, "{%") {
		return "", "is a template, of which the address is not known"
	}
	if strings.Contains(text, ":") && !strings.Contains(text, "://") ||
		key == "permalink" && !strings.Contains(text, "/") {
		return p.pattern(text)
	}
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Opaque != "":
		return "", "is no address"
	case u.Host != "" && (key == "url" || key == "path"):
		return "", "leads to another site"
	case u.Host == "" && !strings.Contains(text, "/") && (strings.ContainsAny(text, " ") || strings.ToLower(text) != text):
		return "", "is a name and no address" // Obsidian's aliases
	}
	return cleanAddress(u.Path)
}

// cleanAddress gives the form in which an address is asked for.
func cleanAddress(s string) (address, problem string) {
	s = strings.TrimSuffix(path.Clean("/"+strings.TrimSpace(s)), "/index.html")
	if s == "" || s == "/" {
		return "", "is the front page, which stays"
	}
	return s, ""
}

// pattern fills in Jekyll's placeholders, and its styles by name.
func (p *parser) pattern(text string) (address, problem string) {
	f := &p.file
	switch text {
	case "pretty":
		text = "/:categories/:year/:month/:day/:title/"
	case "date":
		text = "/:categories/:year/:month/:day/:title:output_ext"
	case "none":
		text = "/:categories/:title:output_ext"
	}
	if !strings.Contains(text, ":") {
		return cleanAddress(text)
	}
	parts := map[string]string{":output_ext": ".html", ":title": f.Slug, ":slug": f.Slug, ":categories": p.categories()}
	if t := f.PublishedAt; t != nil {
		at := t.In(f.loc)
		for key, layout := range map[string]string{
			":year": "2006", ":short_year": "06", ":month": "01", ":i_month": "1", ":day": "02", ":i_day": "2", ":hour": "15",
			":minute": "04", ":second": "05", ":y_day": "002", ":short_month": "Jan", ":long_month": "January",
		} {
			parts[key] = at.Format(layout)
		}
	}
	var b strings.Builder
	for remainder := text; remainder != ""; {
		before, after, found := strings.Cut(remainder, ":")
		b.WriteString(before)
		if !found {
			break
		}
		n := 0
		for n < len(after) && (after[n] == '_' || after[n] >= 'a' && after[n] <= 'z') {
			n++
		}
		filled, known := parts[":"+after[:n]]
		if !known {
			return "", fmt.Sprintf("has :%s, which is not known", after[:n])
		}
		b.WriteString(filled)
		remainder = after[n:]
	}
	return cleanAddress(b.String())
}

// categories is what Jekyll puts into an address for them.
func (p *parser) categories() string {
	for _, it := range p.file.items {
		if key := squash(it.key); key == "categories" || key == "category" {
			silenced := parser{file: p.file, folder: p.folder}
			labels := silenced.labels(it.key, it, it.value)
			for i, s := range labels {
				labels[i] = slugOf(s)
			}
			return strings.Join(labels, "/")
		}
	}
	return ""
}
