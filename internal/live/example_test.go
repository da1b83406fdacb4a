package live_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing/fstest"
	"time"

	"github.com/coder/websocket"

	"blog/internal/litefs"
	"blog/internal/live"
	"blog/internal/repo"
	"blog/internal/transport"
	"blog/migrations"
)

// Rename is a command of the example: it gives the one thing that there is another name, and touches its topic.
type Rename struct {
	To string `json:"to"`
}

// Name implements repo.Command.
func (Rename) Name() string { return "thing.rename" }

// Apply implements repo.Command.
func (c Rename) Apply(ctx context.Context, tx *repo.Tx) (string, error) {
	tx.Touch("post:thing", "")
	_, err := tx.ExecContext(ctx, "UPDATE thing SET name = ?", c.To)
	return c.To, err
}

// ThingRenderer renders the one thing as it is now.
type ThingRenderer struct{}

// Render implements live.Renderer.
func (ThingRenderer) Render(ctx context.Context, rd repo.Reader, _ repo.Touch) (live.Frame, error) {
	var name string
	err := rd.QueryRowContext(ctx, "SELECT name FROM thing").Scan(&name)
	return live.Frame{Type: live.Change, HTML: "<h1>" + name + "</h1>"}, err
}

// openThings opens a plain file's repository with the table of the thing.
func openThings(ctx context.Context, dir string) (*repo.Repo, error) {
	writes, err := migrations.FS.ReadFile("00001_writes.sql")
	if err != nil {
		return nil, err
	}
	registry, err := repo.NewRegistry([]repo.Registration{repo.Register[Rename]()})
	if err != nil {
		return nil, err
	}
	const table = "-- +goose Up\nCREATE TABLE thing (name TEXT NOT NULL);\nINSERT INTO thing (name) VALUES ('old');\n"
	return repo.Open(ctx, repo.Options{
		Path: filepath.Join(dir, "things.db"), Node: litefs.OpenStatic(), Registry: registry, Now: time.Now,
		Migrations: fstest.MapFS{"00001_writes.sql": {Data: writes}, "00002_thing.sql": {Data: []byte(table)}},
		Logger:     slog.New(slog.DiscardHandler), Transport: transport.NewClient(""),
	})
}

// printFrames prints the next frames that the socket receives.
func printFrames(ctx context.Context, socket *websocket.Conn, count int) error {
	for range count {
		_, message, err := socket.Read(ctx)
		if err != nil {
			return err
		}
		var frame struct{ Type, Topic, HTML string }
		if err := json.Unmarshal(message, &frame); err != nil {
			return err
		}
		fmt.Println(strings.TrimSpace(frame.Type + " " + frame.Topic + " " + frame.HTML))
	}
	return nil
}

// followThing opens a socket for the thing as of a cursor, renames the thing, and prints three frames.
func followThing(after string) error {
	ctx, cancel := context.WithTimeout(repo.As(context.Background(), repo.Actor{Name: repo.Operator}), time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "live")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	r, err := openThings(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	hub := live.New(ctx, live.Options{
		View: r.View, FeedView: r.ViewReserved, Feed: r.Feed(), Render: ThingRenderer{},
		Logger: slog.New(slog.DiscardHandler),
	})
	defer hub.Close(ctx)
	r.Feed().Attach(hub)
	server := httptest.NewServer(hub)
	defer server.Close()

	if _, err = repo.Write(ctx, r, Rename{To: "middle"}); err != nil {
		return err
	}
	socket, response, err := websocket.Dial(ctx, server.URL+"?topics=post:thing&after="+after, nil)
	if err != nil {
		return err
	}
	defer func() { _ = socket.CloseNow() }()
	if response.Body != nil {
		defer func() { _ = response.Body.Close() }()
	}
	if err = printFrames(ctx, socket, 2); err != nil {
		return err
	}
	if _, err = repo.Write(ctx, r, Rename{To: "new"}); err != nil {
		return err
	}
	return printFrames(ctx, socket, 1)
}

// A page that was rendered before a write receives the present state of what the write touched, and then each change
// as it comes. Cursor 0 is that of a page rendered before the first write.
func ExampleHub() {
	if err := followThing("0"); err != nil {
		log.Fatal(err)
	}
	// Output:
	// hello
	// change post:thing <h1>middle</h1>
	// change post:thing <h1>new</h1>
}

// A page whose cursor cannot be read, such as one of another release, gets a resync and fetches itself. It receives
// what changes afterwards like any other.
func ExampleHub_resync() {
	if err := followThing("a-cursor-of-another-release"); err != nil {
		log.Fatal(err)
	}
	// Output:
	// hello
	// resync
	// change post:thing <h1>new</h1>
}
