package live

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"blog/internal/repo"
)

// Bounds of a request for a socket.
const (
	maxTopics = 20
	maxTopic  = 512 // bytes; a label or slug in any script fits
)

// query is what a request for a socket asks.
type query struct {
	topics []string    // sorted, each once
	after  repo.Cursor // what the page shows
	now    bool        // no cursor: from now on
	broken bool        // a cursor that nobody here has issued
}

// parseQuery reads ?topics=a,b&after=CURSOR. Topics are separated by commas
// after percent-decoding (no label and no slug has one), or given repeatedly. A
// cursor that cannot be read is not refused: a page of another release would ask
// again for ever, while a resync heals it.
func parseQuery(v url.Values) (query, error) {
	var q query
	for _, list := range v["topics"] {
		for topic := range strings.SplitSeq(list, ",") {
			if err := checkTopic(topic); err != nil {
				return q, err
			}
			q.topics = append(q.topics, strings.Clone(topic)) // not the whole request line
			if len(q.topics) > maxTopics {
				return q, fmt.Errorf("at most %d topics", maxTopics)
			}
		}
	}
	if len(q.topics) == 0 {
		return q, fmt.Errorf("topics is missing: name what to follow, such as ?topics=posts")
	}
	slices.Sort(q.topics)
	q.topics = slices.Compact(q.topics)
	if q.now = v.Get("after") == ""; !q.now {
		c, err := repo.ParseCursor(v.Get("after"))
		q.after, q.broken = c, err != nil
	}
	return q, nil
}

// checkTopic accepts posts, tag:LABEL and post:SLUG. Whether there is such a
// tag or post is nobody's business here: a topic that does not exist is silent,
// exactly as that of a draft.
func checkTopic(topic string) error {
	if topic == "posts" {
		return nil
	}
	kind, name, _ := strings.Cut(topic, ":")
	switch {
	case kind != "tag" && kind != "post", name == "":
		return fmt.Errorf("no such topic: %.80q", topic)
	case len(topic) > maxTopic:
		return fmt.Errorf("a topic has at most %d bytes", maxTopic)
	case !utf8.ValidString(topic), strings.ContainsFunc(topic, unicode.IsControl):
		return fmt.Errorf("not a topic: %.80q", topic)
	}
	return nil
}
