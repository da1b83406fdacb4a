package repo

import (
	"reflect"
	"strings"
	"unicode/utf8"

	"blog/internal/apperr"
)

// checkText refuses a command with text that is not UTF-8, by field.
// encoding/json would replace the bytes without a word, and what was written
// would not be what was meant. Bytes ([]byte) may be anything.
func checkText(cmd any) error {
	fields := map[string]string{}
	textFields(reflect.ValueOf(cmd), "", fields)
	return apperr.InvalidFields(fields)
}

// textFields notes the fields of v, by their names on the wire, that hold text
// that is not UTF-8. name is that of v itself, "" for the command.
func textFields(v reflect.Value, name string, bad map[string]string) {
	switch v.Kind() {
	case reflect.String:
		if !utf8.ValidString(v.String()) {
			bad[name] = "is not valid text (UTF-8)"
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			textFields(v.Elem(), name, bad)
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		for i := range v.Len() {
			textFields(v.Index(i), name, bad)
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			textFields(it.Key(), name, bad)
			textFields(it.Value(), name, bad)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() {
				continue
			}
			wire, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case f.Anonymous:
				wire = name
			case wire == "":
				wire = f.Name
			}
			textFields(v.Field(i), wire, bad)
		}
	}
}
