package foreign

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"blog/internal/frontmatter"
)

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// loosely are the options with which other systems' JSON is read.
var loosely = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true),
	json.MatchCaseInsensitiveNames(true))

// strictly are the same for a value that says nothing twice: of two members that fill one field, readers of
// JSON differ in which one counts.
var strictly = json.JoinOptions(loosely, jsontext.AllowDuplicateNames(false))

// unmarshal reads a value into to, and reports whether it is of the shape that to has and says nothing twice.
// A value of another shape leaves to as far as it was read.
func unmarshal(data []byte, to any) (whole bool, err error) {
	if err := json.Unmarshal(data, to, strictly); err == nil {
		return true, nil
	}
	var shape *json.SemanticError
	if err := json.Unmarshal(data, to, loosely); err != nil && !errors.As(err, &shape) {
		return false, err
	}
	return false, nil
}

// loose is a text that may also be written as a number or a truth: databases differ in that.
type loose string

// UnmarshalJSON reads a scalar; anything else is empty.
func (l *loose) UnmarshalJSON(data []byte) error {
	switch jsontext.Value(data).Kind() {
	case '"':
		var s string
		if err := json.Unmarshal(data, &s, loosely); err != nil {
			return err
		}
		*l = loose(s)
	case '0', 't', 'f':
		*l = loose(data)
	}
	return nil
}

// yes reports whether l is true in any form.
func (l loose) yes() bool { return l == "1" || l == "true" }

// scalar is a member that decides who may read something. Not to be there is another thing than to be there
// without a word.
type scalar struct {
	given bool
	none  bool  // null or an empty text
	text  loose // empty for what is neither a text, nor a number, nor a truth
}

// UnmarshalJSON reads any value.
func (w *scalar) UnmarshalJSON(data []byte) error {
	*w = scalar{given: true, none: string(data) == "null" || string(data) == `""`}
	return w.text.UnmarshalJSON(data)
}

// no reports whether it is not there, or says no in so many words.
func (w scalar) no() bool { return !w.given || w.text == "0" || w.text == "false" }

// aboutReaders reports whether a member, by its name as frontmatter.PlainKey gives it, says who may read something,
// and whether it is for everybody where the member is true. Rows have members of their system; any other one may come
// from another version, or from a plugin. What a row is says so as well.
func aboutReaders(key string) (speaks, contrary bool) {
	switch key {
	case "type", "page", "ispage", "collection", "pass", "emailonly":
		return true, false
	}
	return frontmatter.SpeaksOfReaders(key)
}

// hides reports whether a member may say that not everybody may read something. key is its name as
// frontmatter.PlainKey gives it.
func (w scalar) hides(key string) bool {
	speaks, contrary := aboutReaders(key)
	switch {
	case !speaks || !w.given:
		return false
	case contrary:
		return !w.text.yes()
	}
	return !w.none && !w.no()
}

// doubtful returns a member of an object that may say that not everybody may read it, and that its reader
// does not know; "" where there is none. known are the names that it knows.
func doubtful(data []byte, known ...string) string {
	var members map[string]scalar
	if json.Unmarshal(data, &members, loosely) != nil {
		return "" // it is no object, or not whole
	}
	for _, name := range sortedKeys(members) {
		if !members[name].hides(frontmatter.PlainKey(name)) {
			continue
		}
		if !slices.ContainsFunc(known, func(k string) bool { return sameName(name, k) }) {
			return name
		}
	}
	return ""
}

// sameName reports whether a member fills the field of a name: letter case, hyphens and underscores make no
// difference.
func sameName(name, field string) bool {
	plain := strings.NewReplacer("_", "", "-", "")
	return strings.EqualFold(plain.Replace(name), plain.Replace(field)) && !strings.ContainsFunc(name, notASCII)
}

func notASCII(r rune) bool { return r > unicode.MaxASCII }

// day reads a date as databases and programs write them: UTC where it names no zone.
func (l loose) day() time.Time {
	s := strings.TrimSpace(string(l))
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	if n := number(s); n > 1e11 { // milliseconds
		return time.UnixMilli(int64(n)).UTC()
	}
	return time.Time{}
}

// jsonReader reads a file of JSON value by value.
type jsonReader struct {
	dec  *jsontext.Decoder
	in   *meter
	mark int64 // the length of a byte order mark, which the decoder does not see
}

func newJSONReader(r io.Reader) *jsonReader {
	j := &jsonReader{in: newMeter(r)}
	if mark, err := j.in.in.Peek(3); err == nil && string(mark) == "\ufeff" {
		n, _ := j.in.in.Discard(len(mark)) // they are there
		j.mark = int64(n)
	}
	j.dec = jsontext.NewDecoder(j.in, loosely)
	return j
}

// place is where the file is read.
func (r *jsonReader) place() int64 { return r.mark + r.dec.InputOffset() }

// object calls member for each member of an object, with its name. member reads the value. What is no
// object is skipped.
func (r *jsonReader) object(member func(name string) error) error {
	if r.dec.PeekKind() != '{' {
		return r.skip()
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	for r.dec.PeekKind() == '"' {
		r.in.reset()
		name, err := r.dec.ReadToken()
		if err != nil {
			return err
		}
		if err := member(name.String()); err != nil {
			return err
		}
	}
	_, err := r.dec.ReadToken()
	return err
}

// array calls element for each element of an array. element reads the value.
func (r *jsonReader) array(element func() error) error {
	if r.dec.PeekKind() != '[' {
		return r.skip()
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	for n := 0; ; n++ {
		r.in.reset()
		switch r.dec.PeekKind() {
		case ']':
			_, err := r.dec.ReadToken()
			return err
		case 0:
			_, err := r.dec.ReadToken()
			return cmp.Or(err, io.ErrUnexpectedEOF)
		}
		if n >= maxEntries {
			return errTooMany
		}
		if err := element(); err != nil {
			return err
		}
	}
}

// skip passes over a value, however long it is.
func (r *jsonReader) skip() error {
	for depth := 0; ; {
		r.in.reset()
		t, err := r.dec.ReadToken()
		if err != nil {
			return err
		}
		switch t.Kind() {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

// value reads a value into to, and gives its place, which has a doubt where the value is not whole: see
// unmarshal.
func (r *jsonReader) value(to any) (place, error) {
	r.in.reset()
	at := r.place()
	v, err := r.dec.ReadValue()
	if err != nil {
		return place{}, err
	}
	whole, err := unmarshal(v, to)
	if err != nil {
		return place{}, err
	}
	p := place{at: at, end: r.place()}
	if !whole {
		p.doubt = notWhole
	}
	return p, nil
}

// notWhole is the doubt about a value that is not read as it stands.
const notWhole = "it says something twice, or in a shape that is not known"

// valueAt reads the value of a place, and reports a member of it that its reader should know: see doubtful.
// A place has its doubt from the index, which does not read all of a value, so whole is said again.
func valueAt(file io.ReaderAt, at place, to any, known ...string) (whole bool, doubt string, err error) {
	data := make([]byte, at.end-at.at)
	if _, err = file.ReadAt(data, at.at); err != nil && !errors.Is(err, io.EOF) {
		return false, "", fmt.Errorf("read file: %w", err)
	}
	data = bytes.TrimLeft(data, " \t\r\n,:")
	if whole, err = unmarshal(data, to); err != nil {
		return false, "", fmt.Errorf("the file has changed: %w", err)
	}
	return whole, doubtful(data, known...), nil
}

// linesOf fills in the lines of places, which are in the order of the file.
func linesOf(file io.ReaderAt, size int64, places []*place) error {
	in := bufio.NewReaderSize(io.NewSectionReader(file, 0, size), 64<<10)
	line, at := 1, int64(0)
	for _, p := range places {
		begun := false // the place begins with what separates it from the value before
		for ; at < p.end; at++ {
			b, err := in.ReadByte()
			if err != nil {
				return fmt.Errorf("read file: %w", err)
			}
			if at >= p.at && !begun && strings.IndexByte(" \t\r\n,:", b) < 0 {
				begun, p.line = true, line
			}
			if b == '\n' {
				line++
			}
		}
	}
	return nil
}

// openJSON reads the index of an export in JSON. What is in it says whose it is.
func openJSON(file io.ReaderAt, size int64, opt Options) (*Export, error) {
	r := newJSONReader(io.NewSectionReader(file, 0, size))
	g, w := newGhost(file, opt), newWriteFreely(file, opt)
	err := func() error {
		if r.dec.PeekKind() == '[' {
			return r.array(func() error { return w.post(r, nil) })
		}
		return r.object(func(name string) error {
			switch name = frontmatter.PlainKey(name); name {
			case "db":
				return r.array(func() error { return g.database(r) })
			case "data":
				return g.data(r)
			case "username":
				var s loose
				_, err := r.value(&s)
				w.author = string(s)
				return err
			case "collections":
				return r.array(func() error { return w.collection(r) })
			case "posts":
				return r.array(func() error { return w.post(r, nil) })
			}
			return r.skip()
		})
	}()
	if err != nil {
		return nil, jsonProblem(file, r, err)
	}
	switch {
	case g.found:
		return g.open(size)
	case len(w.refs) > 0 || w.found:
		return w.open(size)
	}
	return nil, &Problem{1, errUnknown}
}

// jsonProblem is an error of reading JSON with its line.
func jsonProblem(file io.ReaderAt, r *jsonReader, err error) error {
	at := r.place()
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, errTooLong): // without what the decoder says around it
		err = errTooLong
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		err = errors.New("the file ends in the middle; export it again")
	case errors.As(err, &syntax):
		at, err = r.mark+syntax.ByteOffset, fmt.Errorf("this is not JSON: %w", cmp.Or(syntax.Err, err))
	}
	return &Problem{lineAt(file, at), err}
}

// lineAt counts the lines before a place.
func lineAt(file io.ReaderAt, at int64) int {
	in := bufio.NewReader(io.NewSectionReader(file, 0, at))
	for line := 1; ; {
		b, err := in.ReadByte()
		if err != nil {
			return line
		}
		if b == '\n' {
			line++
		}
	}
}
