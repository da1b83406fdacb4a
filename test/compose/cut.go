package compose

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Cuts are rules in the firewall of the container's own network, set from outside. Packets vanish,
// connections hang instead of closing, and addresses and names stay. What this machine sends to the
// published ports still arrives, so a test can ask a node that no other container reaches. The end
// of the container ends the rules.

// table is the chain of the rules.
const table = "BLOG-TEST"

// endpoint is a container's gateway and address in one network.
type endpoint struct{ gateway, ip string }

func (n *Node) endpoints(ctx context.Context) ([]endpoint, error) {
	if n.servers != nil {
		return n.serverEndpoints(ctx)
	}
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
	n.drops("cut from all")
	return n.rules(ctx, append(rules, []string{"-j", "DROP"}))
}

// CutFrom cuts the connection between the node and another container, in both directions.
func (n *Node) CutFrom(ctx context.Context, other *Node) error {
	all, err := other.endpoints(ctx)
	if err != nil {
		return err
	}
	var rules [][]string
	for _, e := range all {
		rules = append(rules, []string{"-s", e.ip, "-j", "DROP"}, []string{"-d", e.ip, "-j", "DROP"})
	}
	n.drops("cut from " + other.Name)
	return n.rules(ctx, rules)
}

// Unplug removes the node from its networks. Its interfaces and addresses disappear, and the
// published ports too.
func (n *Node) Unplug(ctx context.Context) error {
	out, err := n.inspect(ctx, "{{range $name, $net := .NetworkSettings.Networks}}{{$name}}"+
		"{{range $net.Aliases}} {{.}}{{end}}\n{{end}}")
	if err != nil {
		return err
	}
	n.plugs = nil
	n.unplugged()
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) > 0 {
			n.plugs = append(n.plugs, f)
			_, derr := run(ctx, nil, "docker", "network", "disconnect", f[0], n.id)
			err = errors.Join(err, derr)
		}
	}
	return err
}

// Plug adds the node to its networks again, under its old names. Its addresses may be others.
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

// HoldReplication drops the transactions that arrive at this node, whichever node is primary, and
// nothing else: its rules name LiteFS's ports, which only LiteFS's stream uses.
func (n *Node) HoldReplication(ctx context.Context) error {
	var rules [][]string
	for _, other := range n.project.Nodes {
		port := strconv.Itoa(other.litefsPort)
		if other != n {
			rules = append(rules, []string{"-p", "tcp", "--dport", port, "-j", "DROP"},
				[]string{"-p", "tcp", "--sport", port, "-j", "DROP"})
		}
	}
	n.drops("replication held")
	return n.rules(ctx, rules)
}

// HoldStream drops the transactions that leave this node. HoldReplication at the receiver would not
// be enough: a proxy between the regions would store those on their way, and deliver them once the
// node is gone.
func (n *Node) HoldStream(ctx context.Context) error { return n.holdStream(ctx) }

// HoldCopies lets replicas connect to this node's stream but drops large packets that leave it, so
// that a first copy never arrives as a whole.
func (n *Node) HoldCopies(ctx context.Context) error {
	return n.holdStream(ctx, "-m", "length", "--length", "700:65535")
}

// holdStream drops what leaves from LiteFS's port and matches, except to this node itself and to
// this machine.
func (n *Node) holdStream(ctx context.Context, match ...string) error {
	all, err := n.endpoints(ctx)
	if err != nil {
		return err
	}
	rules := [][]string{{"-o", "lo", "-j", "RETURN"}, {"-i", "lo", "-j", "RETURN"}}
	for _, e := range all {
		rules = append(rules, []string{"-d", e.gateway, "-j", "RETURN"})
	}
	n.drops("stream held")
	drop := append([]string{"-p", "tcp", "--sport", strconv.Itoa(n.litefsPort)}, match...)
	return n.rules(ctx, append(rules, append(drop, "-j", "DROP")))
}

func (n *Node) rules(ctx context.Context, rules [][]string) error {
	cmds := [][]string{}
	if !n.ruled(ctx) {
		cmds = append(cmds, []string{"-N", table}, []string{"-I", "INPUT", "-j", table},
			[]string{"-I", "OUTPUT", "-j", table})
	}
	for _, r := range rules {
		// A rule with an interface is for one direction only. In the chain of the other direction
		// it just never matches.
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

// ruled reports whether the chain exists. A container that has started again has none.
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
