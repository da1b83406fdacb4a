package frontmatter

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// expires reads the time after which the post is no longer for everybody: the earliest that the file names.
func (p *parser) expires(it item) {
	k := squash(it.key)
	switch k {
	case "expirydate", "expires", "expiry", "expireson", "expiresat", "expirationdate", "expire", "unpublishdate",
		"unpublishon", "unpublishat", "validuntil", "visibleuntil", "publishuntil", "publishto", "hideafter":
	default:
		if !expiryKey.MatchString(k) || !startsWithDigit(it.value.text) {
			return
		}
	}
	f := &p.file
	p.heard[it.key] = true
	text := p.text(it)
	yes, isTruth := it.value.truth()
	switch {
	case text == "", strings.EqualFold(text, "never"), strings.EqualFold(text, "none"), isTruth && !yes:
		return
	case len(text) > 4 && text[:4] > fmt.Sprint(LastYear) && strings.Trim(text[:4], "0123456789") == "":
		return // never
	}
	t, err := ParseDate(text, f.loc)
	if err != nil {
		p.fail(it.line, it.key, err.Message, err.Hint)
		return
	}
	if f.Expires == nil || t.Before(*f.Expires) {
		f.Expires, f.expiry = &t, it
	}
}

// expiryKey matches further keys, in the form of squash, after whose date a post is not for everybody any more.
var expiryKey = regexp.MustCompile(`^(?:post|page|article|entry|note|auto)?(?:` +
	`(?:expir(?:e|es|ed|y|ing|ation)|unpublish(?:ed|ing)?|delet(?:e|ed)|remov(?:e|ed)|trash(?:ed)?|takedown|` +
	`withdrawn?|retract(?:ed)?)(?:date|datetime|time|on|at|after|by)` +
	`|(?:valid|visible|publish(?:ed)?|public|available|show|display|live|listed|online|active)` +
	`(?:until|till|through|thru|end|enddate))$`)

// Expired says what is to be told of the time after which the post is no longer for everybody.
// ok is false where the file names none.
func (f File) Expired(now time.Time) (p Problem, ok bool) {
	if f.Expires == nil {
		return p, false
	}
	p = Problem{File: f.Name, Line: f.expiry.line, Field: f.expiry.key, Warning: true, Kind: Private}
	if !f.Expires.After(now) {
		p.Message = fmt.Sprintf("%s has passed, so the post is a draft", f.Expires.Format(time.RFC3339))
		return p, true
	}
	p.Message = fmt.Sprintf("the post stays for everybody after %s", f.Expires.Format(time.RFC3339))
	p.Hint = "import it again then, or unpublish it"
	return p, true
}
