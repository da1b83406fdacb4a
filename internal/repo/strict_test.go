package repo_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

	prepared string
}

func (rich) Name() string { return "items.rich" }

func (c rich) Apply(context.Context, *repo.Tx) (string, error) { return c.Plain + c.prepared, nil }

func TestStrictShapes(t *testing.T) {
	o := options(t, filepath.Join(t.TempDir(), "blog.db"), repotest.NewSeat(repotest.Primary()))
	g, err := repo.NewRegistry([]repo.Registration{repo.Register[rich]()})
	if err != nil {
		t.Fatal(err)
	}
	o.Registry = g
	r := repotest.MustOpen(t, o)
	three := 3
	full := rich{
		Base: Base{ID: 1}, Plain: "p", When: time.Now().UTC(), Maybe: &three, List: []Base{{ID: 2}}, Map: map[string]Base{"any Name": {ID: 3}},
		Any: map[string]any{"Free": []any{1, nil}}, Raw: json.RawMessage(`{"a":null}`), Texts: map[string]string{"x": "y"}, Data: []byte{1, 2},
	}
	if res, err := repo.Write(operator(), r, full); res != "p" || err != nil {
		t.Errorf("got %q, %v", res, err)
	}
	for body, want := range map[string]string{
		`{"id":1,"Plain":"x","position":"0"}`: "",
		`{}`:                                  "",
		`{"maybe":null,"list":null,"map":null,"any":null,"data":null}`: "",
		`{"texts":{"A":"1","a":"2"}}`:                                  "",
		`{"ID":1}`:                                                     repo.UnknownCommand,
		`{"Hidden":1}`:                                                 repo.UnknownCommand,
		`{"-":1}`:                                                      repo.UnknownCommand,
		`{"Base":{"id":1}}`:                                            repo.UnknownCommand,
		`{"plain":"x"}`:                                                repo.UnknownCommand,
		`{"prepared":"x"}`:                                             repo.UnknownCommand,
		`{"list":[{"id":1},{"Id":2}]}`:                                 repo.UnknownCommand,
		`{"map":{"x":{"Id":2}}}`:                                       repo.UnknownCommand,
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
		strings.Repeat(`{"any":`, 20_000):                              "invalid",
		`{"any":` + strings.Repeat(`[`, 20_000) + strings.Repeat(`]`, 20_000) + `}`: "invalid",
	} {
		_, err := repo.Write(operator(), r, rich{}, func(c *repo.Call) { c.Body = json.RawMessage(body) })
		e := repo.AsError(err)
		switch want {
		case "":
			if err != nil {
				t.Errorf("%.60s: %v", body, err)
			}
		case "invalid":
			if err == nil || e.Code != repo.Invalid {
				t.Errorf("%.60s: %v", body, err)
			}
		default:
			if err == nil || e.Reason != want {
				t.Errorf("%.60s: %v", body, err)
			}
		}
	}
}

func TestNoChange(t *testing.T) {
	eachNode(t, func(t *testing.T, c *cluster, r *repo.Repo) {
		t.Helper()
		newest := MustPut(t, r, "a")
		for range 2 {
			res, receipt, err := repo.Do(operator(), r, idle{Item: "b"}, repo.WithKey("k"))
			if res != "b" || err != nil || receipt.Cursor != newest || receipt.Replayed {
				t.Errorf("got %q, %+v, %v", res, receipt, err)
			}
		}
		if n := MustCount(t, c.primary, "SELECT (SELECT COUNT(*) FROM writes) * 10 + (SELECT COUNT(*) FROM items)"); n != 11 {
			t.Errorf("%d: something was written", n)
		}
		if _, receipt, err := repo.Do(operator(), r, put{Item: "b"}, repo.WithKey("k")); err != nil || receipt.Seq != 2 {
			t.Errorf("the key afterwards: %+v, %v", receipt, err)
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
	if n != 1 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	err = r.View(t.Context(), func(rd repo.Reader) error {
		return rd.QueryRowContext(t.Context(), "DELETE FROM items RETURNING id").Scan(&n)
	})
	if err == nil {
		t.Error("a reader may write")
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
	if !repo.HasReason(err, repo.NoDatabase) {
		t.Errorf("got %v", err)
	}
}

func TestAsk(t *testing.T) {
	log := new(repotest.Journal).JSON()
	s := httptest.NewServer(repo.Authenticated(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch req.URL.Path {
		case "/good":
			_, _ = w.Write([]byte(`{"role":"primary"}`))
		case "/refused":
			repo.WriteReply(w, repo.Reply{}, repo.Errorf(repo.NotFound, "Nothing here."))
		default:
			http.NotFound(w, req)
		}
	}), repotest.Secret, log))
	defer s.Close()
	var got struct{ Role string }
	good, bad := repo.NewTransport(repotest.Secret), repo.NewTransport("another")
	defer good.Close()
	defer bad.Close()
	if err := good.Ask(t.Context(), s.URL+"/", "/good", &got); err != nil || got.Role != "primary" {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := good.Ask(t.Context(), s.URL, "/refused", &got); !errors.Is(err, repo.NotFound) {
		t.Errorf("refused: %v", err)
	}
	if err := good.Ask(t.Context(), s.URL, "/other", &got); err == nil {
		t.Error("a plain 404 is no answer")
	}
	if err := bad.Ask(t.Context(), s.URL, "/good", &got); !repo.HasReason(err, repo.BadSecret) {
		t.Errorf("another secret: %v", err)
	}
	s.Close()
	if err := good.Ask(t.Context(), s.URL, "/good", &got); !repo.HasReason(err, repo.NoServer) {
		t.Errorf("no server: %v", err)
	}
}
