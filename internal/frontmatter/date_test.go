package frontmatter_test

import (
	"strings"
	"testing"
	"time"

	"blog/internal/frontmatter"
)

func TestDatesAsPeopleWriteThem(t *testing.T) {
	berlin := MustLoad(t, "Europe/Berlin")
	for in, want := range map[string]string{
		"2024-05-01":                                 "2024-04-30T22:00:00Z",
		"2024-01-01":                                 "2023-12-31T23:00:00Z",
		"2024-5-1":                                   "2024-04-30T22:00:00Z",
		"2024/05/01":                                 "2024-04-30T22:00:00Z",
		"2024-05-01 10:30":                           "2024-05-01T08:30:00Z",
		"2024-05-01T10:30":                           "2024-05-01T08:30:00Z",
		"2024-05-01 10:30:15":                        "2024-05-01T08:30:15Z",
		"2024-05-01 10:30:00 +0200":                  "2024-05-01T08:30:00Z",
		"2024-05-01 10:30 -07:00":                    "2024-05-01T17:30:00Z",
		"2024-05-01T10:30:00Z":                       "2024-05-01T10:30:00Z",
		"2024-05-01t10:30:00z":                       "2024-05-01T10:30:00Z",
		"2024-05-01T10:30:00.123456789Z":             "2024-05-01T10:30:00Z",
		"2024-05-01T10:30:00+05:30":                  "2024-05-01T05:00:00Z",
		"2024-05-01T10:30+02":                        "2024-05-01T08:30:00Z",
		"2024-05-01 10:30 UTC":                       "2024-05-01T10:30:00Z",
		"2024-05-01 10:30 UTC+2":                     "2024-05-01T08:30:00Z",
		"2024-05-01 10:30 America/New_York":          "2024-05-01T14:30:00Z",
		"2024-12-01 10:30 Asia/Tokyo":                "2024-12-01T01:30:00Z",
		"2024-05-01T10:30:00+02:00[Europe/Berlin]":   "2024-05-01T08:30:00Z",
		"2024-05-01 10:30 [Asia/Kolkata]":            "2024-05-01T05:00:00Z",
		"2024-05-06 10:20:30 +0200 CEST":             "2024-05-06T08:20:30Z",
		"2024-05-06 10:20:30 +0000 UTC":              "2024-05-06T10:20:30Z",
		"2024-05-06 10:20:30 +0300 +03":              "2024-05-06T07:20:30Z",
		"2024-05-06 10:20:30 -07:00 America/Phoenix": "2024-05-06T17:20:30Z",
		"Mon, 6 May 2024 10:20:30 +0200 (CEST)":      "2024-05-06T08:20:30Z",
		"2024-05-01 9:05 pm":                         "2024-05-01T19:05:00Z",
		"2024-05-01 12:00 a.m.":                      "2024-04-30T22:00:00Z",
		"May 1, 2024":                                "2024-04-30T22:00:00Z",
		"may 1st 2024":                               "2024-04-30T22:00:00Z",
		"1 May 2024":                                 "2024-04-30T22:00:00Z",
		"1. May 2024":                                "2024-04-30T22:00:00Z",
		"1st of September, 2024 at 10:30":            "2024-09-01T08:30:00Z",
		"Sept. 3, 2024 10:30 UTC":                    "2024-09-03T10:30:00Z",
		"Wed, 01 May 2024 10:30:00 +0200":            "2024-05-01T08:30:00Z",
		"01-May-2024":                                "2024-04-30T22:00:00Z",
		"  2024-02-29   10:30  ":                     "2024-02-29T09:30:00Z",
		"2024-05-01 00:30 Etc/GMT+5":                 "2024-05-01T05:30:00Z",
		"1901-01-01 10:30Z":                          "1901-01-01T10:30:00Z",
		"2024-05-01 10:30 America/Argentina/Ushuaia": "2024-05-01T13:30:00Z",
	} {
		got, err := frontmatter.ParseDate(in, berlin)
		if err != nil {
			t.Errorf("%q: got the error %v, want %s", in, err, want)
		} else if got.Format(time.RFC3339Nano) != want {
			t.Errorf("%q: %s, want %s", in, got.Format(time.RFC3339Nano), want)
		}
	}
}

func TestDatesThatAreRefused(t *testing.T) {
	for in, want := range map[string]string{
		"01/02/2024":               "two days",
		"1.2.2024":                 "2024-02-01 (1 February) or 2024-01-02 (2 January)",
		"25/12/2024":               "write 2024-12-25 (25 December)",
		"12/25/2024":               "write 2024-12-25 (25 December)",
		"3/3/2024":                 "write 2024-03-03",
		"20240501":                 "write 2024-05-01",
		"1714550400":               "no date",
		"2024-02-30":               "no day",
		"2023-02-29":               "no day",
		"2024-13-01":               "no day",
		"0001-01-01":               "range",
		"1850-01-01":               "range",
		"2400-01-01":               "range",
		"2024-05-01 25:00":         "does not exist",
		"2024-05-01 10:60":         "does not exist",
		"2024-05-01 13:00 pm":      "does not exist",
		"2024-05-01 noon":          "time",
		"2024-05-01 10:30 CST":     "Europe/Berlin",
		"2024-05-01 10:30 Local":   "zone",
		"2024-05-01 10:30 ../x":    "zone",
		"2024-05-01 10:30 No/Such": "zone",
		"2024-05-01 10:30 +19:00":  "offset",
		"2024-05-01 10:30 +19 CET": "offset",
		"2024-05-01 10:30 CET +01": "zone",
		"2024-05/01":               "no date",
		"tomorrow":                 "write 2024-05-01",
		"May 2024":                 "no date",
		"1 Mayhem 2024":            "no date",
	} {
		if got, err := frontmatter.ParseDate(in, time.UTC); err == nil {
			t.Errorf("%q: got %s, want an error", in, got)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got the error %q, want %q in it", in, err, want)
		}
	}
}
