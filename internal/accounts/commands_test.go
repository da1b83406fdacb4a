package accounts_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"blog/internal/accounts"
	"blog/internal/apperr"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// run carries out one command and returns its result.
type run func(ctx context.Context, w repo.Writer) (any, error)

func cmd[R any](c repo.Command[R]) (string, run) {
	return c.Name(), func(ctx context.Context, w repo.Writer) (any, error) { return repo.Write(ctx, w, c) }
}

// Well-formed hashes.
const (
	phc   = "$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	phc2  = "$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"
	phc3  = "$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	plain = "not hashed"
)

func hashOf(token string) string { return accounts.HashToken(token) }

type commandCase struct {
	title  string
	actor  repo.Actor
	before []run // make the state, as the operator or the system
	name   string
	run    run
	code   apperr.Code // "" when the command succeeds
	fields []string
}

func operator() repo.Actor { return repo.Actor{Name: repo.Operator} }
func system() repo.Actor   { return repo.Actor{Name: repo.System} }
func visitor() repo.Actor  { return repo.Actor{Name: repo.Visitor} }
func ada() repo.Actor      { return repo.Actor{Name: "user:1", Session: hashOf("one")} }

func by[R any](a repo.Actor, c repo.Command[R]) run {
	return func(ctx context.Context, w repo.Writer) (any, error) { return repo.Write(repo.As(ctx, a), w, c) }
}

func offered() []run {
	return []run{by[accounts.Done](system(), accounts.OfferSetup{TokenHash: hashOf("link")})}
}

func withAda() []run {
	return []run{by[accounts.UserRef](operator(), accounts.Create{Email: email, FullName: "Ada", PasswordHash: phc})}
}

// signedIn returns the runs that make ada and two sessions of hers.
func signedIn() []run {
	return append(withAda(),
		by[accounts.SessionRef](visitor(), accounts.Login{UserID: 1, Revision: 1, SessionHash: hashOf("one")}),
		by[accounts.SessionRef](visitor(), accounts.Login{UserID: 1, Revision: 1, SessionHash: hashOf("two")}))
}

func add[R any](
	list *[]commandCase, title string, actor repo.Actor, before []run, c repo.Command[R], code apperr.Code,
	fields ...string,
) {
	name, r := cmd(c)
	*list = append(*list, commandCase{
		title: title, actor: actor, before: before, name: name, run: r, code: code, fields: fields,
	})
}

func cases() []commandCase {
	var l []commandCase
	offerCases(&l)
	setupCases(&l)
	createCases(&l)
	loginCases(&l)
	confirmCases(&l)
	renewCases(&l)
	logoutCases(&l)
	passwordCases(&l)
	return l
}

func offerCases(l *[]commandCase) {
	offer := accounts.OfferSetup{TokenHash: hashOf("new link")}
	add(l, "offer", system(), nil, offer, "")
	add(l, "offer again", system(), offered(), offer, "")
	add(l, "offer by operator", operator(), nil, offer, apperr.Forbidden)
	add(l, "offer of a plain token", system(), nil, accounts.OfferSetup{TokenHash: plain}, apperr.Invalid, "token_hash")
	add(l, "offer too late", system(), withAda(), offer, apperr.Conflict)
}

func setupCases(l *[]commandCase) {
	first := accounts.Setup{
		TokenHash: hashOf("link"), Email: " Ada@Example.org", FullName: "  Ada   L. ", PasswordHash: phc,
		SessionHash: hashOf("s"), UserAgent: "Lynx",
	}
	add(l, "setup", visitor(), offered(), first, "")
	add(l, "setup without an offer", visitor(), nil, first, apperr.Invalid, "token")
	late := first
	late.TokenHash = hashOf("older link")
	add(l, "setup by an older link", visitor(), offered(), late, apperr.Invalid, "token")
	add(l, "setup with an author", visitor(), append(offered(), withAda()...), first, apperr.Conflict)
	bad := accounts.Setup{
		TokenHash: hashOf("link"), Email: "ada", FullName: "\u202eAda", PasswordHash: plain, SessionHash: hashOf("s"),
	}
	add(l, "setup with bad fields", visitor(), offered(), bad, apperr.Invalid, "email", "name", "password_hash")
	late = first
	late.SessionHash = plain
	add(l, "setup with a plain session", visitor(), offered(), late, apperr.Invalid, "session_hash")
}

func createCases(l *[]commandCase) {
	add(l, "create", operator(), withAda(), bob(), "")
	add(l, "create by a user", ada(), signedIn(), bob(), apperr.Forbidden)
	add(l, "create by a visitor", visitor(), nil, bob(), apperr.Unauthorized)
	add(l, "create twice", operator(), withAda(), accounts.Create{
		Email: "ADA@example.org", FullName: "Ada", PasswordHash: phc,
	}, apperr.Invalid, "email")
	add(l, "create of nothing", operator(), nil, accounts.Create{}, apperr.Invalid, "email", "name", "password_hash")
}

func loginCases(l *[]commandCase) {
	add(l, "login", visitor(), withAda(), accounts.Login{
		UserID: 1, Revision: 1, SessionHash: hashOf("s"), UserAgent: strings.Repeat("é", 300),
	}, "")
	add(l, "login in place of a session", visitor(), signedIn(), accounts.Login{
		UserID: 1, Revision: 1, SessionHash: hashOf("s"), Replaces: hashOf("one"), Rehash: phc2,
	}, "")
	add(l, "login with an old password", visitor(), withAda(), accounts.Login{
		UserID: 1, Revision: 2, SessionHash: hashOf("s"),
	}, apperr.Unauthorized)
	add(l, "login of nobody", visitor(), withAda(), accounts.Login{
		UserID: 7, Revision: 1, SessionHash: hashOf("s"),
	}, apperr.Unauthorized)
	add(l, "login with a plain token", visitor(), withAda(), accounts.Login{
		UserID: 1, Revision: 1, SessionHash: plain,
	}, apperr.Invalid, "session_hash")
}

func confirmCases(l *[]commandCase) {
	add(l, "confirm", visitor(), withAda(), accounts.Confirm{}, "")
	add(l, "confirm without a session", ada(), withAda(), accounts.Confirm{}, apperr.Unauthorized)
}

func renewCases(l *[]commandCase) {
	add(l, "renew", ada(), signedIn(), accounts.Renew{SessionHash: hashOf("s")}, "")
	add(l, "renew without a session", ada(), withAda(), accounts.Renew{SessionHash: hashOf("s")}, apperr.Unauthorized)
	add(l, "renew by the operator", operator(), withAda(), accounts.Renew{SessionHash: hashOf("s")}, apperr.Unauthorized)
	other := repo.Actor{Name: "user:2", Session: hashOf("one")}
	add(l, "renew of another's session", other, append(signedIn(), by[accounts.UserRef](operator(), bob())),
		accounts.Renew{SessionHash: hashOf("s")}, apperr.Unauthorized)
}

func logoutCases(l *[]commandCase) {
	add(l, "log out", ada(), signedIn(), accounts.Logout{}, "")
	add(l, "log out of nothing", repo.Actor{Name: "user:1"}, signedIn(), accounts.Logout{}, apperr.Unauthorized)
	add(l, "log out everywhere", ada(), signedIn(), accounts.LogoutAll{}, "")
	add(l, "log out by the operator", operator(), signedIn(), accounts.LogoutAll{Email: "Ada@example.org"}, "")
	add(l, "log out of somebody else", ada(), signedIn(), accounts.LogoutAll{Email: email}, apperr.Forbidden)
	add(l, "log out of nobody", operator(), signedIn(), accounts.LogoutAll{Email: "eve@example.org"}, apperr.NotFound)
}

func passwordCases(l *[]commandCase) {
	add(l, "password", ada(), signedIn(), accounts.SetPassword{
		Revision: 1, PasswordHash: phc2, SessionHash: hashOf("s"),
	}, "")
	add(l, "password against an old one", ada(), signedIn(), accounts.SetPassword{
		Revision: 0, PasswordHash: phc2,
	}, apperr.Invalid, "current")
	add(l, "password in plain", ada(), signedIn(), accounts.SetPassword{
		Revision: 1, PasswordHash: plain,
	}, apperr.Invalid, "password_hash")
	add(l, "password by the operator", operator(), signedIn(), accounts.SetPassword{Email: email, PasswordHash: phc3}, "")
	add(l, "password of nobody", operator(), nil, accounts.SetPassword{Email: email, PasswordHash: phc3}, apperr.NotFound)
	add(l, "password by the system", system(), signedIn(), accounts.SetPassword{
		Email: email, PasswordHash: phc3,
	}, apperr.Forbidden)
}

func bob() accounts.Create {
	return accounts.Create{Email: "bob@example.org", FullName: "Bob", PasswordHash: phc}
}

// outcome is what the caller of a run gets, and what the run left in the tables.
type outcome struct {
	result any
	err    string
	dump   string
}

func carryOut(t *testing.T, c commandCase, forwarded bool, now time.Time) outcome {
	t.Helper()
	w := mustWorld(t)
	w.clock.Set(now)
	for _, b := range c.before {
		if _, err := b(t.Context(), w.primary); err != nil {
			t.Fatal(err)
		}
	}
	r := w.primary
	if forwarded {
		r = w.replica
	}
	var o outcome
	result, err := c.run(repo.As(t.Context(), c.actor), r)
	if err == nil {
		o.result = result
	} else {
		if e := apperr.From(err); e.Code != c.code {
			t.Errorf("got %v, want the code %q", err, c.code)
		} else if c.code == apperr.Invalid {
			repotest.WantFields(t, err, c.fields...)
		}
		wire, _ := json.Marshal(apperr.From(err))
		o.err = string(wire)
	}
	if (c.code == "") != (err == nil) {
		t.Errorf("got error %v, want the code %q", err, c.code)
	}
	o.dump = mustDump(t, r)
	return o
}

func TestLocalAndForwardedAreEqual(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Truncate(time.Second)
	for _, c := range cases() {
		t.Run(c.title, func(t *testing.T) {
			t.Parallel()
			local, forwarded := carryOut(t, c, false, now), carryOut(t, c, true, now)
			if diff := cmp.Diff(local, forwarded, cmp.AllowUnexported(outcome{})); diff != "" {
				t.Errorf("(-here +forwarded):\n%s", diff)
			}
		})
	}
}

func TestEveryCommandIsInTheTable(t *testing.T) {
	t.Parallel()
	done, refused := map[string]bool{}, map[string]bool{}
	for _, c := range cases() {
		if c.code == "" {
			done[c.name] = true
		} else {
			refused[c.name] = true
		}
	}
	names := repotest.MustRegistry(t, accounts.Commands()).Names()
	slices.Sort(names)
	for _, n := range names {
		if !done[n] {
			t.Errorf("%s: no case carries it out, want one; these are: %v", n, done)
		}
		if !refused[n] {
			t.Errorf("%s: no case has it refused, want one; these are: %v", n, refused)
		}
	}
}
