package compose

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/superfly/ltx"
)

// pacedQueue returns tc's name of the queue of a node's network device for a replica whose packets
// are slowed down. Packets that no filter sends to a queue pass at once.
func pacedQueue(replica int) string { return fmt.Sprintf("1:%d", replica+1) }

// Pace slows down what this node's LiteFS sends to each of the other nodes to rate bytes per
// second. A node of another region is reached by its region's proxy. Unpace ends it.
func (n *Node) Pace(ctx context.Context, rate int, others ...*Node) error {
	dev, err := n.device(ctx)
	if err != nil {
		return err
	}
	cmds := [][]string{{"qdisc", "add", "dev", dev, "root", "handle", "1:", "htb"}}
	for i, other := range others {
		address, err := n.addressOf(ctx, other)
		if err != nil {
			return err
		}
		cmds = append(cmds, []string{
			"class", "add", "dev", dev, "parent", "1:", "classid", pacedQueue(i),
			"htb", "rate", fmt.Sprintf("%dbps", rate), "burst", "16k",
		}, []string{
			"filter", "add", "dev", dev, "parent", "1:", "protocol", "ip", "u32",
			"match", "ip", "sport", strconv.Itoa(n.litefsPort), "0xffff", "match", "ip", "dst", address + "/32",
			"flowid", pacedQueue(i),
		})
	}
	for _, c := range cmds {
		if _, err := n.tc(ctx, c...); err != nil {
			return err
		}
	}
	return nil
}

// Unpace ends Pace. It does nothing when the container has started again since.
func (n *Node) Unpace(ctx context.Context) error {
	dev, err := n.device(ctx)
	if err != nil {
		return err
	}
	out, err := n.tc(ctx, "class", "show", "dev", dev)
	if err != nil || !strings.Contains(out, pacedQueue(0)) {
		return err
	}
	_, err = n.tc(ctx, "qdisc", "del", "dev", dev, "root")
	return err
}

// addressOf returns the address from which another node connects to this one.
func (n *Node) addressOf(ctx context.Context, other *Node) (string, error) {
	from := other
	if region := strings.TrimRight(other.Name, "0123456789"); region != strings.TrimRight(n.Name, "0123456789") {
		from = &Node{Name: "toxiproxy-" + region, project: n.project}
		if err := from.find(ctx); err != nil {
			return "", err
		}
	}
	here, err := n.endpoints(ctx)
	if err != nil {
		return "", err
	}
	there, err := from.endpoints(ctx)
	if err != nil {
		return "", err
	}
	for _, e := range there {
		if e.gateway == here[0].gateway {
			return e.ip, nil
		}
	}
	return "", fmt.Errorf("%s is not in the network of %s", from.Name, n.Name)
}

func (n *Node) tc(ctx context.Context, args ...string) (string, error) {
	return n.inNetwork(ctx, append([]string{"tc"}, args...)...)
}

// inNetwork runs a program of this machine in the node's network.
func (n *Node) inNetwork(ctx context.Context, command ...string) (string, error) {
	pid, err := n.inspect(ctx, "{{.State.Pid}}")
	if err != nil {
		return "", err
	}
	return run(ctx, nil, "nsenter", append([]string{"-t", pid, "-n"}, command...)...)
}

// device returns the name of the node's network device. Docker gives another one each time a container is plugged in.
func (n *Node) device(ctx context.Context) (string, error) {
	out, err := n.inNetwork(ctx, "ip", "-o", "-4", "addr", "show")
	if err != nil {
		return "", err
	}
	return readDevice(out)
}

// readDevice reads the name of the first device that is not the loopback one from what ip prints.
func readDevice(text string) (string, error) {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 1 && f[1] != "lo" {
			return f[1], nil
		}
	}
	return "", fmt.Errorf("there is no network device: %q", text)
}

// paced returns how many bytes have passed slowed down to a replica, and how often they had to
// wait.
func (n *Node) paced(ctx context.Context, replica int) (bytes, waits int, err error) {
	dev, err := n.device(ctx)
	if err != nil {
		return 0, 0, err
	}
	out, err := n.tc(ctx, "-s", "class", "show", "dev", dev)
	if err != nil {
		return 0, 0, err
	}
	return readPaced(out, replica)
}

// readPaced reads what tc says about the queue of a replica.
func readPaced(text string, replica int) (bytes, waits int, err error) {
	stats := regexp.MustCompile(`(?s)class htb ` + pacedQueue(replica) + ` .*?Sent (\d+) bytes .*?overlimits (\d+)`)
	m := stats.FindStringSubmatch(text)
	if m == nil {
		return 0, 0, fmt.Errorf("nothing is paced: %q", text)
	}
	bytes, err = strconv.Atoi(m[1])
	waits, werr := strconv.Atoi(m[2])
	return bytes, waits, errors.Join(err, werr)
}

// ResetReplication ends the node's stream from the primary, and prevents that it connects again:
// connections to LiteFS's ports are reset. Heal ends it.
func (n *Node) ResetReplication(ctx context.Context) error {
	var rules [][]string
	for _, other := range n.project.Nodes {
		if other == n {
			continue
		}
		// The rule matches only arriving packets, since the reset that answers them has to leave.
		rules = append(rules, []string{
			"!", "-i", "lo", "-p", "tcp", "--sport", strconv.Itoa(other.litefsPort),
			"-j", "REJECT", "--reject-with", "tcp-reset",
		})
	}
	n.drops("replication reset")
	return n.rules(ctx, rules)
}

// disk returns the folder of this machine that is the node's /var/lib/litefs.
func (n *Node) disk(ctx context.Context) (string, error) {
	if n.data != "" {
		return n.data, nil
	}
	return n.inspect(ctx, `{{range .Mounts}}{{if eq .Destination "/var/lib/litefs"}}{{.Source}}{{end}}{{end}}`)
}

// transactions returns the sizes of LiteFS's files of transactions on the node, by their numbers,
// and the newest number. It reads the disk, so the node need not answer.
func (n *Node) transactions(ctx context.Context) (sizes map[ltx.TXID]int64, newest ltx.TXID, err error) {
	dir, err := n.disk(ctx)
	if err != nil {
		return nil, 0, err
	}
	all, err := os.ReadDir(filepath.Join(dir, "dbs", "blog.db", "ltx"))
	if err != nil {
		return nil, 0, err
	}
	sizes = map[ltx.TXID]int64{}
	for _, e := range all {
		_, id, parseErr := ltx.ParseFilename(e.Name())
		if parseErr != nil {
			continue // LiteFS is writing it
		}
		if info, infoErr := e.Info(); infoErr == nil { // it may have been deleted since
			sizes[id] = info.Size()
			newest = max(newest, id)
		}
	}
	if newest == 0 {
		err = fmt.Errorf("%s has no transaction", n.Name)
	}
	return sizes, newest, err
}

// forget deletes the file of a transaction, as LiteFS does with all files after ten minutes. A
// replica that needs it gets a copy of the whole database.
func (n *Node) forget(ctx context.Context, id ltx.TXID) error {
	dir, err := n.disk(ctx)
	if err != nil {
		return err
	}
	n.forgotten.Store(id, true)
	return os.Remove(filepath.Join(dir, "dbs", "blog.db", "ltx", ltx.FormatFilename(id, id)))
}

// received returns how many bytes the node has on its disk of a frame that it is receiving. Only
// frames over 1 MiB, such as a copy of the database, are on the disk until they are complete.
func (n *Node) received(ctx context.Context) (int64, error) {
	dir, err := n.disk(ctx)
	if err != nil {
		return 0, err
	}
	all, err := os.ReadDir(filepath.Join(dir, "received"))
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, e := range all {
		if info, err := e.Info(); err == nil { // it may be complete by now
			sum += info.Size()
		}
	}
	return sum, nil
}
