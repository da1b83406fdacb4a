package app_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"blog/internal/accounts"
	"blog/internal/app"
	"blog/internal/dates"
	"blog/internal/media"
	"blog/internal/posts"
	"blog/internal/repo"
)

var update = flag.Bool("update", false, "add what is missing to testdata/digests.golden")

// named is a command with any result.
type named interface{ Name() string }

// zeroCommands returns one command of each type, without a field set.
func zeroCommands() []named {
	return []named{
		accounts.Confirm{}, accounts.Create{}, accounts.Login{}, accounts.Logout{}, accounts.LogoutAll{},
		accounts.OfferSetup{}, accounts.Renew{}, accounts.SetPassword{}, accounts.Setup{}, dates.Reset{}, media.Put{},
		media.Sweep{},
		posts.Create{}, posts.Delete{}, posts.Import{}, posts.Pin{}, posts.Publish{}, posts.Release{}, posts.Rerender{},
		posts.Unpin{}, posts.Unpublish{}, posts.Update{},
	}
}

// filled returns a value of v's type with every field set, also those of embedded structs and
// behind pointers, slices and maps.
func filled(tb testing.TB, v any) any {
	tb.Helper()
	out := reflect.New(reflect.TypeOf(v)).Elem()
	fill(tb, out)
	return out.Interface()
}

func fill(tb testing.TB, v reflect.Value) {
	tb.Helper()
	if _, isTime := v.Interface().(time.Time); isTime {
		v.Set(reflect.ValueOf(time.Date(2026, 11, 30, 12, 34, 56, 789_000_000, time.UTC)))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(-1 << 31)
	case reflect.Uint8:
		v.SetUint(0xfe)
	case reflect.String:
		v.SetString("Grüße <b>&\u2028\"\\\t\x7f\U0001f600")
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(tb, v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(tb, v.Index(0))
		fill(tb, v.Index(1))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(tb, key)
		fill(tb, value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for f, field := range v.Fields() {
			if f.IsExported() {
				fill(tb, field)
			}
		}
	default:
		tb.Fatalf("a command has a field of type %v", v.Type())
	}
}

func mustMarshal(tb testing.TB, v any) []byte {
	tb.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

const golden = "testdata/digests.golden"

// TestDigestsAndWireFormsStay compares each command's wire form, and the digest that its row
// stores, with those of earlier releases: a call that is sent again after an upgrade must find its
// row, and a node of another release must understand it. -update adds the missing rows: two for a
// new command, one for a command with a new field. It removes and changes none, because the release
// before sends the row without that field.
func TestDigestsAndWireFormsStay(t *testing.T) {
	registry, err := app.Registry()
	if err != nil {
		t.Fatal(err)
	}
	rows := readGolden(t)
	covered := map[string]bool{}
	for _, zero := range zeroCommands() {
		covered[zero.Name()] = true
		for _, command := range []any{zero, filled(t, zero)} {
			row := rowOf(t, registry, zero.Name(), command)
			if slices.Contains(rows, row) {
				continue
			}
			if !*update {
				t.Errorf("%s has no row\n%s", golden, row)
			}
			rows = insertRow(rows, zero.Name(), row)
		}
	}
	names, want := slices.Sorted(slices.Values(registry.Names())), slices.Sorted(maps.Keys(covered))
	if !slices.Equal(names, want) {
		t.Errorf("the commands are %q, want those with a row, %q", names, want)
	}
	for _, row := range rows {
		name, remainder, _ := strings.Cut(row, " ")
		sum, body, _ := strings.Cut(remainder, " ")
		if got, derr := digestOf(registry, name, []byte(body)); got != sum {
			t.Errorf("the digest is now %s, %v, of the row, want %v\n%s", got, derr, sum, row)
		}
	}
	if *update && !t.Failed() {
		if err = os.WriteFile(golden, []byte(strings.Join(rows, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func readGolden(tb testing.TB) []string {
	tb.Helper()
	text, err := os.ReadFile(golden)
	if err != nil {
		tb.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// rowOf returns the command's row. Its digest does not depend on white space in the body.
func rowOf(tb testing.TB, registry *repo.Registry, name string, command any) string {
	tb.Helper()
	body := mustMarshal(tb, command)
	sum, err := digestOf(registry, name, body)
	if err != nil {
		tb.Fatalf("%s %s: %v", name, body, err)
	}
	var spaced bytes.Buffer
	if err = json.Indent(&spaced, body, " ", "\t"); err != nil {
		tb.Fatal(err)
	}
	if again, err := digestOf(registry, name, spaced.Bytes()); again != sum {
		tb.Errorf("%s: the digest with white space in the body is %s, %v, want %v", name, again, err, sum)
	}
	return fmt.Sprintf("%s %s %s", name, sum, body)
}

func digestOf(registry *repo.Registry, name string, body []byte) (string, error) {
	sum, err := registry.Digest(&repo.Call{Name: name, Actor: repo.Actor{Name: repo.Operator}, Body: body})
	return hex.EncodeToString(sum), err
}

// insertRow inserts row behind the rows of its command, or at the end.
func insertRow(rows []string, name, row string) []string {
	for i := len(rows) - 1; i >= 0; i-- {
		if strings.HasPrefix(rows[i], name+" ") {
			return slices.Insert(rows, i+1, row)
		}
	}
	return append(rows, row)
}
