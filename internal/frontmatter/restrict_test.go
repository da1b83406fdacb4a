package frontmatter_test

import (
	"testing"

	"blog/internal/frontmatter"
)

// TestRestrictingNames: names by which systems keep something from some readers are found wherever they stand, and
// those that only look like them are not.
func TestRestrictingNames(t *testing.T) {
	for name, want := range map[string][3]bool{ // a key's, a setting's, a shortcode's
		"members": {true, true, true}, "members_only": {true, true, true}, "restrict": {true, true, true},
		"Private-Content": {true, true, true}, "passwordProtect": {true, true, true}, "paywall": {true, true, true},
		"premium-content/container": {true, true, true}, "subscribers": {true, true, true}, "paid": {true, true, true},
		"PATRONS": {true, true, true}, "pr\u0456vate": {true, true, true}, "blockVisibility": {false, true, true},
		"user_role": {false, true, true}, "is_logged_in": {false, true, true}, "hidden": {false, false, true},
		"login-form": {false, false, true}, "unlock": {false, false, true},
		"classic-editor-remember": {false, false, false}, "gallery": {false, false, false},
		"subscribe": {false, false, false}, "": {false, false, false},
	} {
		got := [3]bool{
			frontmatter.RestrictsKey(name), frontmatter.RestrictsSetting(name), frontmatter.Restricts(name),
		}
		if got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

// TestHides: a key with its value means in a shortcode, and in what a plugin stores, what it means in front matter.
func TestHides(t *testing.T) {
	for _, c := range []struct {
		key, text string
		want      bool
	}{
		{"visibility", "members", true}, {"visibility", "public", false}, {"visibility", "gold", true},
		{"_visibility", "private", true}, {"status", "draft", true}, {"status", "any", false}, {"status", "ripe", false},
		{"private", "1", true}, {"private", "no", false}, {"hidden", "true", true}, {"public", "false", true},
		{"public", "yes", false}, {"password", "x", true}, {"password", "", false}, {"access", "subscriber", true},
		{"role", "editor", true}, {"roles", "", false}, {"capability", "read_private_posts", true}, {"role", "any", false},
		{"membership_level", "2", true}, {"_members_access_role", "editor", true}, {"paid_content", "0", false},
		{"restrict_to", "a:0:{}", false}, {"um_content_restriction", "a:1:{i:0;s:1:\"x\";}", true}, {"tier", "gold", false},
		{"type", "password", false}, {"show", "false", false}, {"align", "left", false}, {"ids", "1,2", false},
		{"classic-editor-remember", "block-editor", false}, {"_hide_title", "1", false}, {"", "x", false},
	} {
		if got := frontmatter.Hides(c.key, c.text); got != c.want {
			t.Errorf("%s=%q: got %t, want %t", c.key, c.text, got, c.want)
		}
	}
}

// TestMarksInTexts: a part of a text that is not for everybody makes a draft of the post, in the signs of any system.
func TestMarksInTexts(t *testing.T) {
	for text, want := range map[string]bool{
		"[members]x[/members]": true, "[restrict role=\"editor\"]": true, "[restrict]x[/restrict]": true,
		"[content role=subscriber]x[/content]": true, "[section visibility='members']": true, "[x private=yes]": true,
		"[pms-restrict subscription_plans=1]": true, "{{< private >}}x{{< /private >}}": true, "<!-- paid -->": true,
		"{{% section visibility=\"members\" %}}": true, "{% paywall %}": true, "<MembersOnly>x</MembersOnly>": true,
		":::private\nx\n:::": true, "::: {.members-only}": true, "<!-- members only -->": true, "<!--paywall-->": true,
		"{% encrypt %}": true, "<!-- PRIVATE -->": true, "{{< protected password=\"x\" >}}": true,
		"[members](/members) and [private]": false, "[private notes](/a)": false, "`[members]x[/members]`": false,
		"```\n[members]x[/members]\n```": false, "<div role=\"button\">": false, "{% assign role = \"admin\" %}": false,
		"[gallery ids=\"1\"]": false, "<!-- remember this -->": false, "{{< figure src=\"private.png\" >}}": false,
		"[^members]: x": false, "<!-- what the members of the club said -->": false, "{{< subscribe >}}": false,
		"[section visibility='public']": false, "{{< details show=false >}}": false, "<private>": false,
	} {
		f, problems := frontmatter.Parse("x.md", []byte("---\ndate: 2024-01-01\n---\n"+text+"\n"), nil)
		wantNoFailure(t, text, problems)
		if f.Draft != want {
			t.Errorf("%q: got Draft %t, want %t: %v", text, f.Draft, want, problems)
		}
	}
}
