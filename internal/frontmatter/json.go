package frontmatter

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// jsonItems reads front matter in JSON.
func (p *parser) jsonItems(src []byte) []item {
	j := jsonReader{p: p, src: src, dec: jsontext.NewDecoder(bytes.NewReader(src))}
	if j.dec.PeekKind() != '{' {
		p.fail(p.lineIn(0), "", "the front matter is no object", `write {"title": "My post"}`)
		return nil
	}
	root, err := j.value()
	if err == nil && len(bytes.TrimSpace(src[j.dec.InputOffset():])) > 0 {
		err = errors.New("there is text behind the object")
	}
	if err != nil {
		at := int(j.dec.InputOffset())
		var syntax *jsontext.SyntacticError
		if errors.As(err, &syntax) {
			at = int(syntax.ByteOffset)
			err = syntax.Err
		}
		p.fail(p.lineIn(min(at, len(src))), "", "JSON cannot read this ("+err.Error()+")",
			`write "key": "value" with commas between, and none behind the last`)
		return nil
	}
	var items []item
	for i, e := range root.pairs {
		items = append(items, item{key: e.key, value: e.value, line: e.line, text: j.texts[i]})
	}
	return items
}

// jsonReader makes values of JSON.
type jsonReader struct {
	p     *parser
	src   []byte
	dec   *jsontext.Decoder
	texts []string // of the entries of the object, as they stand in the file
}

func (j *jsonReader) value() (*value, error) {
	tok, err := j.dec.ReadToken()
	if err != nil {
		return nil, err
	}
	v := &value{line: j.p.lineIn(max(int(j.dec.InputOffset())-1, 0))}
	switch tok.Kind() {
	case 'n':
	case '[':
		v.kind = sequence
		for j.dec.PeekKind() != ']' {
			e, eerr := j.value()
			if eerr != nil {
				return nil, eerr
			}
			v.list = append(v.list, e)
		}
		_, err = j.dec.ReadToken()
	case '{':
		v.kind = mapping
		err = j.object(v)
	default:
		v.kind, v.text = scalar, tok.String()
	}
	return v, err
}

func (j *jsonReader) object(v *value) error {
	isRoot := j.dec.StackDepth() == 1
	for j.dec.PeekKind() != '}' {
		tok, err := j.dec.ReadToken()
		if err != nil {
			return err
		}
		e := pair{key: tok.String(), line: j.p.lineIn(max(int(j.dec.InputOffset())-1, 0))}
		begin := int(j.dec.InputOffset())
		if e.value, err = j.value(); err != nil {
			return err
		}
		v.pairs = append(v.pairs, e)
		if isRoot {
			text := strings.TrimSpace(strings.TrimLeft(string(j.src[begin:j.dec.InputOffset()]), " \t\r\n:"))
			j.texts = append(j.texts, jsonText(e.key)+": "+CanonicalBody(text))
		}
	}
	_, err := j.dec.ReadToken()
	return err
}

// jsonEntry writes one field as an entry of an object; nothing where it has no value.
func jsonEntry(name field, f Fields) string {
	if v := plainValue(name, f); v != "" {
		return fmt.Sprintf("%q: %s", canonical()[name], v)
	}
	return ""
}

// plainValue writes the value of a field as JSON has it, and TOML but for dates.
func plainValue(name field, f Fields) string {
	switch v := f.get(name).(type) {
	case string:
		if v != "" {
			return jsonText(v)
		}
	case *time.Time:
		if v != nil {
			return `"` + v.UTC().Format(time.RFC3339) + `"`
		}
	case bool:
		if v || name == isDraft {
			return strconv.FormatBool(v)
		}
	case []string:
		return jsonList(v)
	}
	return ""
}

// jsonText quotes a text that is UTF-8.
func jsonText(s string) string {
	out, err := jsontext.AppendQuote(nil, strings.ToValidUTF8(s, "\ufffd"))
	if err != nil {
		return `""` // valid UTF-8 always encodes
	}
	return string(out)
}

func jsonList(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	quoted := make([]string, len(texts))
	for i, s := range texts {
		quoted[i] = jsonText(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
