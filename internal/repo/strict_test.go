package repo_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blog/internal/apperr"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// Base is embedded in rich, as commands share fields.
type Base struct {
	ID     int64 `json:"id"`
	Hidden int   `json:"-"`
}

// rich has every shape that a command's field can have.
type rich struct {
	Base
	Plain    string
	When     time.Time         `json:"when,omitzero"`
	Maybe    *int              `json:"maybe,omitempty"`
	List     []Base            `json:"list,omitempty"`
	Map      map[string]Base   `json:"map,omitempty"`
	Any      any               `json:"any,omitempty"`
	Raw      json.RawMessage   `json:"raw,omitempty"`
	Position repo.Cursor       `json:"position"`
	Texts    map[string]string `json:"texts,omitempty"`
	Data     []byte            `json:"data,omitempty"`
	Pause    time.Duration     `json:"pause,omitempty"`
	Fixed    [3]byte           `json:"fixed,omitzero"`

	prepared string
}

func (rich) Name() string { return "items.rich" }

func (c rich) Apply(context.Context, *repo.Tx) (string, error) { return c.Plain + c.prepared, nil }

func TestStrictShapes(t *testing.T) {
	o := options(t, filepath.Join(t.TempDir(), "blog.db"), repotest.NewNode(repotest.Primary()))
	g, err := repo.NewRegistry([]repo.Registration{repo.Register[rich]()})
	if err != nil {
		t.Fatal(err)
	}
	o.Registry = g
	r := repotest.MustOpen(t, o)
	three := 3
	full := rich{
		Base: Base{ID: 1}, Plain: "p", When: time.Now().UTC(), Maybe: &three, List: []Base{{ID: 2}},
		Map: map[string]Base{"any Name": {ID: 3}},
		Any: map[string]any{"Free": []any{1, nil}}, Raw: json.RawMessage(`{"a":null}`), Texts: map[string]string{"x": "y"},
		Data:  []byte{1, 2},
		Pause: time.Second, Fixed: [3]byte{1, 2, 3},
	}
	res, err := repo.Write(operator(), r, full)
	if err != nil {
		t.Error(err)
	}
	if res != "p" {
		t.Errorf("got %q, want %q", res, "p")
	}
	for body, want := range map[string]string{
		`{"id":1,"Plain":"x","position":"0"}`: "",
		`{}`:                                  "",
		`{"maybe":null,"list":null,"map":null,"any":null,"data":null}`: "",
		`{"texts":{"A":"1","a":"2"}}`:                                  "",
		`{"ID":1}`:                                                     apperr.UnknownCommand,
		`{"Hidden":1}`:                                                 apperr.UnknownCommand,
		`{"-":1}`:                                                      apperr.UnknownCommand,
		`{"Base":{"id":1}}`:                                            apperr.UnknownCommand,
		`{"plain":"x"}`:                                                apperr.UnknownCommand,
		`{"prepared":"x"}`:                                             apperr.UnknownCommand,
		`{"list":[{"id":1},{"Id":2}]}`:                                 apperr.UnknownCommand,
		`{"map":{"x":{"Id":2}}}`:                                       apperr.UnknownCommand,
		`{"map":{"x":{"id":2},"x":{"id":2}}}`:                          "invalid",
		`{"any":{"x":1,"x":2}}`:                                        "invalid",
		`{"raw":{"x":1,"x":2}}`:                                        "invalid",
		`{"list":[null]}`:                                              "invalid",
		`{"id":null}`:                                                  "invalid",
		`{"id":1.5}`:                                                   "invalid",
		`{"when":"yesterday"}`:                                         "invalid",
		`{"position":"1-x"}`:                                           "invalid",
		`{"texts":{"x":1}}`:                                            "invalid",
		`{"data":"%"}`:                                                 "invalid",
		`{"fixed":[1,2,3,null]}`:                                       "invalid",
		`{"fixed":[1,2]}`:                                              "invalid",
		strings.Repeat(`{"any":`, 20_000):                              "invalid",
		`{"any":` + strings.Repeat(`[`, 20_000) + strings.Repeat(`]`, 20_000) + `}`: "invalid",
	} {
		_, err := repo.Write(operator(), r, rich{}, func(c *repo.Call) { c.Body = json.RawMessage(body) })
		what := fmt.Sprintf("%.60s", body)
		switch want {
		case "":
			if err != nil {
				t.Errorf("%s: got %v, want no error", what, err)
			}
		case "invalid":
			expectCode(t, what, err, apperr.Invalid)
		default:
			expectReason(t, what, err, apperr.Unavailable, want)
		}
	}
}

// TestBodyRefusalsNameTheField: what does not fit is named from the command's body down, an element by its index.
func TestBodyRefusalsNameTheField(t *testing.T) {
	t.Parallel()
	registry, err := repo.NewRegistry([]repo.Registration{repo.Register[rich]()})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ body, field, message string }{
		{`null`, "body", "must not be null"},
		{`{"id":null}`, "id", "must not be null"},
		{`{"when":null}`, "when", "must not be null"},
		{`{"list":[{"id":1},null]}`, "list.1", "must not be null"},
		{`{"map":{"a b":{"id":null}}}`, "map.a b.id", "must not be null"},
		{`{"texts":{"x":null}}`, "texts.x", "must not be null"},
		{`{"maybe":1,"maybe":1}`, "maybe", "comes twice"},
		{`{"any":[{"x":1,"\u0078":1}]}`, "any.0.x", "comes twice"},
		{`{"raw":{"x":{"y":1,"y":2}}}`, "raw.x.y", "comes twice"},
		{`{"id":"1"}`, "id", "must be int64"},
		{`{"list":[{"id":true}]}`, "list.0.id", "must be int64"},
		{`{"when":"yesterday"}`, "when", "must be time.Time"},
		{`{"position":"1-x"}`, "position", "must be repo.Cursor"},
		{`{"Plain":{}}`, "Plain", "must be string"},
	} {
		_, err = registry.Digest(&repo.Call{Name: "items.rich", Body: json.RawMessage(c.body)})
		e := apperr.From(err)
		if !errors.Is(err, apperr.Invalid) {
			t.Errorf("%s: got %v, want a refusal as invalid", c.body, err)
		} else if want := map[string]string{c.field: c.message}; !maps.Equal(e.Fields, want) {
			t.Errorf("%s: got %q, want %q", c.body, e.Fields, want)
		}
	}
	for _, body := range []string{"", "{", "{}{}", "{}x", "{\"Plain\":\"\xff\"}", `{"Plain":"\ud800"}`, "\ufeff{}"} {
		_, err = registry.Digest(&repo.Call{Name: "items.rich", Body: json.RawMessage(body)})
		e := expectCode(t, fmt.Sprintf("%q", body), err, apperr.Invalid)
		if want := "The command's body is not JSON in UTF-8."; e.Message != want {
			t.Errorf("%q: got the message %q, want %q", body, e.Message, want)
		}
	}
	// A field that this release does not know counts first, wherever it is: a newer release may have changed others too,
	// and its refusal as invalid would say that an attempt before has done nothing.
	for _, body := range []string{
		`{"id":"1","list":[{"id":1},{"Id":2}]}`, `{"id":1.5,"when":{},"maybe":"x","list":[{"id":null},{"Id":2}]}`,
		`{"position":7,"map":[],"texts":{"x":1,"y":2},"data":{},"fixed":"AQID","any":{"x":1},"list":[null,{"Id":2}]}`,
	} {
		_, err = registry.Digest(&repo.Call{Name: "items.rich", Body: json.RawMessage(body)})
		if want := `This release does not know the field "list.1.Id" of the command.`; apperr.From(err).Message != want {
			t.Errorf("%s: got %v, want %s", body, err, want)
		}
	}
	_, err = registry.Digest(&repo.Call{Name: "items.rich", Body: json.RawMessage(`{"list":[{"id":1},{"Id":2}]}`)})
	if want := `This release does not know the field "list.1.Id" of the command.`; apperr.From(err).Message != want {
		t.Errorf("an unknown field: got %v, want %s", err, want)
	}
}

// TestSpellingsHaveOneDigest: a body that is accepted has the digest of what it says, however it is spelled: who sends
// a call again in another spelling gets the stored result, and not key_reused.
func TestSpellingsHaveOneDigest(t *testing.T) {
	t.Parallel()
	registry, err := repo.NewRegistry([]repo.Registration{repo.Register[rich]()})
	if err != nil {
		t.Fatal(err)
	}
	digest := func(body string) (string, error) {
		sum, derr := registry.Digest(&repo.Call{Name: "items.rich", Body: json.RawMessage(body)})
		return string(sum), derr
	}
	want, err := digest(`{"id":1,"Plain":"Z","when":"2026-11-30T12:00:00Z","position":"0"}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{
		`{"id":1,"Plain":"Z","when":"2026-11-30T12:00:00\u005a","position":"0"}`,
		`{"id":1,"Plain":"\u005a","when":"2026-11-30T12:00:00.000Z","position":"0"}`,
		`{"id":1,"Plain":"Z","when":"2026-11-30T12:00:00+00:00","position":"0"}`,
		`{"position":"\u0030", "\u0069d":1, "when":"\u0032026-11-30T12:00:00Z", "Plain":"Z", "list":null}`,
	} {
		got, err := digest(body)
		if err != nil {
			t.Errorf("%s: got %v, want no error", body, err)
		}
		if got != want {
			t.Errorf("%s: got the digest %x, want %x", body, got, want)
		}
	}
	for _, when := range []string{"2026-11-30t12:00:00z", "2026-11-30 12:00:00Z", "2026-11-30T12:00:00"} {
		if _, err := digest(`{"id":1,"Plain":"Z","when":"` + when + `","position":"0"}`); !errors.Is(err, apperr.Invalid) {
			t.Errorf("%s: %v, want %v", when, err, apperr.Invalid)
		}
	}
}

func TestNoChange(t *testing.T) {
	eachNode(t, func(t *testing.T, c *cluster, r *repo.Repo) {
		t.Helper()
		newest := MustPut(t, r, "a")
		for range 2 {
			res, receipt, err := repo.Do(operator(), r, idle{Item: "b"}, repo.WithKey("k"))
			expectReplayed(t, "no change", receipt, err, false)
			if res != "b" {
				t.Errorf("got %q, want %q", res, "b")
			}
			if receipt.Cursor != newest {
				t.Errorf("got the row %v, want the newest, %v", receipt.Cursor, newest)
			}
		}
		if n := MustCount(t, c.primary, "SELECT (SELECT COUNT(*) FROM writes) * 10 + (SELECT COUNT(*) FROM items)"); n != 11 {
			t.Errorf("%d: something was written, want 11", n)
		}
		_, receipt, err := repo.Do(operator(), r, put{Item: "b"}, repo.WithKey("k"))
		if err != nil {
			t.Errorf("the key afterwards: got %v, want no error", err)
		}
		if receipt.Seq != 2 {
			t.Errorf("the key afterwards: got Seq %d, want 2", receipt.Seq)
		}
	})
}

func TestOpenReader(t *testing.T) {
	c := MustCluster(t)
	MustPut(t, c.primary, "a")
	r, err := repo.OpenReader(c.path)
	if err != nil {
		t.Fatal(err)
	}
	var n int
	err = r.View(t.Context(), func(rd repo.Reader) error {
		return rd.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM items").Scan(&n)
	})
	if err != nil {
		t.Error(err)
	}
	if n != 1 {
		t.Errorf("got %d items, want 1", n)
	}
	err = r.View(t.Context(), func(rd repo.Reader) error {
		return rd.QueryRowContext(t.Context(), "DELETE FROM items RETURNING id").Scan(&n)
	})
	if err == nil {
		t.Error("a reader that writes: got no error, want one")
	}
	if err = r.Close(); err != nil {
		t.Error(err)
	}
	none, err := repo.OpenReader(c.path + "-none")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = none.Close() }()
	err = none.View(t.Context(), func(rd repo.Reader) error {
		return rd.QueryRowContext(t.Context(), "SELECT 1").Scan(&n)
	})
	if !apperr.HasReason(err, apperr.NoDatabase) {
		t.Errorf("got %v, want the reason %v", err, apperr.NoDatabase)
	}
}
