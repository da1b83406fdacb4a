package posts

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits on what is searched for: more is cut off.
const (
	maxQueryRunes = 200
	maxTerms      = 16
)

// term is one thing that is searched for.
type term struct {
	text   string
	column string // "" for all, else a column of the index
	prefix bool
	not    bool
}

// parsed is what is made of what somebody typed: any of groups, each of which is
// all of its terms.
type parsed struct{ groups [][]term }

// parseQuery reads words, "phrases", prefix*, title:word, tag:word, -word, and
// the operators AND, OR, NOT (also &, |, !). Whatever is left dangling is
// dropped: no input is an error.
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

// add keeps a group that searches for something: one that only excludes cannot
// be answered from an index.
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

func (t token) term() (term, bool) {
	text := t.text
	prefix := !t.quoted && strings.HasSuffix(text, "*")
	text = strings.TrimRight(text, "*")
	searchable := strings.ContainsFunc(text, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.Is(unicode.Co, r) })
	return term{text: text, column: t.column, prefix: prefix, not: t.minus}, searchable
}

// columns are the prefixes that limit a word to a part of a post.
func columns() map[string]string {
	return map[string]string{"title": "title", "description": "description", "body": "plain", "text": "plain", "tag": "labels", "tags": "labels"}
}

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

// match returns the expression for FTS5's MATCH. Every term is quoted, so that
// nothing that was typed is syntax.
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

// unspaced reports whether a term is in a script that puts no spaces between
// words: the index's tokenizer takes a whole run of it for one word.
func (p parsed) unspaced() bool {
	for _, g := range p.groups {
		for _, t := range g {
			if strings.ContainsFunc(t.text, func(r rune) bool {
				return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
			}) {
				return true
			}
		}
	}
	return false
}

// like returns the condition of a search through all texts. What was typed is in
// the arguments only; a column is one of columns.
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
