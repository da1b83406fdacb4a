// Command node is the smallest program that a LiteFS node can run: it has the command line and the environment of
// the blog, and instead of a blog one table. `node mount` is the node, `node serve` its child. Tests of nodes use it
// so that a fault in them is no fault of the blog's.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"blog/internal/litefs"
	"blog/internal/litefs/mount"

	_ "github.com/mattn/go-sqlite3"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:])
	stop()
	var exit *mount.ExitError
	switch {
	case errors.As(err, &exit):
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exit.Code)
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if len(args) == 0 {
		return errors.New("usage: node mount [--config FILE] [-- CHILD...] | node serve | node exit CODE")
	}
	switch args[0] {
	case "mount":
		flags := flag.NewFlagSet("mount", flag.ContinueOnError)
		config := flags.String("config", "", "litefs.yml")
		if err := flags.Parse(args[1:]); err != nil {
			return err
		}
		cfg, err := mount.Load(*config, os.Getenv)
		if err != nil {
			return err
		}
		return mount.Run(ctx, cfg, flags.Args(), logger)
	case "serve":
		return serve(ctx, logger)
	case "exit":
		code, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		os.Exit(code)
	}
	return fmt.Errorf("no command %q", args[0])
}

// app answers on both addresses.
type app struct {
	node *litefs.Follower
	path string
	read *sql.DB
}

func serve(ctx context.Context, logger *slog.Logger) error {
	path := os.Getenv("DATABASE_PATH")
	if err := litefs.CheckMount(path); err != nil {
		return err
	}
	node, err := litefs.Open(ctx, litefs.Config{
		URL: os.Getenv("LITEFS_URL"), PrimaryURL: os.Getenv("PRIMARY_URL"), Self: os.Getenv("LITEFS_SELF"), Logger: logger,
	})
	if err != nil {
		return err
	}
	read, err := sql.Open("sqlite3", "file:"+path+"?mode=ro&_query_only=1&_busy_timeout=5000")
	if err != nil {
		return err
	}
	a := &app{node: node, path: path, read: read}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /role", func(w http.ResponseWriter, _ *http.Request) { answer(w, node.Role(), nil) })
	mux.HandleFunc("POST /write", func(w http.ResponseWriter, r *http.Request) {
		n, err := a.write(r.Context(), r.FormValue("v"))
		answer(w, n, err)
	})
	mux.HandleFunc("GET /rows", func(w http.ResponseWriter, r *http.Request) {
		n, err := a.count(r.Context())
		answer(w, n, err)
	})
	control := litefs.NewControl(os.Getenv(litefs.ControlVariable))
	defer control.Close()
	controlled(mux, control)
	public := &http.Server{Addr: os.Getenv("LISTEN_ADDR"), Handler: mux, ReadHeaderTimeout: time.Second}
	private := &http.Server{Addr: os.Getenv("PRIVATE_ADDR"), Handler: mux, ReadHeaderTimeout: time.Second}
	failed := make(chan error, 2)
	for _, s := range []*http.Server{public, private} {
		go func() { failed <- s.ListenAndServe() }()
	}
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	return errors.Join(err, public.Close(), private.Close(), read.Close(), node.Close())
}

// controlled lets the tests use the control socket.
func controlled(mux *http.ServeMux, c *litefs.Control) {
	mux.HandleFunc("GET /standing", func(w http.ResponseWriter, r *http.Request) {
		standing, err := c.Standing(r.Context())
		answer(w, standing, err)
	})
	mux.HandleFunc("PUT /sync", func(w http.ResponseWriter, r *http.Request) {
		var change litefs.SyncChange
		if err := json.NewDecoder(r.Body).Decode(&change); err != nil {
			answer(w, nil, err)
			return
		}
		set, err := c.Change(r.Context(), change)
		answer(w, set, err)
	})
	mux.HandleFunc("POST /promote", func(w http.ResponseWriter, r *http.Request) {
		answer(w, nil, c.Promote(r.Context()))
	})
	mux.HandleFunc("POST /accept-loss", func(w http.ResponseWriter, r *http.Request) {
		accepted, err := c.AcceptLoss(r.Context())
		answer(w, accepted, err)
	})
	mux.HandleFunc("GET /pid", func(w http.ResponseWriter, _ *http.Request) { answer(w, os.Getpid(), nil) })
}

// write inserts a row with a connection of its own, whatever the role: what LiteFS says to a wrong write is what
// the tests want to see. It returns the number of rows.
func (a *app) write(ctx context.Context, value string) (n int, err error) {
	db, err := sql.Open("sqlite3", "file:"+a.path+"?_journal_mode=DELETE&_txlock=immediate&_busy_timeout=5000")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS rows (v TEXT NOT NULL)`); err != nil {
		return 0, err
	}
	if _, err := db.ExecContext(ctx, `INSERT INTO rows (v) VALUES (?)`, value); err != nil {
		return 0, err
	}
	a.node.Notify()
	return a.count(ctx)
}

func (a *app) count(ctx context.Context) (n int, err error) {
	err = a.read.QueryRowContext(ctx, `SELECT count(*) FROM rows`).Scan(&n)
	return n, err
}

func answer(w http.ResponseWriter, v any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if err := json.NewEncoder(w).Encode(v); err != nil {
		slog.Warn("answer", "err", err)
	}
}
