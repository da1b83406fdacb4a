package frontmatter

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// FirstYear and LastYear are the years that a date may have. A date outside of them is a typing error.
const (
	FirstYear = 1900
	LastYear  = 2199
)

// DateError says why a date is refused, and what to write instead.
type DateError struct{ Message, Hint string }

func (e *DateError) Error() string { return e.Message + "; " + e.Hint }

const howToWrite = "write 2024-05-01, 2024-05-01 10:30 or 2024-05-01T10:30:00+02:00"

// ParseDate parses a date as people write it, and returns it in UTC, in whole seconds. A day alone
// means its midnight in loc, and a time without a zone is in loc. It accepts
//
//	2024-05-01   2024/5/1   1 May 2024   May 1st, 2024   Wed, 1 May 2024
//
// each alone or followed by a time (10:30, 10:30:00.5, 9:05 pm) and a zone (Z, UTC, GMT, +02:00,
// +0200, +02, UTC+2, Europe/Berlin, [Europe/Berlin]). It refuses dates in figures with the year
// last, because 01/02/2024 can be two days, and abbreviations of zones, because CST can be three
// zones. After an offset, which determines the time, any name may follow: +0200 CEST.
func ParseDate(text string, loc *time.Location) (time.Time, *DateError) {
	s := strings.Join(strings.Fields(text), " ")
	year, month, day, remainder, err := parseDay(s)
	if err != nil {
		return time.Time{}, err
	}
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return time.Time{}, &DateError{fmt.Sprintf("there is no day %s", shorten(s)), howToWrite}
	}
	if year < FirstYear || year > LastYear {
		return time.Time{}, &DateError{
			fmt.Sprintf("the year %d is out of range", year), fmt.Sprintf("write a year from %d to %d", FirstYear, LastYear),
		}
	}
	clock, zone, err := parseClock(s, remainder)
	if err != nil {
		return time.Time{}, err
	}
	if zone != "" {
		if loc, err = parseZone(zone); err != nil {
			return time.Time{}, err
		}
	}
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, loc)
	if clock > 0 {
		secs := int(clock / time.Second)
		t = time.Date(year, time.Month(month), day, secs/3600, secs/60%60, secs%60, 0, loc)
	}
	return t.UTC(), nil
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// parseDay parses a day, and returns what follows it.
func parseDay(s string) (year, month, day int, remainder string, err *DateError) {
	if m := regexp.MustCompile(`^(\d{4})([-/.])(\d{1,2})([-/.])(\d{1,2})(?:[Tt ] ?(.*))?$`).
		FindStringSubmatch(s); m != nil && m[2] == m[4] {
		return number(m[1]), number(m[3]), number(m[5]), m[6], nil
	}
	const name = `([A-Za-z]{3,9})\.?`
	withoutWeekday := regexp.MustCompile(`(?i)^(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? )?(.*)$`).
		FindStringSubmatch(s)[1]
	if m := regexp.MustCompile(`(?i)^(\d{1,2})(?:st|nd|rd|th|\.)?(?: of)?[ -]` + name +
		`[ ,-] ?(\d{4})(?:,? (?:at )?(.*))?$`).FindStringSubmatch(withoutWeekday); m != nil {
		if mon := monthOf(m[2]); mon > 0 {
			return number(m[3]), mon, number(m[1]), m[4], nil
		}
	}
	if m := regexp.MustCompile(`(?i)^` + name + ` (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})(?:,? (?:at )?(.*))?$`).
		FindStringSubmatch(withoutWeekday); m != nil {
		if mon := monthOf(m[1]); mon > 0 {
			return number(m[3]), mon, number(m[2]), m[4], nil
		}
	}
	return 0, 0, 0, "", refuseDay(s)
}

// refuseDay returns the error for a day that cannot be parsed.
func refuseDay(s string) *DateError {
	if m := regexp.MustCompile(`^(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})\b`).FindStringSubmatch(s); m != nil {
		a, b, y := number(m[1]), number(m[2]), number(m[3])
		var ways []string
		for _, md := range [][2]int{{b, a}, {a, b}} {
			if md[0] >= 1 && md[0] <= 12 && md[1] >= 1 && md[1] <= daysIn(y, md[0]) {
				ways = append(ways, fmt.Sprintf("%04d-%02d-%02d (%d %s)", y, md[0], md[1], md[1], time.Month(md[0])))
			}
		}
		switch {
		case len(ways) == 2 && ways[0] != ways[1]:
			return &DateError{shorten(s) + " can be read as two days", "write " + ways[0] + " or " + ways[1]}
		case len(ways) > 0:
			return &DateError{shorten(s) + " has the year last", "write " + ways[0]}
		}
	}
	if m := regexp.MustCompile(`^(\d{4})(\d{2})(\d{2})$`).FindStringSubmatch(s); m != nil {
		return &DateError{shorten(s) + " is a number", fmt.Sprintf("write %s-%s-%s", m[1], m[2], m[3])}
	}
	return &DateError{shorten(s) + " is no date that can be read", howToWrite}
}

// parseClock parses a time of day, and returns it with the zone that follows. s is the whole text,
// for the message.
func parseClock(s, remainder string) (clock time.Duration, zone string, err *DateError) {
	if remainder == "" {
		return 0, "", nil
	}
	m := regexp.MustCompile(`(?i)^(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d{1,9})?)? ?(?:([ap])\.?m\b\.?)? ?(.*)$`).
		FindStringSubmatch(remainder)
	if m == nil {
		return 0, "", &DateError{"the time in " + shorten(s) + " cannot be read", howToWrite}
	}
	hour, minute, second := number(m[1]), number(m[2]), number(m[3])
	if m[4] != "" {
		if hour < 1 || hour > 12 {
			return 0, "", &DateError{"the time in " + shorten(s) + " does not exist", howToWrite}
		}
		hour %= 12
		if strings.EqualFold(m[4], "p") {
			hour += 12
		}
	}
	if hour > 23 || minute > 59 || second > 59 {
		return 0, "", &DateError{"the time in " + shorten(s) + " does not exist", "write a time from 00:00 to 23:59"}
	}
	return time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second, m[5], nil
}

// parseZone parses an offset or the name of a zone.
func parseZone(s string) (*time.Location, *DateError) {
	// RFC 9557 writes a name in brackets, possibly behind an offset, which then determines the
	// time.
	if offset, name, found := strings.Cut(strings.TrimSuffix(s, "]"), "["); found {
		if s = strings.TrimSpace(offset); s == "" {
			s = name
		}
	}
	if m := regexp.MustCompile(`^((?:UTC|GMT)?[+-]\d[\d:]*) (?:\(?[A-Za-z][A-Za-z0-9_+/-]*\)?|[+-]\d+)$`).
		FindStringSubmatch(s); m != nil {
		s = m[1] // Go, Ruby and e-mail write an offset with the zone's name
	}
	switch strings.ToUpper(s) {
	case "Z", "UTC", "GMT":
		return time.UTC, nil
	}
	if m := regexp.MustCompile(`^(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d{2}))?$`).FindStringSubmatch(s); m != nil {
		offset := number(m[2])*3600 + number(m[3])*60
		if offset > 14*3600 || number(m[3]) > 59 {
			return nil, &DateError{"the offset " + shorten(s) + " does not exist", "write one from -12:00 to +14:00"}
		}
		if m[1] == "-" {
			offset = -offset
		}
		return time.FixedZone("", offset), nil
	}
	// Names without a slash are abbreviations, and so is "Local".
	if regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z][A-Za-z0-9_+-]*){1,2}$`).MatchString(s) {
		if loc, err := time.LoadLocation(s); err == nil {
			return loc, nil
		}
	}
	return nil, &DateError{
		"the zone " + shorten(s) + " is unknown or means several",
		"write an offset such as +02:00, or a name such as Europe/Berlin",
	}
}

// monthOf returns the number of an English month, in full or shortened, or 0.
func monthOf(s string) int {
	s = strings.ToLower(s)
	if s == "sept" {
		return 9
	}
	for m := time.January; m <= time.December; m++ {
		full := strings.ToLower(m.String())
		if s == full || s == full[:3] {
			return int(m)
		}
	}
	return 0
}

// number returns the value of digits that an expression has matched, 0 without digits.
func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}
