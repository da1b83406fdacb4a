package compose

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Cuts are rules in the firewall of the container's own network, set from outside:
// packets vanish, connections hang instead of closing, addresses and names stay.
// What this machine sends to the published ports still gets through, so that a
// test can ask a node that nobody else reaches. The rules go with the container.

// table is the chain that holds them.
const table = "BLOG-TEST"

// endpoint is a container's place in one network.
type endpoint struct{ gateway, ip string }

func (n *Node) endpoints(ctx context.Context) ([]endpoint, error) {
	out, err := n.inspect(ctx, "{{range .NetworkSettings.Networks}}{{.Gateway}} {{.IPAddress}}\n{{end}}")
	if err != nil {
		return nil, err
	}
	var all []endpoint
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) == 2 {
			all = append(all, endpoint{f[0], f[1]})
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s is in no network", n.Name)
	}
	return all, nil
}

// CutOff cuts the node off from every other container.
func (n *Node) CutOff(ctx context.Context) error {
	all, err := n.endpoints(ctx)
	if err != nil {
		return err
	}
	rules := [][]string{{"-i", "lo", "-j", "RETURN"}, {"-o", "lo", "-j", "RETURN"}}
	for _, e := range all {
		rules = append(rules, []string{"-s", e.gateway, "-j", "RETURN"}, []string{"-d", e.gateway, "-j", "RETURN"})
	}
	return n.rules(ctx, append(rules, []string{"-j", "DROP"}))
}

// CutFrom cuts the way between the node and another container, both directions.
func (n *Node) CutFrom(ctx context.Context, other *Node) error {
	all, err := other.endpoints(ctx)
	if err != nil {
		return err
	}
	var rules [][]string
	for _, e := range all {
		rules = append(rules, []string{"-s", e.ip, "-j", "DROP"}, []string{"-d", e.ip, "-j", "DROP"})
	}
	return n.rules(ctx, rules)
}

// Unplug takes the node out of its networks: interface and addresses are gone, and
// so are the published ports.
func (n *Node) Unplug(ctx context.Context) error {
	out, err := n.inspect(ctx, "{{range $name, $net := .NetworkSettings.Networks}}{{$name}}{{range $net.Aliases}} {{.}}{{end}}\n{{end}}")
	if err != nil {
		return err
	}
	n.plugs = nil
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) > 0 {
			n.plugs = append(n.plugs, f)
			_, derr := run(ctx, nil, "docker", "network", "disconnect", f[0], n.id)
			err = errors.Join(err, derr)
		}
	}
	return err
}

// Plug puts it back, under its old names; its address may be another.
func (n *Node) Plug(ctx context.Context) error {
	var errs []error
	for _, p := range n.plugs {
		args := []string{"network", "connect"}
		for _, alias := range p[1:] {
			args = append(args, "--alias", alias)
		}
		_, err := run(ctx, nil, "docker", append(args, p[0], n.id)...)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// HoldReplication keeps transactions from arriving here, from whoever is primary,
// and nothing else: LiteFS's stream is the only thing that is on its ports.
func (n *Node) HoldReplication(ctx context.Context) error {
	var rules [][]string
	for _, other := range n.project.Nodes {
		port := strconv.Itoa(other.litefsPort)
		if other != n {
			rules = append(rules, []string{"-p", "tcp", "--dport", port, "-j", "DROP"}, []string{"-p", "tcp", "--sport", port, "-j", "DROP"})
		}
	}
	return n.rules(ctx, rules)
}

// HoldStream keeps transactions from leaving this node. A proxy between the regions
// would keep those that are on their way, and pass them on once the node is gone:
// HoldReplication on its other side does not take them away.
func (n *Node) HoldStream(ctx context.Context) error { return n.holdStream(ctx) }

// HoldCopies lets replicas connect to this node's stream and keeps what is large
// from leaving: a first copy never arrives whole.
func (n *Node) HoldCopies(ctx context.Context) error {
	return n.holdStream(ctx, "-m", "length", "--length", "700:65535")
}

// holdStream drops what leaves from LiteFS's port, of what matches, but for what goes
// to this node itself and to this machine.
func (n *Node) holdStream(ctx context.Context, match ...string) error {
	all, err := n.endpoints(ctx)
	if err != nil {
		return err
	}
	rules := [][]string{{"-o", "lo", "-j", "RETURN"}, {"-i", "lo", "-j", "RETURN"}}
	for _, e := range all {
		rules = append(rules, []string{"-d", e.gateway, "-j", "RETURN"})
	}
	drop := append([]string{"-p", "tcp", "--sport", strconv.Itoa(n.litefsPort)}, match...)
	return n.rules(ctx, append(rules, append(drop, "-j", "DROP")))
}

func (n *Node) rules(ctx context.Context, rules [][]string) error {
	cmds := [][]string{}
	if !n.ruled(ctx) {
		cmds = append(cmds, []string{"-N", table}, []string{"-I", "INPUT", "-j", table}, []string{"-I", "OUTPUT", "-j", table})
	}
	for _, r := range rules {
		// An interface has one direction only: such a rule is no rule of the other
		// chain, where it just never matches.
		cmds = append(cmds, append([]string{"-A", table}, r...))
	}
	return n.firewall(ctx, cmds...)
}

// Heal ends all cuts of the node.
func (n *Node) Heal(ctx context.Context) error {
	if !n.ruled(ctx) {
		return nil
	}
	return n.firewall(ctx, []string{"-F", table})
}

// ruled reports whether the chain is there: a container that has started again, on
// its own as well, has none.
func (n *Node) ruled(ctx context.Context) bool {
	return n.firewall(ctx, []string{"-n", "-L", table}) == nil
}

func (n *Node) firewall(ctx context.Context, cmds ...[]string) error {
	pid, err := n.inspect(ctx, "{{.State.Pid}}")
	if err != nil {
		return err
	}
	if pid == "0" {
		return fmt.Errorf("%s does not run", n.Name)
	}
	var errs []error
	for _, c := range cmds {
		_, err := run(ctx, nil, "nsenter", append([]string{"-t", pid, "-n", "iptables", "-w"}, c...)...)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
