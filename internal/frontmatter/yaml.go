package frontmatter

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// readItems parses the front matter, in whatever syntax it is. Of YAML it builds nodes and never expands an
// alias, so that a few lines cannot unfold into gigabytes.
func (p *parser) readItems() []item {
	f := &p.file
	if !f.parts.has || f.parts.close == f.parts.front {
		return nil
	}
	src := f.Raw[f.parts.front:f.parts.close]
	if !p.printable(src) {
		return nil
	}
	switch f.parts.syntax {
	case inTOML:
		f.flow = true
		return p.tomlItems(src)
	case inJSON:
		f.flow = true
		return p.jsonItems(src)
	}
	root, err := document(src)
	if err != nil {
		p.explain(src, err)
		return nil
	}
	if root == nil {
		return nil
	}
	if root.Kind != yaml.MappingNode {
		if root.Kind != yaml.ScalarNode || !p.explainChunks(src) {
			p.fail(root.Line+1, "", "the front matter is no list of keys and values",
				"write lines such as title: My post; if --- is meant as a rule in the text, put an empty line above it")
		}
		return nil
	}
	f.flow = root.Style&yaml.FlowStyle != 0
	return p.items(root, src)
}

// items turns the nodes of a mapping into items, and refuses repeated keys.
func (p *parser) items(root *yaml.Node, src []byte) []item {
	starts := lineStarts(src)
	first := map[string]int{}
	values := yamlValues{}
	var items []item
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, node := root.Content[i], root.Content[i+1]
		it := item{key: key.Value, value: values.value(node), line: key.Line + 1}
		if key.Kind != yaml.ScalarNode {
			p.fail(it.line, "", "a key must be a plain word", "write a line such as title: My post")
			continue
		}
		if line, twice := first[it.key]; twice {
			p.fail(it.line, it.key, fmt.Sprintf("this key is given twice, first in line %d", line), "keep one of the two")
			continue
		}
		first[it.key] = it.line
		if it.value.kind == nothing && it.value.comment == "" && node.Kind == yaml.ScalarNode {
			it.value.comment = strings.TrimSpace(key.LineComment)
		}
		if p.file.flow {
			it.text = flowText(key, node)
		} else {
			end := len(src)
			if i+2 < len(root.Content) {
				end = starts[root.Content[i+2].Line-1]
			}
			from := starts[key.Line-1]
			end = from + contentEnd(src[from:end])
			it.text = strings.TrimRight(CanonicalBody(string(src[from:end])), "\n")
			it.start, it.end = p.file.parts.front+from, p.file.parts.front+end
		}
		it.layout = p.file.layoutOf(key, node, it.text)
		items = append(items, it)
	}
	return items
}

// document parses exactly one YAML document. It returns nil for an empty one.
func document(src []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(src))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("parse front matter: %w", err)
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errors.New("a second YAML document begins inside the front matter")
	}
	if len(doc.Content) != 1 || doc.Content[0].ShortTag() == "!!null" && doc.Content[0].Value == "" {
		return nil, nil
	}
	return doc.Content[0], nil
}

// flowText writes one entry of a flow mapping as YAML of its own.
func flowText(key, value *yaml.Node) string {
	out, err := yaml.Marshal(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{key, value}})
	if err != nil {
		return ""
	}
	return strings.TrimRight(string(out), "\n")
}

// lineStarts returns the offsets at which lines begin, and the end.
func lineStarts(src []byte) []int {
	starts := []int{0}
	for at := 0; at < len(src); {
		_, length, _ := cutLine(src[at:])
		at += length
		starts = append(starts, at)
	}
	return starts
}

// contentEnd returns where an entry ends, without the blank lines and the unindented comments
// behind it, which belong to what follows.
func contentEnd(src []byte) int {
	starts := lineStarts(src)
	for i := len(starts) - 2; i > 0; i-- {
		line := src[starts[i]:starts[i+1]]
		if len(bytes.TrimSpace(line)) > 0 && line[0] != '#' {
			return starts[i+1]
		}
	}
	return starts[min(1, len(starts)-1)]
}

// printable reports whether src has only characters that YAML allows and that do not break lines
// invisibly. It adds a problem when it has others.
func (p *parser) printable(src []byte) bool {
	for i, r := range string(src) {
		switch {
		case r == '\u2028', r == '\u2029', r == '\u0085':
			p.fail(p.lineIn(i), "", fmt.Sprintf("an invisible line break (U+%04X) stands in the front matter", r),
				"delete it and write the line again")
		case r < 0x20 && r != '\t' && r != '\n' && r != '\r', r >= 0x7f && r < 0xa0, r == '\ufeff', r == '\ufffe',
			r == '\uffff':
			p.fail(p.lineIn(i), "", fmt.Sprintf("an invisible character (U+%04X) stands in the front matter", r),
				"delete it")
		default:
			continue
		}
		return false
	}
	return true
}

// explain reports where YAML failed and what to write instead. The parser's own line numbers are
// those at which it gave up, often the end of the file.
func (p *parser) explain(src []byte, err error) {
	if p.explainChunks(src) {
		return
	}
	line := 1
	var anchor string
	if _, remainder, ok := strings.Cut(err.Error(), "unknown anchor '"); ok {
		anchor, _, _ = strings.Cut(remainder, "'")
	}
	if i := bytes.Index(src, []byte("*"+anchor)); anchor != "" && i >= 0 {
		p.fail(lineOf(src, i)+1, "", "a text that begins with * is a reference in YAML", `put it in quotes: "*`+anchor+`…"`)
		return
	}
	if _, remainder, ok := strings.Cut(err.Error(), "line "); ok {
		if _, scanErr := fmt.Sscanf(remainder, "%d", &line); scanErr != nil {
			line = 0
		}
		line++
	}
	p.fail(line, "", "YAML cannot read this ("+strings.TrimPrefix(err.Error(), "parse front matter: ")+")",
		"write key: value lines, and put quotes around values with special characters")
}

// explainChunks splits the front matter at its unindented keys, and explains the first part that is
// wrong by itself.
func (p *parser) explainChunks(src []byte) bool {
	starts := lineStarts(src)
	for i := 0; i+1 < len(starts); {
		j := i + 1
		for j+1 < len(starts) && !beginsEntry(src[starts[j]:starts[j+1]]) {
			j++
		}
		if chunk := src[starts[i]:starts[j]]; !bytes.Contains(chunk, []byte("*")) || j == i+1 {
			if root, err := document(chunk); err != nil || root != nil && root.Kind != yaml.MappingNode {
				p.explainChunk(chunk, i+2)
				return true
			}
		}
		i = j
	}
	return false
}

// beginsEntry reports whether a line can contain a top-level key.
func beginsEntry(line []byte) bool {
	return len(bytes.TrimSpace(line)) > 0 && !bytes.ContainsRune([]byte(" \t#]}"), rune(line[0])) &&
		!bytes.HasPrefix(line, []byte("- ")) && string(bytes.TrimSpace(line)) != "-"
}
