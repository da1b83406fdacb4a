package frontmatter

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// kind is what a value of front matter is, in whatever syntax it stands.
type kind uint8

const (
	nothing kind = iota
	scalar
	sequence
	mapping
)

// value is a value of front matter. Values are shared where a file shares them,
// and one may hold itself: who walks them remembers where they were.
type value struct {
	kind    kind
	text    string // of a scalar, as it stands; numbers, dates and booleans too
	tag     string // of a scalar: a YAML type of the file's own, such as !wow
	comment string // behind an empty value
	line    int    // in the file, from 1
	list    []*value
	pairs   []pair
}

// pair is a key of a mapping with its value.
type pair struct {
	key   string
	line  int
	value *value
}

// item is one key of the front matter with its value, and the lines in the file
// that hold it.
type item struct {
	field      field
	key        string
	value      *value
	line       int    // in the file
	start, end int    // in File.Raw; unset where there are no lines to edit
	text       string // as it stands in the file, with LF line ends
	layout     layout
	private    bool // it says that the post is not for everybody
	delays     bool // it has a date before which the post is not for everybody
}

// yamlValues turns nodes of YAML into values. It never expands an alias, so that
// a few lines cannot unfold into gigabytes.
type yamlValues map[*yaml.Node]*value

func (y yamlValues) value(n *yaml.Node) *value {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if v, known := y[n]; known {
		return v
	}
	v := &value{line: n.Line + 1}
	y[n] = v
	switch n.Kind {
	case yaml.SequenceNode:
		v.kind = sequence
		for _, e := range n.Content {
			v.list = append(v.list, y.value(e))
		}
	case yaml.MappingNode:
		v.kind = mapping
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, line := n.Content[i], n.Content[i].Line+1
			if key.Kind == yaml.AliasNode {
				key = key.Alias
			}
			v.pairs = append(v.pairs, pair{key: key.Value, line: line, value: y.value(n.Content[i+1])})
		}
	default:
		v.comment = strings.TrimSpace(n.LineComment)
		v.text = n.Value
		if strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") {
			v.kind, v.tag = scalar, n.Tag
		} else if n.ShortTag() != "!!null" {
			v.kind = scalar
		}
	}
	return v
}

// plainText is the text of a scalar in lower case on one line, "" for any other value.
func (v *value) plainText() string {
	if v.kind != scalar {
		return ""
	}
	return strings.ToLower(oneLine(v.text))
}

// truth reads a yes or a no; ok is false where the value is neither.
func (v *value) truth() (yes, ok bool) {
	word := v.plainText()
	if !strings.ContainsAny(word, "-+. ") { // of a number these are no mere signs
		word = squash(word)
	}
	switch word {
	case "true", "yes", "on", "y", "t", "1":
		return true, true
	case "false", "no", "off", "n", "f", "0":
		return false, true
	}
	return false, false
}
