package compose_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"blog/test/compose"
)

// TestBeliefs: a log says when its node believed that it may acknowledge, and two nodes never do at one moment.
func TestBeliefs(t *testing.T) {
	boot := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	line := func(at float64, format string, args ...any) string {
		when := boot.Add(time.Duration(at * float64(time.Second)))
		return when.Format(time.RFC3339Nano) + " time=x level=INFO " + fmt.Sprintf(format, args...) + "\n"
	}
	may := func(at float64, term string) string {
		return line(at, `msg="this node may acknowledge" term=%s boot=%gs`, term, at)
	}
	no := func(at, since float64, term string) string {
		return line(at, `msg="this node may acknowledge no more" term=%s boot=%gs`, term, since)
	}
	done := func(at float64) string {
		return line(at, `msg=write command=posts.update role=primary took=1ms durability=two seq=9 replayed=false`)
	}
	forwarded := func(at float64) string {
		return line(at, `msg=write command=posts.update role=replica took=1ms durability=two seq=9 replayed=false`)
	}
	for name, c := range map[string]struct {
		a, b  []string
		wrong string
	}{
		"one after the other": {[]string{may(1, "x"), done(5), no(10, 10, "x")}, []string{may(11, "y")}, ""},
		"a stopped process says so late": {
			[]string{may(1, "x"), no(40, 10, "x"), done(41)},
			[]string{may(20, "y"), done(30)},
			"",
		},
		"a stopped process goes on": {
			[]string{may(1, "x"), no(40, 10, "x"), done(43)},
			nil,
			"acknowledges while it may not",
		},
		"a stopped process does not say so": {
			[]string{may(1, "x"), no(40, 40, "x")},
			[]string{may(20, "y"), no(50, 50, "y")},
			"fra1 (term x, 1s to 40s) and fra2 (term y, 20s to 50s) may both acknowledge for 20s",
		},
		"a term again after another's": {
			[]string{may(1, "x"), no(40, 10, "x"), may(60, "x"), no(70, 70, "x")},
			[]string{may(20, "y"), no(50, 50, "y")},
			"fra1 may acknowledge in term x again, although that of fra2 (y) began at 20s",
		},
		"killed": {
			[]string{may(1, "x"), done(10), may(50, "z"), no(60, 60, "z")},
			[]string{may(20, "y"), no(40, 40, "y")},
			"",
		},
		"asked elsewhere":     {[]string{may(1, "x"), no(10, 10, "x"), forwarded(30)}, []string{may(20, "y")}, ""},
		"a line that is late": {[]string{may(1, "x"), no(10, 10, "x"), done(11)}, nil, ""},
		"unsure, and sure again": {
			[]string{may(1, "x"), no(5, 3, "x"), may(6, "x"), no(10, 10, "x")},
			[]string{may(11, "y")},
			"",
		},
		"both": {
			[]string{may(1, "x"), no(15, 15, "x")},
			[]string{may(12, "y"), no(30, 30, "y")},
			"fra1 (term x, 1s to 15s) and fra2 (term y, 12s to 30s) may both acknowledge for 3s",
		},
		"both, and one is killed": {
			[]string{may(1, "x"), done(18)},
			[]string{may(12, "y"), no(30, 30, "y")},
			"may both acknowledge",
		},
		"acknowledged while it may not": {
			[]string{may(1, "x"), no(10, 10, "x"), done(20)},
			nil,
			"acknowledges while it may not",
		},
		"acknowledged, and it never might": {[]string{done(20)}, nil, "acknowledges while it may not"},
		"ends what did not begin":          {[]string{no(10, 10, "x")}, nil, "that it has not begun"},
		"a time that is none": {
			[]string{line(1, `msg="this node may acknowledge" term=x boot=soon`)},
			nil,
			"boot=soon",
		},
	} {
		a, wrong := compose.Beliefs("fra1", strings.Join(c.a, ""), boot)
		b, more := compose.Beliefs("fra2", strings.Join(c.b, ""), boot)
		err := compose.CheckBeliefs(append(a, b...))
		for _, w := range append(wrong, more...) {
			err = errors.Join(err, errors.New(w))
		}
		expect(t, name, err, c.wrong)
	}
}
