package frontmatter

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// tomlItems reads front matter in TOML. One reader checks it, and another gives the lines of its keys.
func (p *parser) tomlItems(src []byte) []item {
	if err := toml.Unmarshal(src, &map[string]any{}); err != nil {
		line, message := 1, err.Error()
		var at *toml.DecodeError
		if errors.As(err, &at) {
			line, _ = at.Position()
			message = strings.TrimPrefix(message, "toml: ")
		}
		p.fail(p.lineIn(0)+line-1, "", "TOML cannot read this ("+message+")",
			`write key = "value" lines, dates as 2024-05-01, and true or false without quotes`)
		return nil
	}
	t := tomlReader{p: p, src: src, root: &value{kind: mapping, line: p.lineIn(0)}, texts: map[string]string{}}
	t.read()
	var items []item
	for _, tables := range []bool{false, true} { // as they have to stand in a new file
		for _, e := range t.root.pairs {
			if text := t.texts[e.key]; strings.HasPrefix(text, "[") == tables {
				items = append(items, item{key: e.key, value: e.value, line: e.line, text: text})
			}
		}
	}
	return items
}

// tomlReader makes values of TOML that has been checked.
type tomlReader struct {
	p     *parser
	src   []byte
	root  *value
	texts map[string]string // what stands in the file, by the first part of its key
}

func (t *tomlReader) read() {
	var reader unstable.Parser
	reader.Reset(t.src)
	table := t.root
	top, begin := "", 0 // the first part of the table's or the entry's key, and where it begins
	end := func(next int) {
		if text := CanonicalBody(string(t.src[begin:next])); top != "" {
			t.texts[top] = strings.TrimPrefix(t.texts[top]+"\n"+text, "\n")
		}
		begin = next
	}
	for reader.NextExpression() {
		e := reader.Expression()
		var keys []pair
		start := 0
		for it := e.Key(); it.Next(); {
			at := int(it.Node().Raw.Offset)
			if len(keys) == 0 {
				start = lineStart(t.src, at)
			}
			keys = append(keys, pair{key: string(it.Node().Data), line: t.p.lineIn(at)})
		}
		switch {
		case len(keys) == 0:
		case e.Kind == unstable.KeyValue:
			if table == t.root {
				end(start)
				top = keys[0].key
			}
			t.put(table, keys, t.value(e.Value(), keys[0].line))
		default:
			end(start)
			top = keys[0].key
			table = t.open(keys, e.Kind == unstable.ArrayTable)
		}
	}
	end(len(t.src))
}

// lineStart gives where the line of src[at] begins.
func lineStart(src []byte, at int) int {
	return strings.LastIndexAny(string(src[:at]), "\r\n") + 1
}

// lineIn gives the line of the file that holds the byte at of the front matter.
func (p *parser) lineIn(at int) int { return lineOf(p.file.Raw, p.file.parts.front+at) }

// put stores a value under keys, of which all but the last name tables.
func (t *tomlReader) put(table *value, keys []pair, v *value) {
	for _, k := range keys[:len(keys)-1] {
		table = child(table, k, mapping)
	}
	last := keys[len(keys)-1]
	table.pairs = append(table.pairs, pair{key: last.key, line: last.line, value: v})
}

// open gives the table that a header names.
func (t *tomlReader) open(keys []pair, isArray bool) *value {
	table := t.root
	for i, k := range keys {
		want := mapping
		if isArray && i == len(keys)-1 {
			want = sequence
		}
		table = child(table, k, want)
		if want == sequence {
			table.list = append(table.list, &value{kind: mapping, line: k.line})
		}
		if table.kind == sequence && len(table.list) > 0 { // of an array of tables, the last one is meant
			table = table.list[len(table.list)-1]
		}
	}
	return table
}

// child gives the value of a key, which is made where there is none.
func child(table *value, k pair, want kind) *value {
	for _, e := range table.pairs {
		if e.key == k.key {
			return e.value
		}
	}
	v := &value{kind: want, line: k.line}
	table.pairs = append(table.pairs, pair{key: k.key, line: k.line, value: v})
	return v
}

// value makes a value of a node. Nodes that hold others do not know where they stand: line is that
// of their key.
func (t *tomlReader) value(n *unstable.Node, line int) *value {
	if n.Raw.Length > 0 {
		line = t.p.lineIn(int(n.Raw.Offset))
	}
	v := &value{line: line}
	switch n.Kind {
	case unstable.Array:
		v.kind = sequence
		for it := n.Children(); it.Next(); {
			v.list = append(v.list, t.value(it.Node(), line))
		}
	case unstable.InlineTable:
		v.kind = mapping
		for it := n.Children(); it.Next(); {
			var keys []pair
			for k := it.Node().Key(); k.Next(); {
				keys = append(keys, pair{key: string(k.Node().Data), line: t.p.lineIn(int(k.Node().Raw.Offset))})
			}
			if len(keys) > 0 {
				t.put(v, keys, t.value(it.Node().Value(), keys[0].line))
			}
		}
	default:
		v.kind, v.text = scalar, string(n.Data)
	}
	return v
}

// tomlEntry writes one field as a line of TOML; nothing where it has no value.
func tomlEntry(name field, f Fields) string {
	if v := plainValue(name, f); v != "" {
		if name == publishedAt {
			v = strings.Trim(v, `"`)
		}
		return fmt.Sprintf("%s = %s\n", canonical()[name], v)
	}
	return ""
}
