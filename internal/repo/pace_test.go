package repo_test

import (
	"slices"
	"testing"
	"time"

	"blog/internal/repo"
)

// TestPace: the bounds of a batch are those of a machine that is quick, and grow with what a slower one takes, but not
// with a few slow commands.
func TestPace(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		commit            time.Duration
		applies           []time.Duration
		admission, shared time.Duration
	}{
		"new":                {0, nil, 50 * ms, 100 * ms},
		"quick":              {50 * ms, []time.Duration{ms, 2 * ms, 50 * ms}, 50 * ms, 100 * ms},
		"a slow COMMIT":      {400 * ms, []time.Duration{ms}, 400 * ms, 100 * ms},
		"a slow Apply":       {0, []time.Duration{ms, ms, 9 * time.Second}, 50 * ms, 100 * ms},
		"all are slow":       {0, []time.Duration{300 * ms, 200 * ms, 400 * ms}, 50 * ms, 600 * ms},
		"all are very slow":  {time.Minute, []time.Duration{time.Minute}, 1050 * ms, time.Second},
		"slow is long ago":   {0, slices.Concat(many(20, time.Second), many(9, ms)), 50 * ms, 100 * ms},
		"slow since a while": {0, slices.Concat(many(20, ms), many(5, 200*ms)), 50 * ms, 400 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			admission, shared := repo.Pace(c.commit, c.applies...)
			if admission != c.admission {
				t.Errorf("a batch admits calls for %s, want %s", admission, c.admission)
			}
			if shared != c.shared {
				t.Errorf("an Apply may run for %s, want %s", shared, c.shared)
			}
		})
	}
}

// many is n times d.
func many(n int, d time.Duration) []time.Duration { return slices.Repeat([]time.Duration{d}, n) }
