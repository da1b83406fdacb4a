//go:build linux

// Command cmd mounts a disk that loses what was not synced, or makes one lose it: see package powerloss.
//
//	serve -dir DIR -mount DIR -control SOCKET [-ignore-sync]
//	freeze -control SOCKET -after N
//	lose -control SOCKET -seed N
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"blog/test/powerloss"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "powerloss:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("want serve, freeze or lose")
	}
	var cfg powerloss.Config
	var seed uint64
	var after int
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.StringVar(&cfg.Dir, "dir", "", "the folder that the disk is in")
	flags.StringVar(&cfg.Mount, "mount", "", "where programs see it")
	flags.StringVar(&cfg.Socket, "control", "", "the control's socket")
	flags.BoolVar(&cfg.Options.IgnoreSync, "ignore-sync", false, "make nothing durable that is synced")
	flags.IntVar(&after, "after", 0, "how many changes come before it freezes")
	flags.Uint64Var(&seed, "seed", 1, "of what is lost")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	switch args[0] {
	case "serve":
		return powerloss.Serve(ctx, cfg)
	case "freeze":
		return powerloss.NewClient(cfg.Socket).Freeze(ctx, after)
	case "lose":
		loss, err := powerloss.NewClient(cfg.Socket).Lose(ctx, seed)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(loss)
	}
	return fmt.Errorf("%q: want serve, freeze or lose", args[0])
}
