package upgrade_test

import (
	"encoding/json"
	"testing"

	"blog/internal/repo"
)

// TestReplicasFirst is the order to upgrade in: what the primary does not know yet is
// refused, whole, and lands when a newer node is primary.
func TestReplicasFirst(t *testing.T) {
	w := MustWorld(t)
	first, second, reader := w.Nodes[0], w.Nodes[1], w.Nodes[2]
	post := w.MustCall(t, reader, create("Older", ""), "older")
	w.upgrade(t, reader)
	w.upgrade(t, second)
	w.MustSet(t, "node1", "node2")
	if st := w.MustStatus(t, second); !st.Ready || st.Schema == st.SchemaWant || st.Reason == "" {
		t.Errorf("the newer release on the older schema: %+v", st)
	}

	before := w.MustStatus(t, first).Seq
	for key, call := range map[string]call{"mood": mood(post.ID, "calm"), "moody": create("Moody", "calm")} {
		_, err := w.call(t, reader, call, key)
		if e := repo.AsError(err); !repo.HasReason(err, repo.UnknownCommand) || e.Code != repo.Unavailable || e.RetryAfter == 0 {
			t.Errorf("%s at an older primary: %v", key, err)
		}
	}
	if after := w.MustStatus(t, first).Seq; after != before {
		t.Errorf("refused calls left %d rows", after-before)
	}
	if status := w.status(t, first.PublicURL+"/posts/moody"); status != 404 {
		t.Errorf("half a post: %d", status)
	}
	w.MustCall(t, reader, create("By the newer at the older", ""), "newer-older")

	w.upgrade(t, first) // the second takes over, and migrates
	w.MustLead(t, second)
	for key, call := range map[string]call{"mood": mood(post.ID, "calm"), "moody": create("Moody", "calm")} {
		w.MustCall(t, reader, call, key)
		if again := w.MustCall(t, first, call, key); !again.reply.Replayed {
			t.Errorf("%s was carried out twice", key)
		}
	}
	if n := w.MustCount(t, second, "SELECT COUNT(*) FROM moods WHERE mood = 'calm'"); n != 2 {
		t.Errorf("%d moods, want 2", n)
	}
	if st := w.MustStatus(t, second); !st.Ready || st.Schema != st.SchemaWant {
		t.Errorf("after the upgrade: %+v", st)
	}
	w.MustBeServed(t)
}

// TestPrimaryFirst is the other order: older nodes on the newer schema serve reads and
// their own commands, also as primary.
func TestPrimaryFirst(t *testing.T) {
	w := MustWorld(t)
	first, second, reader := w.Nodes[0], w.Nodes[1], w.Nodes[2]
	post := w.MustCall(t, first, create("Older", ""), "older")
	w.upgrade(t, first) // the second, still older, takes over
	w.MustLead(t, second)
	w.MustSet(t, "node1", "node2")
	w.restart(t, second) // and gives the lead back
	w.MustLead(t, first)
	w.MustSet(t, "node1", "node2")

	w.MustCall(t, reader, create("By the older at the newer", ""), "older-newer")
	w.MustCall(t, reader, mood(post.ID, "calm"), "mood") // by way of a node that does not know it
	if st := w.MustStatus(t, reader); !st.Ready || st.Schema <= st.SchemaWant {
		t.Errorf("the older release on the newer schema: %+v", st)
	}

	w.restart(t, first) // the older second leads again, on the newer schema
	w.MustLead(t, second)
	if st := w.MustStatus(t, second); !st.Ready || st.Schema <= st.SchemaWant {
		t.Errorf("the older release as primary on the newer schema: %+v", st)
	}
	w.MustCall(t, reader, create("By the older again", ""), "older-again")
	if _, err := w.call(t, first, mood(post.ID, "cross"), "cross"); !repo.HasReason(err, repo.UnknownCommand) {
		t.Errorf("a command that the older primary does not know: %v", err)
	}
	w.upgrade(t, second)
	w.upgrade(t, reader)
	w.MustLead(t, first)
	w.MustCall(t, reader, mood(post.ID, "cross"), "cross")
	if n := w.MustCount(t, reader, "SELECT COUNT(*) FROM moods WHERE mood = 'cross'"); n != 1 {
		t.Errorf("%d moods, want 1", n)
	}
	w.MustBeServed(t)
}

// call is a command as it travels.
type call struct {
	name string
	body map[string]any
}

func create(title, mood string) call {
	body := map[string]any{"title": title, "body": "Text.", "publish": true}
	if mood != "" {
		body["mood"] = mood
	}
	return call{"posts.create", body}
}

func mood(id int64, mood string) call {
	return call{"posts.mood", map[string]any{"id": id, "mood": mood}}
}

func (c call) wire(t *testing.T) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(c.body)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
