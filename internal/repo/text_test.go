package repo_test

import (
	"errors"
	"slices"
	"testing"

	"blog/internal/apperr"
	"blog/internal/repo"
)

// TestTextThatIsNotUTF8: encoding/json would replace it by other characters.
func TestTextThatIsNotUTF8(t *testing.T) {
	c := MustCluster(t)
	for name, r := range map[string]*repo.Repo{"primary": c.primary, "replica": c.replica} {
		_, receipt, err := repo.Do(operator(), r, put{Item: "a\xff", Topics: []string{"ok", "\xfe"}})
		var refused *apperr.Error
		if !errors.As(err, &refused) || refused.Code != apperr.Invalid || len(refused.Fields) != 2 || receipt.Seq != 0 {
			t.Errorf("%s: %v, %+v, want %v of two fields, and no row", name, err, receipt, apperr.Invalid)
		}
	}
	if n := MustCount(t, c.primary, "SELECT COUNT(*) FROM writes"); n != 0 {
		t.Errorf("%d rows, want 0", n)
	}
	text := put{Item: "ä 日本", Topics: slices.Clip([]string{"ünï"})}
	if _, err := repo.Write(operator(), c.primary, text); err != nil {
		t.Errorf("text that is: %v", err)
	}
}
