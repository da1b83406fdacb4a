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

// Limits of a request for a socket.
const (
	maxTopics = 20
	maxTopic  = 512 // bytes; a label or slug in any script fits
)

// query is the content of a request for a socket.
type query struct {
	topics []string    // sorted, each once
	after  repo.Cursor // what the page shows
	now    bool        // without a cursor: from now on
	broken bool        // the cursor cannot be read
}

// parseQuery reads ?topics=a,b&after=CURSOR. Topics are separated by commas after percent-decoding, since no label and
// no slug has one, or the parameter is repeated. A cursor that cannot be read is no error: a page of another release
// would send it again for ever, while a resync makes the page fetch itself.
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

// checkTopic accepts posts, tag:LABEL and post:SLUG. It does not check that there is such a tag or post: a topic that
// does not exist is silent, exactly like that of a draft.
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
