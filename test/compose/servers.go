package compose

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"blog/internal/litefs"
	"blog/test/cluster"
)

// consulServers are the services of Consul's three servers, which are one raft cluster.
var consulServers = []string{Consul, "consul2", "consul3"}

// The keys that tests use in Consul: the blog's key in compose.yml, and one of their own.
const (
	syncKey  = "blog/sync"
	probeKey = "storm-probe"
)

// raftState is what one of Consul's servers reports of itself.
type raftState struct {
	Leader bool
	Term   uint64
	Voters int // in the newest configuration that it knows
}

// raft asks one of Consul's servers for its own state. The server answers without asking another
// one.
func (n *Node) raft(ctx context.Context) (raftState, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	body, err := fetch(ctx, n.Private+"/v1/agent/self")
	if err != nil {
		return raftState{}, err
	}
	var self struct {
		Stats struct {
			Raft struct {
				State  string `json:"state"`
				Term   string `json:"term"`
				Config string `json:"latest_configuration"`
			} `json:"raft"`
		}
	}
	if err = json.Unmarshal(body, &self); err != nil {
		return raftState{}, err
	}
	raft := self.Stats.Raft
	term, err := strconv.ParseUint(raft.Term, 10, 64)
	return raftState{raft.State == "Leader", term, strings.Count(raft.Config, "Suffrage:Voter")}, err
}

// consulLeader returns the one server that says it is leader, and its term. It leaves but out.
func (p *Project) consulLeader(ctx context.Context, but *Node) (*Node, uint64, error) {
	var leader *Node
	var term uint64
	var errs []error
	for _, server := range p.consul.servers {
		if server == but {
			continue
		}
		state, err := server.raft(ctx)
		errs = append(errs, err)
		if state.Leader && state.Term > term {
			leader, term = server, state.Term
		}
	}
	if leader == nil {
		return nil, 0, errors.Join(append(errs, errors.New("no server of Consul's leads"))...)
	}
	return leader, term, nil
}

// consulWhole returns what is missing of Consul, or nil when one of its servers leads, knows three
// voters, and all three follow it.
func (p *Project) consulWhole(ctx context.Context) error {
	leader, term, err := p.consulLeader(ctx, nil)
	if err != nil {
		return err
	}
	named := ""
	for _, server := range p.consul.servers {
		state, err := server.raft(ctx)
		if err != nil {
			return err
		}
		body, err := fetch(ctx, server.Private+"/v1/status/leader")
		if err != nil {
			return err
		}
		if state.Term != term || state.Voters != len(p.consul.servers) {
			return fmt.Errorf("%s is in term %d with %d voters, %s leads in term %d",
				server.Name, state.Term, state.Voters, leader.Name, term)
		}
		if text := string(body); text == `""` || named != "" && text != named {
			return fmt.Errorf("%s says that %s leads, another %s", server.Name, text, named)
		}
		named = string(body)
	}
	return nil
}

// awaitConsul waits until Consul is whole.
func (s *Storm) awaitConsul(tb testing.TB) {
	tb.Helper()
	cluster.Poll(tb, upLimit, "Consul is whole", func(ctx context.Context) error { return s.consulWhole(ctx) })
}

// serverEndpoints returns the endpoints of all servers that run.
func (n *Node) serverEndpoints(ctx context.Context) ([]endpoint, error) {
	var all []endpoint
	for _, server := range n.servers {
		running, err := server.inspect(ctx, "{{.State.Running}}")
		if err != nil {
			return nil, err
		}
		if running != "true" {
			continue
		}
		one, err := server.endpoints(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, one...)
	}
	return all, nil
}

// entry is a key in Consul.
type entry struct {
	Value []byte
	Index uint64 // its ModifyIndex
}

// consulKey reads a key consistently from a server that is asked by its own address.
func (n *Node) consulKey(ctx context.Context, key string) (entry, error) {
	body, err := fetch(ctx, n.Private+"/v1/kv/"+key+"?consistent")
	if err != nil {
		return entry{}, err
	}
	var all []struct {
		Value       string
		ModifyIndex uint64
	}
	if err = json.Unmarshal(body, &all); err == nil && len(all) != 1 {
		err = fmt.Errorf("%d entries of %s", len(all), key)
	}
	if err != nil {
		return entry{}, err
	}
	value, err := base64.StdEncoding.DecodeString(all[0].Value)
	return entry{value, all[0].ModifyIndex}, err
}

// syncSet returns the names of the members of the blog's sync set, and the set's index.
func (n *Node) syncSet(ctx context.Context) (members []string, index uint64, err error) {
	e, err := n.consulKey(ctx, syncKey)
	if err != nil {
		return nil, 0, err
	}
	var set litefs.SyncSet
	err = json.Unmarshal(e.Value, &set)
	for _, m := range set.Members {
		members = append(members, m.Name)
	}
	return members, e.Index, err
}
