package frontmatter

import (
	"slices"
	"strings"
)

// manner is how a key says who may read the post.
type manner uint8

const (
	_       manner = iota
	ifTrue         // private: true
	ifFalse        // published: false
	byWord         // status: draft
	byType         // type: draft, among many other types
	ifAny          // password: anything
)

// speech is what a key can say of who may read the post.
type speech struct {
	manner manner
	loud   bool // wherever it stands, in mappings of any name as well
	vague  bool // a value of another kind speaks of something else
	opens  bool // the contrary publishes a post that has no date
}

// speeches are the keys that say who may read a post, in the form of squash.
var speeches = map[string]speech{
	"draft": {ifTrue, true, false, true}, "isdraft": {ifTrue, true, false, true}, "drafts": {manner: ifTrue, vague: true},
	"private": {manner: ifTrue, loud: true}, "isprivate": {manner: ifTrue, loud: true},
	"hidden": {manner: ifTrue}, "ishidden": {manner: ifTrue}, "hide": {manner: ifTrue, vague: true},
	"unlisted": {manner: ifTrue, loud: true}, "isunlisted": {manner: ifTrue, loud: true},
	"unpublished": {manner: ifTrue, loud: true}, "isunpublished": {manner: ifTrue, loud: true},
	"unpublish": {manner: ifTrue, vague: true}, "nopublish": {manner: ifTrue, loud: true},
	"donotpublish": {manner: ifTrue, loud: true}, "dontpublish": {manner: ifTrue, loud: true},
	"notpublished": {manner: ifTrue, loud: true}, "protected": {manner: ifTrue, vague: true},
	"passwordprotected": {manner: ifTrue, loud: true}, "membersonly": {manner: ifTrue, loud: true},
	"memberonly": {manner: ifTrue, loud: true}, "subscribersonly": {manner: ifTrue, loud: true},
	"subscriberonly": {manner: ifTrue, loud: true}, "paidonly": {manner: ifTrue, loud: true},
	"paywall": {manner: ifTrue, vague: true}, "premium": {manner: ifTrue, vague: true},
	"paid": {manner: ifTrue, vague: true}, "confidential": {manner: ifTrue, loud: true},
	"secret": {manner: ifTrue, vague: true}, "internal": {manner: ifTrue, vague: true},
	"restricted": {manner: ifTrue, vague: true}, "wip": {manner: ifTrue, vague: true},
	"workinprogress": {manner: ifTrue, vague: true}, "embargo": {manner: ifTrue}, "embargoed": {manner: ifTrue},
	"trash": {manner: ifTrue, vague: true}, "trashed": {manner: ifTrue}, "deleted": {manner: ifTrue, vague: true},
	"headless": {manner: ifTrue, vague: true}, "skip": {manner: ifTrue, vague: true},
	"ignore": {manner: ifTrue, vague: true}, "exclude": {manner: ifTrue, vague: true},
	"disabled": {manner: ifTrue, vague: true}, "invisible": {manner: ifTrue, vague: true},
	"eleventyexcludefromcollections": {manner: ifTrue, loud: true}, "excludefromcollections": {manner: ifTrue, loud: true},
	"encrypt": {manner: ifTrue, loud: true}, "encrypted": {manner: ifTrue, loud: true},
	"nonpublic": {manner: ifTrue, loud: true}, "notpublic": {manner: ifTrue, loud: true},
	"notlisted": {manner: ifTrue, loud: true}, "notvisible": {manner: ifTrue, loud: true},
	"loginrequired": {manner: ifTrue, vague: true}, "requirelogin": {manner: ifTrue, vague: true},
	"requireslogin": {manner: ifTrue, vague: true}, "authrequired": {manner: ifTrue, vague: true},
	"requireauth": {manner: ifTrue, vague: true}, "requiresauth": {manner: ifTrue, vague: true},
	"gated": {manner: ifTrue, vague: true}, "locked": {manner: ifTrue, vague: true},
	"paywalled": {manner: ifTrue, vague: true}, "archived": {manner: ifTrue, vague: true},

	"published": {ifFalse, true, false, true}, "ispublished": {ifFalse, true, false, true},
	"publish": {ifFalse, true, false, true}, "dgpublish": {ifFalse, true, false, true},
	"public": {manner: ifFalse, loud: true}, "ispublic": {manner: ifFalse, loud: true},
	"visible": {manner: ifFalse}, "isvisible": {manner: ifFalse}, "listed": {manner: ifFalse},
	"islisted": {manner: ifFalse}, "live": {manner: ifFalse, vague: true}, "islive": {manner: ifFalse},
	"released": {manner: ifFalse, vague: true}, "show": {manner: ifFalse, vague: true},
	"display": {manner: ifFalse, vague: true}, "enabled": {manner: ifFalse, vague: true},
	"enable": {manner: ifFalse, vague: true}, "active": {manner: ifFalse, vague: true},
	"online": {manner: ifFalse, vague: true}, "permalink": {manner: ifFalse, vague: true},
	"output": {manner: ifFalse, vague: true}, "render": {manner: byWord, vague: true},

	"status": {manner: byWord, opens: true}, "state": {manner: byWord, opens: true},
	"poststatus": {manner: byWord, loud: true, opens: true}, "pagestatus": {manner: byWord, loud: true, opens: true},
	"articlestatus": {manner: byWord, loud: true, opens: true}, "poststate": {manner: byWord, loud: true, opens: true},
	"publishstatus":     {manner: byWord, loud: true, opens: true},
	"publishedstatus":   {manner: byWord, loud: true, opens: true},
	"publicationstatus": {manner: byWord, loud: true, opens: true},
	"publishstate":      {manner: byWord, loud: true, opens: true}, "workflow": {manner: byWord, vague: true},
	"workflowstate": {manner: byWord, opens: true}, "stage": {manner: byWord, vague: true},
	"visibility": {manner: byWord, loud: true}, "privacy": {manner: byWord}, "access": {manner: byWord},
	"accesslevel": {manner: byWord}, "audience": {manner: byWord}, "type": {manner: byType},
	"posttype": {manner: byType}, "layout": {manner: byType}, "kind": {manner: byType},
	"visibleto": {manner: byWord}, "viewableby": {manner: byWord}, "readableby": {manner: byWord},
	"restrictto": {manner: byWord}, "restrictedto": {manner: byWord}, "limitedto": {manner: byWord},
	"sharedwith": {manner: byWord}, "tier": {manner: byWord, vague: true}, "membership": {manner: byWord, vague: true},
	"visibilitylevel": {manner: byWord}, "privacylevel": {manner: byWord},
	"membershiplevel": {manner: byWord, vague: true},

	"password": {manner: ifAny, loud: true}, "passwd": {manner: ifAny, loud: true},
	"passphrase":   {manner: ifAny, loud: true},
	"postpassword": {manner: ifAny, loud: true}, "pagepassword": {manner: ifAny, loud: true},
	"passwordhash": {manner: ifAny, loud: true}, "tiers": {manner: ifAny},
	"allowedroles": {manner: ifAny}, "allowedusers": {manner: ifAny}, "allowedgroups": {manner: ifAny},
}

// states are the words of byWord, in the form of squash.
var states = verdicts(map[verdict]string{
	public: "published publish live released release posted",
	silent: "public final finished done complete completed everyone everybody all anyone world open visible online " +
		"active listed shown always yes",
	awaited: "scheduled future queued",
	private: "draft drafts unpublished notpublished nopublish private hidden unlisted invisible member members " +
		"membersonly paid tier tiers subscriber subscribers subscribersonly premium patrons supporters friends followers " +
		"restricted internal limited confidential secret password protected passwordprotected pending pendingreview review " +
		"inreview underreview submitted rejected withdrawn embargoed trash trashed deleted removed archived archive " +
		"expired wip workinprogress inprogress progress todo idea ideas planned autodraft nobody none me onlyme self never " +
		"link off offline inactive disabled local team staff admin admins users registered loggedin authenticated sent " +
		"unreleased onhold suspended blocked quarantined no",
})

func verdicts(texts map[verdict]string) map[string]verdict {
	out := map[string]verdict{}
	for v, text := range texts {
		for _, w := range strings.Fields(text) {
			out[w] = v
		}
	}
	return out
}

// speechOf finds what a key, in the form of squash, can say. Besides those of the table there are keys that
// name the post as well (isPagePrivate, draft_post), those by whom alone it is read (patrons_only), and those with a
// word of restricting in them (restrict_access). Of these a value of another kind speaks of something else.
func speechOf(key string) (speech, bool) {
	if s, found := speeches[key]; found || len(key) >= longKey {
		return s, found
	}
	if who, found := strings.CutSuffix(key, "only"); found && slices.Contains(strings.Fields("member paid premium "+
		"subscriber patron supporter friend follower private internal staff team admin user registereduser sponsor "+
		"customer employee author loggedin authenticated registered me self email draft preview"),
		strings.TrimSuffix(who, "s")) {
		return speech{manner: ifTrue, vague: true}, true
	}
	const nouns = "post page article entry note blog content"
	for _, noun := range strings.Fields("is " + nouns) {
		if base, found := strings.CutPrefix(key, noun); found && base != "" {
			if s, known := speechOf(base); known {
				s.vague = true
				return s, true
			}
		}
	}
	for _, noun := range strings.Fields(nouns + " flag mode") {
		base, _ := strings.CutSuffix(key, noun)
		if s, known := speeches[base]; known && base != key && !s.vague && s.manner <= ifFalse {
			s.vague = true
			return s, true
		}
	}
	if contains(key, restricting) {
		return speech{manner: ifTrue, vague: true}, true
	}
	return speech{}, false
}
