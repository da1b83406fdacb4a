package compose_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"blog/test/compose"
)

func people() (s *compose.Storm, fra1, fra2, iad1, nrt1 *compose.Node) {
	s = compose.NewStorm()
	fra1, fra2 = &compose.Node{Name: compose.Fra1}, &compose.Node{Name: compose.Fra2}
	iad1, nrt1 = &compose.Node{Name: compose.Iad1}, &compose.Node{Name: compose.Nrt1}
	s.Have(&compose.Node{Name: compose.Consul}, fra1, fra2, iad1, nrt1)
	return s, fra1, fra2, iad1, nrt1
}

// TestDraw: what is drawn depends on seed and number alone, and everything is drawn.
func TestDraw(t *testing.T) {
	s, fra1, fra2, _, _ := people()
	n := len(s.Injections(fra1, fra2))
	seen, two := map[int]bool{}, 0
	const many = 400
	for i := range many {
		drawn := compose.Draw(21, i, n)
		if again := compose.Draw(21, i, n); again != drawn {
			t.Fatalf("fault %d is another each time", i)
		}
		if drawn == compose.Draw(21, i+1, n) {
			t.Errorf("faults %d and %d are %v, want two different ones", i, i+1, drawn)
		}
		if drawn == compose.Draw(22, i, n) {
			t.Errorf("fault %d is %v with seeds 21 and 22, want two different ones", i, drawn)
		}
		places := compose.Drawn(21, i, n)
		for _, place := range places {
			seen[place] = true
		}
		two += len(places) - 1
	}
	if len(seen) != n {
		t.Errorf("got %d injections drawn, want all %d", len(seen), n)
	}
	if two < many/5 || two > many/2 {
		t.Errorf("got %d of %d times two injections, want %d to %d", two, many, many/5, many/2)
	}
}

// TestInjections: a place is the same injection whoever is primary, but for whom it strikes.
func TestInjections(t *testing.T) {
	s, fra1, fra2, _, _ := people()
	one, other := s.Injections(fra1, fra2), s.Injections(fra2, fra1)
	if len(one) != len(other) {
		t.Fatalf("%d injections, or %d", len(one), len(other))
	}
	for i := range one {
		swapped := strings.NewReplacer("fra1", "fra2", "fra2", "fra1").Replace(one[i])
		if one[i] != other[i] && swapped != other[i] {
			t.Errorf("injection %d is %s, and %s with the nodes swapped, want %s", i, one[i], other[i], swapped)
		}
	}
	place := func(name string) int {
		i := slices.Index(one, name)
		if i < 0 {
			t.Fatalf("no %s in %q", name, one)
		}
		return i
	}
	kill, down := place("kill -9 of the container of fra1"), place("kill -9 of the containers of all nodes")
	consul := place("pause of consul")
	empty, cut := place("kill and an empty volume of fra2"), place("cut off from Consul of fra2")
	leader, restored := place("kill -9 of the leader of consul"), place("restored snapshot of consul")
	for _, c := range []struct{ first, second, strike int }{
		{kill, cut, 2}, {kill, kill, 1}, {kill, down, 1}, {down, kill, 1}, {consul, down, 2}, {down, consul, 2},
		{empty, kill, 2}, {empty, cut, 1},
		{kill, empty, 1}, // fra2 may be the only one by then
		{consul, empty, 1},
		{leader, kill, 2}, {kill, leader, 2}, {leader, consul, 1},
		{restored, kill, 1}, {kill, restored, 1}, // what is restored must be of the same term
	} {
		if n := s.Chosen(fra1, fra2, c.first, c.second); n != c.strike {
			t.Errorf("%s and %s: %d strike, want %d", one[c.first], one[c.second], n, c.strike)
		}
	}
}

// TestSurviving: what two injections leave is demanded of it, and nothing where they may leave
// nobody to lead.
func TestSurviving(t *testing.T) {
	s, fra1, fra2, _, _ := people()
	all := s.Injections(fra1, fra2) // fra1 is primary
	place := func(name string) int {
		i := slices.Index(all, name)
		if i < 0 {
			t.Fatalf("no %s in %q", name, all)
		}
		return i
	}
	for _, c := range []struct{ first, second, want string }{
		{"pause of nrt1", "kill -9 of the container of iad1", "fra1 fra2"},
		{"kill -9 of the container of fra1", "unplug of nrt1", "fra2 iad1"},
		{"SIGTERM of iad1", "cut off from all of fra1", "fra2 nrt1"},
		{"kill -9 of blog mount of fra2", "pause of iad1", "fra1 nrt1"},
		{"cut off from Consul of fra1", "cut off from all of nrt1", "fra2 iad1"},
		{"replication held of fra2", "kill -9 of blog serve of nrt1", "fra1 iad1"},
		{"kill and an empty volume of fra2", "SIGTERM of nrt1", "fra1 iad1"},
		{"cut off from the standby of fra1", "SIGTERM of nrt1", "iad1"}, // fra1 too, but for its own part
		{"cut off from the standby of fra1", "pause of fra2", ""},
		{"kill -9 of the container of fra1", "cut off from Consul of fra2", ""},
		{"kill -9 of blog serve of fra1", "kill -9 of blog serve of fra2", ""},
		{"full disk of fra1", "pause of nrt1", ""},
		{"pause of consul", "pause of nrt1", ""},
		{"kill -9 of the leader of consul", "kill -9 of the container of fra1", "fra2 iad1 nrt1"},
		{"cut off from all of the leader of consul", "pause of nrt1", "fra1 fra2 iad1"},
		{"kill -9 of the container of consul", "kill -9 of the containers of all nodes", ""},
	} {
		for _, order := range [][2]string{{c.first, c.second}, {c.second, c.first}} {
			if got := strings.Join(s.Surviving(fra1, fra2, place(order[0]), place(order[1])), " "); got != c.want {
				t.Errorf("%s and %s: %q survive, want %q", order[0], order[1], got, c.want)
			}
		}
	}
}

// TestBystanders: it is not undone before all others have acknowledged a write that was
// asked for since, and one was asked for on the node that is away.
func TestBystanders(t *testing.T) {
	s, fra1, fra2, iad1, nrt1 := people()
	ctx, end := context.WithCancel(t.Context())
	polled := make(chan struct{})
	go func() {
		defer close(polled)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			s.Roles.Note(fra1.Name, s.Ledger.Now(), true, nil)
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	defer func() { end(); <-polled }()
	ask := func(n *compose.Node, outcome compose.Outcome) {
		s.Ledger.End(s.Ledger.Begin(compose.Ask{Node: n.Name}), compose.Answer{Outcome: outcome})
	}
	for _, n := range []*compose.Node{fra1, fra2, iad1, nrt1} {
		ask(n, compose.OK) // before it
	}
	for name, asks := range map[string][]func(){
		"acknowledged last": {func() { ask(nrt1, compose.Unknown) }, func() { ask(fra1, compose.OK) },
			func() { ask(iad1, compose.OK) }, func() { ask(fra2, compose.Unknown) }, func() { ask(fra2, compose.OK) }},
		"attempted last": {func() { ask(fra1, compose.OK) }, func() { ask(iad1, compose.OK) },
			func() { ask(fra2, compose.OK) }, func() { ask(nrt1, compose.Unknown) }},
	} {
		struck, undone, asked := make(chan struct{}), make(chan struct{}), make(chan struct{})
		go func() {
			defer close(asked)
			<-struck
			for _, do := range asks {
				select {
				case <-undone:
					t.Errorf("%s: undone too early", name)
				case <-time.After(50 * time.Millisecond):
				}
				do()
			}
		}()
		s.Bystand(t, nrt1, true, func(context.Context) error { close(struck); return nil },
			func(context.Context) error { close(undone); return nil })
		<-asked
	}
}
