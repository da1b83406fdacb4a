package posts

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a search. What is beyond them is ignored.
const (
	maxQueryRunes = 200
	maxTerms      = 16
)

// term is one word or phrase that is searched for.
type term struct {
	text   string
	column string // column of the index; "" means all
	prefix bool
	not    bool
}

// parsed is a parsed query: a post matches when it matches any group, and it matches a group when
// it matches every term of the group.
type parsed struct{ groups [][]term }

// parseQuery parses what a reader typed: words, "phrases", prefix*, title:word, tag:word, -word,
// and the operators AND, OR and NOT (also &, | and !). It ignores what has no meaning, such as an
// operator without a word, so no input is an error.
func parseQuery(q string) parsed {
	var p parsed
	var group []term
	not := false
	count := 0
	for _, tok := range tokens(q) {
		switch {
		case !tok.quoted && (tok.text == "OR" || tok.text == "|"):
			p.add(group)
			group, not = nil, false
		case !tok.quoted && (tok.text == "AND" || tok.text == "&"):
		case !tok.quoted && (tok.text == "NOT" || tok.text == "!"):
			not = true
		default:
			if t, ok := tok.term(); ok && count < maxTerms {
				t.not = t.not || not
				group = append(group, t)
				count++
			}
			not = false
		}
	}
	p.add(group)
	return p
}

// add appends group if it has a term that is not excluded. An index cannot answer a group that only
// excludes.
func (p *parsed) add(group []term) {
	for _, t := range group {
		if !t.not {
			p.groups = append(p.groups, group)
			return
		}
	}
}

type token struct {
	text   string
	column string
	minus  bool
	quoted bool
}

// term returns what t searches for. It reports false when t has no letter, number or private-use
// character.
func (t token) term() (term, bool) {
	text := t.text
	prefix := !t.quoted && strings.HasSuffix(text, "*")
	text = strings.TrimRight(text, "*")
	searchable := strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.Is(unicode.Co, r)
	})
	return term{text: text, column: t.column, prefix: prefix, not: t.minus}, searchable
}

// columns returns the columns of the index by the prefixes that limit a word to them.
func columns() map[string]string {
	return map[string]string{
		"title": "title", "description": "description", "body": "plain", "text": "plain", "tag": "labels", "tags": "labels",
	}
}

// tokens splits q into words, phrases and operators.
func tokens(q string) []token {
	if !utf8.ValidString(q) {
		q = strings.ToValidUTF8(q, " ")
	}
	runes := []rune(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, q))
	if len(runes) > maxQueryRunes {
		runes = runes[:maxQueryRunes]
	}
	var out []token
	for i := 0; i < len(runes); {
		switch r := runes[i]; {
		case unicode.IsSpace(r) || r == '(' || r == ')':
			i++
		case strings.ContainsRune("|&!", r):
			out = append(out, token{text: string(r)})
			i++
		default:
			var t token
			t, i = readToken(runes, i)
			out = append(out, t)
		}
	}
	return out
}

// readToken reads one word or phrase at i. It returns the token and the index behind it.
func readToken(runes []rune, i int) (token, int) {
	var t token
	if runes[i] == '-' {
		t.minus = true
		i++
	}
	start := i
	for i < len(runes) && !unicode.IsSpace(runes[i]) && !strings.ContainsRune(`"()|&!`, runes[i]) {
		if runes[i] == ':' {
			if col, ok := columns()[strings.ToLower(string(runes[start:i]))]; ok && t.column == "" {
				t.column = col
				start = i + 1
			}
		}
		i++
	}
	if i < len(runes) && runes[i] == '"' && i == start {
		end := i + 1
		for end < len(runes) && runes[end] != '"' {
			end++
		}
		t.text, t.quoted = string(runes[i+1:end]), true
		return t, min(end+1, len(runes))
	}
	t.text = string(runes[start:i])
	return t, i
}

// match returns the expression for FTS5's MATCH. It quotes every term, so that nothing that a
// reader typed is syntax.
func (p parsed) match() string {
	var groups []string
	for _, g := range p.groups {
		var yes, no []string
		for _, t := range g {
			s := `"` + strings.ReplaceAll(t.text, `"`, `""`) + `"`
			if t.prefix {
				s += "*"
			}
			if t.column != "" {
				s = "{" + t.column + "} : " + s
			}
			if t.not {
				no = append(no, s)
			} else {
				yes = append(yes, s)
			}
		}
		s := "(" + strings.Join(yes, " AND ") + ")"
		if len(no) > 0 {
			s = "(" + s + " NOT (" + strings.Join(no, " OR ") + "))"
		}
		groups = append(groups, s)
	}
	return strings.Join(groups, " OR ")
}

// unspaced reports whether a term is in a script that puts no spaces between words. The tokenizer
// of the index makes a whole run of such characters one word.
func (p parsed) unspaced() bool {
	for _, g := range p.groups {
		for _, t := range g {
			if strings.ContainsFunc(t.text, func(r rune) bool {
				return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer,
					unicode.Myanmar)
			}) {
				return true
			}
		}
	}
	return false
}

// like returns the SQL condition that scans all texts, and its arguments. What a reader typed is
// only in args; the columns in cond are those of columns().
func (p parsed) like() (cond string, args []any) {
	escape := strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")
	var groups []string
	for _, g := range p.groups {
		var all []string
		for _, t := range g {
			in := t.column
			if in == "" {
				in = "title || ' ' || description || ' ' || plain || ' ' || labels"
			}
			cond := "(" + in + ") LIKE ? ESCAPE '!'"
			if t.not {
				cond = "NOT " + cond
			}
			all = append(all, cond)
			args = append(args, "%"+escape.Replace(t.text)+"%")
		}
		groups = append(groups, "("+strings.Join(all, " AND ")+")")
	}
	return strings.Join(groups, " OR "), args
}
