package repo

import (
	"encoding"
	"errors"
	"reflect"
	"strings"

	jsonv1 "encoding/json"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1compat "github.com/go-json-experiment/json/v1"

	"blog/internal/apperr"
)

// strictly reads what encoding/json writes, by the strict rules of encoding/json/v2: it refuses a name that comes
// twice, a name in other letter case, text that is not UTF-8, anything behind the end, a name that the type does not
// have, an array that is shorter or longer than the type, and null where the type has no nil.
var strictly = json.JoinOptions(
	jsonv1compat.DefaultOptionsV1(), // such as a time.Duration as a number
	jsonv1compat.ReportErrorsWithLegacySemantics(false),
	jsonv1compat.UnmarshalArrayFromAnyLength(false),
	json.MatchCaseInsensitiveNames(false),
	jsontext.AllowDuplicateNames(false),
	jsontext.AllowInvalidUTF8(false),
	json.RejectUnknownMembers(true),
	json.WithUnmarshalers(json.UnmarshalFromFunc(refuseNull)),
)

// namesOnly are strictly without the types of values: only a name that the type does not have is an error of these.
var namesOnly = json.JoinOptions(strictly, json.WithUnmarshalers(json.UnmarshalFromFunc(skipMisfit)))

var errNull = errors.New("null where there must be a value")

// decode returns the C that body is exactly. It is strict, because a release must never half-apply a write of a newer
// one, and because equal commands must have equal digests. What does not fit is Invalid, with a message by field where
// it is one field that does not; a field that C does not have is Unavailable, whatever else does not fit.
func decode[C any](body []byte) (C, error) {
	var c, zero C
	if err := json.Unmarshal(body, &c, strictly); err != nil {
		var ignored C
		if unknown := json.Unmarshal(body, &ignored, namesOnly); errors.Is(unknown, json.ErrUnknownName) {
			err = unknown
		}
		return zero, errDecode(err)
	}
	return c, nil
}

// refuseNull fails where d is at a null that the type behind the pointer v cannot hold, and leaves everything else to
// the rules of the package.
func refuseNull(d *jsontext.Decoder, v any) error {
	if d.PeekKind() == 'n' && !nullable(reflect.TypeOf(v).Elem()) {
		return errNull
	}
	return errors.ErrUnsupported
}

// skipMisfit skips a value that has no names of t's, the type behind the pointer v, and leaves the others to the rules
// of the package.
func skipMisfit(d *jsontext.Decoder, v any) error {
	t := reflect.TypeOf(v).Elem()
	fits := false
	switch t.Kind() {
	case reflect.Pointer:
		fits = d.PeekKind() != 'n'
	case reflect.Struct, reflect.Map:
		fits = d.PeekKind() == '{'
	case reflect.Slice, reflect.Array:
		fits = d.PeekKind() == '['
	case reflect.String:
		fits = d.PeekKind() == '"' // the name of a map's element, too
	}
	if fits && !decodesItself(t) {
		return errors.ErrUnsupported
	}
	return d.SkipValue()
}

// nullable reports whether null is a value of t. What a type that decodes itself would make of null is not asked.
func nullable(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Interface:
		return true
	case reflect.Slice, reflect.Map:
		return !decodesItself(t)
	}
	return false
}

func decodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[jsonv1.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

func errDecode(err error) error {
	var syntactic *jsontext.SyntacticError
	var semantic *json.SemanticError
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &syntactic):
		return apperr.InvalidFields(map[string]string{fieldName(syntactic.JSONPointer): "comes twice"})
	case errors.As(err, &syntactic), !errors.As(err, &semantic):
		return (&apperr.Error{Code: apperr.Invalid, Message: "The command's body is not JSON in UTF-8."}).WithCause(err)
	case errors.Is(err, json.ErrUnknownName):
		// Not Invalid: a newer release wrote it, and the caller's input is right.
		return fail(atStart, errNoField, "", fieldName(semantic.JSONPointer))
	case errors.Is(err, errNull):
		return apperr.InvalidFields(map[string]string{fieldName(semantic.JSONPointer): "must not be null"})
	case semantic.JSONPointer == "" || semantic.GoType == nil:
		return (&apperr.Error{Code: apperr.Invalid, Message: "The command's body does not fit the command."}).WithCause(err)
	}
	fields := map[string]string{fieldName(semantic.JSONPointer): "must be " + semantic.GoType.String()}
	refused := &apperr.Error{Code: apperr.Invalid, Message: "A field has the wrong type.", Fields: fields}
	return refused.WithCause(err)
}

// fieldName returns how a message names what is at p: the names and indexes that lead there, such as "tags.0", or
// "body" for the whole.
func fieldName(p jsontext.Pointer) string {
	var tokens []string
	for token := range p.Tokens() {
		tokens = append(tokens, token)
	}
	if len(tokens) == 0 {
		return "body"
	}
	return strings.Join(tokens, ".")
}
