package compose

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Faults of a node that is elected and cannot begin its term: it gives the term up, and another
// node goes on.

// unfit is what prevents a node from beginning its term.
type unfit struct {
	name string
	// killed means that the primary before is killed instead of handing over, because a node with
	// this fault could not follow it to the end.
	killed bool
	inject func(n *Node, ctx context.Context) error
	undo   func(n *Node, ctx context.Context) error
	says   string // a part of what the node's log says about this reason
}

func unfits() (locked, migration, descriptors unfit) {
	locked = unfit{
		name: "cannot open the database", killed: true, says: "unable to open database file",
		inject: func(n *Node, _ context.Context) error { return n.lock(true) },
		undo:   func(n *Node, _ context.Context) error { return n.lock(false) },
	}
	migration = unfit{
		name: "cannot migrate the database", says: "no such table: fault",
		inject: func(n *Node, ctx context.Context) error {
			return n.write(ctx, faultyMigration, "-- +goose Up\nCREATE TABLE fault_before (id INTEGER);\nSELECT * FROM fault;\n")
		},
		undo: func(n *Node, ctx context.Context) error {
			_, err := n.Exec(ctx, "rm", "-f", faultyMigration)
			return err
		},
	}
	descriptors = unfit{
		name: "has too few file descriptors", says: "too many open files",
		inject: (*Node).starve,
		undo:   func(*Node, context.Context) error { return nil }, // the end of the process ends it
	}
	return locked, migration, descriptors
}

// faultyMigration is where a node finds one more migration (package migrations,
// BLOG_FAULT_MIGRATION).
const faultyMigration = "/tmp/99999_fault.sql"

// givesUp bounds the time from the election of a node that cannot begin its term until another is
// primary. The node tries for a quarter of a minute, and then another is elected.
const givesUp = 6 * Lease

// electedUnfit makes a standby be elected that cannot begin its term. The primary before runs again
// by then.
func electedUnfit(f *spell, u unfit) {
	primary, standby := f.Primary(f.tb)
	f.cutOff, f.recovery = f.Nodes, longer
	f.Excuse(primary, standby)
	begun := time.Now()
	f.strike(func(ctx context.Context) error {
		if !u.killed {
			return errors.Join(u.inject(standby, ctx), primary.Leave(ctx))
		}
		return errors.Join(primary.Kill(ctx), u.inject(standby, ctx))
	})
	f.expect(u.name+", "+standby.Name, func(ctx context.Context) error { return standby.said(ctx, begun, u.says) })
	elected := f.becomes(standby)
	f.step("%s is elected", standby.Name)
	f.try("start the primary before", primary.Start)
	up := f.Ledger.Now()
	// The node ends, and does not start again while it cannot open its database, so its end shows
	// only in that another node is primary.
	over := f.awaitRole(primary, true, max(elected, up))
	f.step("%s is primary again", primary.Name)
	f.limitOfStart("a node that "+u.name+" gives its term up", over-elected, givesUp)
	f.limit("another goes on", f.AwaitAcks(f.tb, over, f.others(standby)...)-over, 2*Lease)
	f.heal(func(ctx context.Context) error { return u.undo(standby, ctx) })
	f.noAcksOf(standby, elected)
}

// noAcksOf checks that no write was acknowledged that was asked for and answered, after from, while
// the node that could not begin its term said that it was primary.
func (f *spell) noAcksOf(n *Node, from time.Duration) {
	f.tb.Helper()
	to := f.Roles.Last(n.Name, from)
	for _, a := range f.Ledger.Asks() {
		if a.Outcome == OK && !a.Replayed && a.Start > from && a.End < to {
			f.tb.Errorf("%s: key %s is acknowledged (%s) while %s, which cannot begin its term, is primary",
				f.now(), a.Key, at(a), n.Name)
		}
	}
}

// lock makes the file of the node's database one that no process may open for writing, not even as
// root, or ends that. A process that has the file open is not affected.
func (n *Node) lock(locked bool) error {
	path := filepath.Join(n.files(), "dbs", "blog.db", "database")
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was not written to
	const immutable = 0x10           // FS_IMMUTABLE_FL of linux/fs.h
	flags, err := unix.IoctlGetUint32(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err != nil {
		return fmt.Errorf("flags of %s: %w", path, err)
	}
	if flags &^= immutable; locked {
		flags |= immutable
	}
	if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, int(flags)); err != nil {
		return fmt.Errorf("set flags of %s: %w", path, err)
	}
	return nil
}

// fewestDescriptors is a limit of file descriptors below which a running process can open no file.
const fewestDescriptors = 4

// starve leaves `blog serve` without another file descriptor until it ends.
func (n *Node) starve(ctx context.Context) error {
	all, err := n.Processes(ctx)
	if err != nil {
		return err
	}
	for _, p := range all {
		if p.Name != "serve" {
			continue
		}
		var limit unix.Rlimit
		if err := unix.Prlimit(p.PID, unix.RLIMIT_NOFILE, nil, &limit); err != nil {
			return fmt.Errorf("limits of process %d: %w", p.PID, err)
		}
		limit.Cur = fewestDescriptors
		if err := unix.Prlimit(p.PID, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
			return fmt.Errorf("limit process %d: %w", p.PID, err)
		}
		return nil
	}
	return fmt.Errorf("%s has no process serve: %v", n.Name, all)
}

// write puts a file into the container in one step.
func (n *Node) write(ctx context.Context, path, text string) error {
	_, err := n.Exec(ctx, "bash", "-c", `printf %s "$2" >"$1.new" && mv "$1.new" "$1"`, "-", path, text)
	return err
}

// said fails unless the node's log has the text after the given moment.
func (n *Node) said(ctx context.Context, since time.Time, text string) error {
	out, err := n.logs(ctx, since)
	if err == nil && !strings.Contains(out, text) {
		err = fmt.Errorf("its log has no %q", text)
	}
	return err
}
