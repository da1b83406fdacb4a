package compose

import (
	"fmt"
	"time"
)

// CheckKeys checks the answers about keys that were used for more than one content. The key belongs
// to the first content that is carried out. The refusal of another content has to be true at one
// moment of its ask, so an ask for content that may have the key must have begun. After a write is
// done, an ask for other content under its key gets no other answer. A temporary refusal or an
// unknown outcome says nothing.
func CheckKeys(asks []Ask) error {
	var wrong []string
	byKey := map[string][]Ask{}
	for _, a := range asks {
		byKey[a.Key] = append(byKey[a.Key], a)
	}
	for key, all := range byKey {
		for _, a := range all {
			since, may := never, false // since when another content has the key, and whether it may have it
			for _, o := range all {
				if o.Variant == a.Variant {
					continue
				}
				may = may || o.Start < a.End && (o.Outcome == Unknown || o.Outcome == Pending || changed(o))
				if changed(o) {
					since = min(since, o.End)
				}
			}
			switch executed := changed(a) || judged(a); {
			case a.Outcome == KeyUsed && !may:
				wrong = append(wrong, fmt.Sprintf("key %s is refused as used (%s), and nothing else can have it", key, at(a)))
			case executed && a.Start > since, changed(a) && since != never:
				wrong = append(wrong, fmt.Sprintf("key %s is told as %s (%s), and another content has it since %s", key,
					a.Outcome, at(a), since.Round(time.Millisecond)))
			}
		}
	}
	return problems("keys", wrong)
}
