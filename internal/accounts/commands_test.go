package accounts_test

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"blog/internal/accounts"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// run carries out one command and returns its result.
type run func(ctx context.Context, w repo.Writer) (any, error)

func cmd[R any](c repo.Command[R]) (string, run) {
	return c.Name(), func(ctx context.Context, w repo.Writer) (any, error) { return repo.Write(ctx, w, c) }
}

// hashes that are well formed.
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
	before []run // makes the state, as the operator or the system
	name   string
	run    run
	code   repo.Code // "" when it is carried out
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

// signedIn has ada with two sessions.
func signedIn() []run {
	return append(withAda(),
		by[accounts.SessionRef](visitor(), accounts.Login{UserID: 1, Revision: 1, SessionHash: hashOf("one")}),
		by[accounts.SessionRef](visitor(), accounts.Login{UserID: 1, Revision: 1, SessionHash: hashOf("two")}))
}

func add[R any](list *[]commandCase, title string, actor repo.Actor, before []run, c repo.Command[R], code repo.Code, fields ...string) {
	name, r := cmd(c)
	*list = append(*list, commandCase{title: title, actor: actor, before: before, name: name, run: r, code: code, fields: fields})
}

func cases() []commandCase {
	var l []commandCase
	offer := accounts.OfferSetup{TokenHash: hashOf("new link")}
	add(&l, "offer", system(), nil, offer, "")
	add(&l, "offer again", system(), offered(), offer, "")
	add(&l, "offer by operator", operator(), nil, offer, repo.Forbidden)
	add(&l, "offer of a plain token", system(), nil, accounts.OfferSetup{TokenHash: plain}, repo.Invalid, "token_hash")
	add(&l, "offer too late", system(), withAda(), offer, repo.Conflict)

	first := accounts.Setup{TokenHash: hashOf("link"), Email: " Ada@Example.org", FullName: "  Ada   L. ", PasswordHash: phc, SessionHash: hashOf("s"), UserAgent: "Lynx"}
	add(&l, "setup", visitor(), offered(), first, "")
	add(&l, "setup without an offer", visitor(), nil, first, repo.Invalid, "token")
	late := first
	late.TokenHash = hashOf("older link")
	add(&l, "setup by an older link", visitor(), offered(), late, repo.Invalid, "token")
	add(&l, "setup with an author", visitor(), append(offered(), withAda()...), first, repo.Conflict)
	bad := accounts.Setup{TokenHash: hashOf("link"), Email: "ada", FullName: "\u202eAda", PasswordHash: plain, SessionHash: hashOf("s")}
	add(&l, "setup with bad fields", visitor(), offered(), bad, repo.Invalid, "email", "name", "password_hash")
	late = first
	late.SessionHash = plain
	add(&l, "setup with a plain session", visitor(), offered(), late, repo.Invalid, "session_hash")

	create := accounts.Create{Email: "bob@example.org", FullName: "Bob", PasswordHash: phc}
	add(&l, "create", operator(), withAda(), create, "")
	add(&l, "create by a user", ada(), signedIn(), create, repo.Forbidden)
	add(&l, "create by a visitor", visitor(), nil, create, repo.Unauthorized)
	add(&l, "create twice", operator(), withAda(), accounts.Create{Email: "ADA@example.org", FullName: "Ada", PasswordHash: phc}, repo.Invalid, "email")
	add(&l, "create of nothing", operator(), nil, accounts.Create{}, repo.Invalid, "email", "name", "password_hash")

	add(&l, "login", visitor(), withAda(), accounts.Login{UserID: 1, Revision: 1, SessionHash: hashOf("s"), UserAgent: strings.Repeat("é", 300)}, "")
	add(&l, "login in place of a session", visitor(), signedIn(), accounts.Login{UserID: 1, Revision: 1, SessionHash: hashOf("s"), Replaces: hashOf("one"), Rehash: phc2}, "")
	add(&l, "login with an old password", visitor(), withAda(), accounts.Login{UserID: 1, Revision: 2, SessionHash: hashOf("s")}, repo.Unauthorized)
	add(&l, "login of nobody", visitor(), withAda(), accounts.Login{UserID: 7, Revision: 1, SessionHash: hashOf("s")}, repo.Unauthorized)
	add(&l, "login with a plain token", visitor(), withAda(), accounts.Login{UserID: 1, Revision: 1, SessionHash: plain}, repo.Invalid, "session_hash")

	add(&l, "renew", ada(), signedIn(), accounts.Renew{SessionHash: hashOf("s")}, "")
	add(&l, "renew without a session", ada(), withAda(), accounts.Renew{SessionHash: hashOf("s")}, repo.Unauthorized)
	add(&l, "renew by the operator", operator(), withAda(), accounts.Renew{SessionHash: hashOf("s")}, repo.Unauthorized)
	other := repo.Actor{Name: "user:2", Session: hashOf("one")}
	add(&l, "renew of another's session", other, append(signedIn(), by[accounts.UserRef](operator(), create)), accounts.Renew{SessionHash: hashOf("s")}, repo.Unauthorized)

	add(&l, "log out", ada(), signedIn(), accounts.Logout{}, "")
	add(&l, "log out of nothing", repo.Actor{Name: "user:1"}, signedIn(), accounts.Logout{}, repo.Unauthorized)
	add(&l, "log out everywhere", ada(), signedIn(), accounts.LogoutAll{}, "")
	add(&l, "log out by the operator", operator(), signedIn(), accounts.LogoutAll{Email: "Ada@example.org"}, "")
	add(&l, "log out of somebody else", ada(), signedIn(), accounts.LogoutAll{Email: email}, repo.Forbidden)
	add(&l, "log out of nobody", operator(), signedIn(), accounts.LogoutAll{Email: "eve@example.org"}, repo.NotFound)

	add(&l, "password", ada(), signedIn(), accounts.SetPassword{Revision: 1, PasswordHash: phc2, SessionHash: hashOf("s")}, "")
	add(&l, "password against an old one", ada(), signedIn(), accounts.SetPassword{Revision: 0, PasswordHash: phc2}, repo.Invalid, "current")
	add(&l, "password in plain", ada(), signedIn(), accounts.SetPassword{Revision: 1, PasswordHash: plain}, repo.Invalid, "password_hash")
	add(&l, "password by the operator", operator(), signedIn(), accounts.SetPassword{Email: email, PasswordHash: phc3}, "")
	add(&l, "password of nobody", operator(), nil, accounts.SetPassword{Email: email, PasswordHash: phc3}, repo.NotFound)
	add(&l, "password by the system", system(), signedIn(), accounts.SetPassword{Email: email, PasswordHash: phc3}, repo.Forbidden)
	return l
}

// outcome is what a caller sees of a run, and what it left behind.
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
		if e := repo.AsError(err); e.Code != c.code {
			t.Errorf("got %v, want the code %q", err, c.code)
		} else if c.code == repo.Invalid {
			repotest.WantFields(t, err, c.fields...)
		}
		wire, _ := json.Marshal(repo.AsError(err))
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
			if !reflect.DeepEqual(local, forwarded) {
				t.Errorf("here\n%+v\nforwarded\n%+v", local, forwarded)
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
		if !done[n] || !refused[n] {
			t.Errorf("%s: carried out in a case: %v, refused in one: %v", n, done[n], refused[n])
		}
	}
}
