package repo_test

import (
	"errors"
	"slices"
	"testing"

	"blog/internal/repo"
)

// TestTextThatIsNotUTF8: encoding/json would put other characters in its place.
func TestTextThatIsNotUTF8(t *testing.T) {
	c := MustCluster(t)
	for name, r := range map[string]*repo.Repo{"primary": c.primary, "replica": c.replica} {
		_, receipt, err := repo.Do(operator(), r, put{Item: "a\xff", Topics: []string{"ok", "\xfe"}})
		var refused *repo.Error
		if !errors.As(err, &refused) || refused.Code != repo.Invalid || len(refused.Fields) != 2 || receipt.Seq != 0 {
			t.Errorf("%s: %v, %+v", name, err, receipt)
		}
	}
	if n := MustCount(t, c.primary, "SELECT COUNT(*) FROM writes"); n != 0 {
		t.Errorf("%d rows", n)
	}
	if _, err := repo.Write(operator(), c.primary, put{Item: "ä 日本", Topics: slices.Clip([]string{"ünï"})}); err != nil {
		t.Errorf("text that is: %v", err)
	}
}
