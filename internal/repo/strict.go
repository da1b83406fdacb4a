package repo

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"
)

// decode is strict, because a release must never half-apply a write of a newer
// one, and because equal commands must have equal digests: a field that C does
// not have, one in other letter case, one that comes twice, null where C has no
// nil, text that is not UTF-8, or anything behind the end is refused.
// encoding/json alone would let the last five pass.
func decode[C any](body []byte) (C, error) {
	var c C
	if !utf8.Valid(body) || !json.Valid(body) {
		return c, Errorf(Invalid, "The command's body is not JSON in UTF-8.")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := checkValue(d, reflect.TypeFor[C](), ""); err != nil {
		return c, err
	}
	if err := json.Unmarshal(body, &c); err != nil {
		return c, wireError(err)
	}
	return c, nil
}

func wireError(err error) error {
	var typ *json.UnmarshalTypeError
	if errors.As(err, &typ) && typ.Field != "" {
		return &Error{Code: Invalid, Message: "A field has the wrong type.", Fields: map[string]string{typ.Field: "must be " + typ.Type.String()}, cause: err}
	}
	return &Error{Code: Invalid, Message: "The command's body does not fit the command.", cause: err}
}

// checkValue reads one value from d and checks its shape against t. A nil t is
// checked for double keys only. d holds valid JSON, so its own errors say that
// this function is wrong.
func checkValue(d *json.Decoder, t reflect.Type, path string) error {
	token, err := d.Token()
	if err != nil {
		return fmt.Errorf("walk the command's body: %w", err)
	}
	t, nullable := shape(t)
	switch token {
	case nil:
		if !nullable {
			return InvalidFields(map[string]string{orWhole(path): "must not be null"})
		}
	case json.Delim('{'):
		return checkObject(d, t, path)
	case json.Delim('['):
		var elem reflect.Type
		if t != nil && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) {
			elem = t.Elem()
		}
		for d.More() {
			if err = checkValue(d, elem, path); err != nil {
				return err
			}
		}
		_, err = d.Token()
	}
	return err
}

func checkObject(d *json.Decoder, t reflect.Type, path string) error {
	var fields map[string]reflect.Type
	var elem reflect.Type
	if t != nil {
		switch t.Kind() {
		case reflect.Struct:
			fields = wireFields(t)
		case reflect.Map:
			elem = t.Elem()
		}
	}
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return fmt.Errorf("walk the command's body: %w", err)
		}
		name, _ := token.(string)
		at := strings.TrimPrefix(path+"."+name, ".")
		if seen[name] {
			return InvalidFields(map[string]string{at: "comes twice"})
		}
		seen[name] = true
		of := elem
		if fields != nil {
			var known bool
			if of, known = fields[name]; !known {
				return unknownField(at)
			}
		}
		if err := checkValue(d, of, at); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

// unknownField is Unavailable and not Invalid: a newer release wrote it, and the
// caller's input is right.
func unknownField(path string) error {
	return &Error{Code: Unavailable, Reason: UnknownCommand, RetryAfter: 5, Message: fmt.Sprintf("This release does not know the field %.80q of the command.", path)}
}

func orWhole(path string) string {
	if path == "" {
		return "body"
	}
	return path
}

// shape follows t to what its JSON is checked against, nil for a type that
// decodes itself or can be anything, and says whether null is a value of it.
func shape(t reflect.Type) (_ reflect.Type, nullable bool) {
	for t != nil {
		if own := reflect.PointerTo(t); own.Implements(reflect.TypeFor[json.Unmarshaler]()) || own.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
			return nil, nullable
		}
		switch t.Kind() {
		case reflect.Pointer:
			t, nullable = t.Elem(), true
			continue
		case reflect.Interface:
			return nil, true
		case reflect.Slice, reflect.Map:
			return t, true
		}
		return t, nullable
	}
	return nil, true
}

// wireFields returns the types of t's fields by their exact JSON names.
func wireFields(t reflect.Type) map[string]reflect.Type {
	out := map[string]reflect.Type{}
	var inner []reflect.Type
	for f := range t.Fields() {
		tag := f.Tag.Get("json")
		name, _, _ := strings.Cut(tag, ",")
		switch {
		case tag == "-":
		case f.Anonymous && name == "":
			embedded := f.Type
			if embedded.Kind() == reflect.Pointer {
				embedded = embedded.Elem()
			}
			if embedded.Kind() == reflect.Struct {
				inner = append(inner, embedded)
			} else if f.IsExported() {
				out[f.Name] = f.Type
			}
		case !f.IsExported():
		case name == "":
			out[f.Name] = f.Type
		default:
			out[name] = f.Type
		}
	}
	for _, e := range inner {
		for name, ft := range wireFields(e) {
			if _, hidden := out[name]; !hidden {
				out[name] = ft
			}
		}
	}
	return out
}
