// Command blog is the whole program: the server, the LiteFS node around it, and the operator's
// command line.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
	_ "time/tzdata" // BLOG_TIMEZONE works on machines without zone files

	"github.com/alecthomas/kong"

	"blog/internal/app"
	"blog/internal/repo"
)

// version is the version of this build; the linker sets it.
var version = "dev"

// cli has all flags, variables and commands.
type cli struct {
	app.Config `embed:"" group:"node"`

	JSON bool `name:"json" help:"Answer in JSON, errors too, on standard output."`

	Serve      serveCmd      `cmd:"" help:"Serve the blog on this machine."`
	Mount      mountCmd      `cmd:"" help:"Be a LiteFS node, with the server (or another program) as its child."`
	Migrate    migrateCmd    `cmd:"" help:"Bring the schema of the database up to this release."`
	Import     importCmd     `cmd:"" help:"Import a folder of Markdown files with pictures, or another system's export."`
	Export     exportCmd     `cmd:"" help:"Write all posts as Markdown files with their pictures."`
	User       userCmd       `cmd:"" help:"The authors."`
	Post       postCmd       `cmd:"" help:"The posts."`
	Tag        tagCmd        `cmd:"" help:"The tags."`
	Status     statusCmd     `cmd:"" help:"Say how this node is."`
	Clock      clockCmd      `cmd:"" help:"The dates of writes."`
	Node       nodeCmd       `cmd:"" help:"The nodes of the cluster."`
	AcceptLoss acceptLossCmd `cmd:"" help:"Let this node be elected although it may lack acknowledged writes."`
	Version    versionCmd    `cmd:"" help:"Say which build this is."`
}

const about = `A blog that runs in many regions at once.

Commands that write work on any node: they are calls to the server of this
machine, which carries them to the primary. Each has a key (--key, else a random
one): the same command sent again with the same key is carried out once. A key is
honoured for 30 days.

Exit codes: 0 done; 1 refused (invalid, not found, conflict); 2 wrong usage;
3 not available now, or it is not known whether it was done: ask again with the
key that the message names.`

// session is what a command gets in Run.
type session struct {
	ctx      context.Context // ends with a signal of endings; kong passes it to Run in this field
	config   app.Config
	json     bool
	in       io.Reader
	out, err io.Writer
	refusal  repo.Assurance // the assurance of a refused write
	flush    func()         // writes what the outputs have buffered; nil: nothing is buffered
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), endings()...)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// endings returns the signals at which this program ends in order. SIGHUP, of a terminal that is
// closed, is one of them unless it is ignored, as it is under nohup.
func endings() []os.Signal {
	all := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		all = append(all, syscall.SIGHUP)
	}
	return all
}

// run runs one command and returns its exit code.
func run(ctx context.Context, args []string) int {
	var c cli
	parser, err := kong.New(&c, kong.Name("blog"), kong.Description(about), helpTexts(),
		kong.ValueFormatter(func(v *kong.Value) string { return v.Help }), // a text names its variable itself
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.ExplicitGroups([]kong.Group{{Key: "node", Title: "What this node is (flags, or better the environment):"}}))
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "blog:", err)
		return exitUsage
	}
	command, err := parser.Parse(goFlags(args))
	s := &session{ctx: ctx, json: c.JSON, in: os.Stdin, out: os.Stdout, err: os.Stderr}
	if err != nil {
		s.json = asksJSON(args)                                     // the parser may have given up before it
		return s.end(&usageError{message: err.Error(), help: true}) // the parser may have failed before it reached the flag
	}
	s.config = c.Defaults()
	code := s.end(command.Run(s))
	if s.flush != nil {
		s.flush()
	}
	return code
}

// goFlags returns args with --config in place of -config, which is LiteFS's own spelling of that
// flag.
func goFlags(args []string) []string {
	out := make([]string, 0, len(args))
	for i, a := range args {
		if a == "--" {
			return append(out, args[i:]...)
		}
		if a == "-config" {
			a = "--config"
		}
		out = append(out, a)
	}
	return out
}

// asksJSON reports whether args have --json.
func asksJSON(args []string) bool {
	for _, a := range args {
		if a == "--json" || a == "--" {
			return a == "--json"
		}
	}
	return false
}

// usageError is a wrong use of the command line.
type usageError struct {
	message string // whether to mention --help
	help    bool   // --help would help
}

func (e *usageError) Error() string { return e.message }

func usage(format string, args ...any) error {
	return &usageError{message: fmt.Sprintf(format, args...)}
}

// writing has the flags of all commands that write.
type writing struct {
	Key     string        `placeholder:"KEY" help:"${help_main_key}"`
	Timeout time.Duration `default:"30s" help:"How long to try: longer than an election (default ${default})."`
}

// within returns a context for one write, which ends after the timeout.
func (w writing) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, w.Timeout)
}
