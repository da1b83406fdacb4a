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
		if !errors.As(err, &refused) {
			t.Fatalf("%s: got the %T %v, want an *apperr.Error", name, err, err)
		}
		expectCode(t, name, err, apperr.Invalid)
		if n := len(refused.Fields); n != 2 {
			t.Errorf("%s: got messages for %d fields, want 2: %v", name, n, err)
		}
		if receipt.Seq != 0 {
			t.Errorf("%s: got %+v, want no row", name, receipt)
		}
	}
	if n := MustCount(t, c.primary, "SELECT COUNT(*) FROM writes"); n != 0 {
		t.Errorf("%d rows, want 0", n)
	}
	text := put{Item: "ä 日本", Topics: slices.Clip([]string{"ünï"})}
	if _, err := repo.Write(operator(), c.primary, text); err != nil {
		t.Errorf("text that is: got %v, want no error", err)
	}
}
