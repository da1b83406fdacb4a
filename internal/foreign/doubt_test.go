package foreign_test

import (
	"fmt"
	"strings"
	"testing"

	"blog/internal/frontmatter"
)

// mustHide asserts that an entry is a draft, and that its notes say why.
func mustHide(t *testing.T, got read, why string) {
	t.Helper()
	said := false
	for _, n := range got.Notes {
		said = said || n.Kind == frontmatter.Private && n.What == why
	}
	if !got.Draft || !said {
		t.Errorf("draft %t, said %q, want a draft and %q", got.Draft, got.said, "private "+why)
	}
}

// postmeta is a key of a plugin's with what stands in its value.
func postmeta(key, value string) string {
	return "<wp:postmeta><wp:meta_key>" + key + "</wp:meta_key><wp:meta_value>" + value + "</wp:meta_value></wp:postmeta>"
}

// TestWXRDoubt: what an item says twice, in another form or of a time that cannot be makes a draft of it.
func TestWXRDoubt(t *testing.T) {
	const publish = "<wp:status>publish</wp:status>"
	for name, c := range map[string]struct{ more, why string }{
		"draft, then publish":   {"<wp:status>draft</wp:status>" + publish, "status"},
		"publish, then draft":   {publish + "<wp:status>draft</wp:status>", "status"},
		"none, then publish":    {"<wp:status/>" + publish, "status"},
		"trash, then publish":   {"<wp:status>trash</wp:status>" + publish, "status"},
		"publish, then trash":   {publish + "<wp:status>trash</wp:status>", "status"},
		"another namespace":     {"<x:status>private</x:status>" + publish, "status"},
		"status with elements":  {"<wp:status><b>publish</b></wp:status>", "status"},
		"status in pieces":      {"<wp:status>pub<b/>lish</wp:status>", "status"},
		"status in the title":   {publish + "<title>T<wp:status>draft</wp:status></title>", "status"},
		"status in a group":     {publish + "<x:group><wp:status>draft</wp:status></x:group>", "status"},
		"password, then none":   {"<wp:post_password>a</wp:post_password><wp:post_password/>", "post_password"},
		"none, then password":   {"<wp:post_password/><wp:post_password>a</wp:post_password>", "post_password"},
		"password of blanks":    {"<wp:post_password>  </wp:post_password>", "post_password"},
		"password of elements":  {"<wp:post_password><b/></wp:post_password>", "post_password"},
		"menu entry, then post": {"<wp:post_type>nav_menu_item</wp:post_type><wp:post_type>post</wp:post_type>", "post_type"},
		"post, then revision":   {"<wp:post_type>post</wp:post_type><wp:post_type>revision</wp:post_type>", "post_type"},
		"no type":               {"<wp:post_type/>", "post_type"},
		"type with elements":    {"<wp:post_type><b>post</b></wp:post_type>", "post_type"},
		"two texts": {"<content:encoded>a</content:encoded><secret:encoded>b</secret:encoded>",
			"content"},
		"two dates": {"<wp:post_date_gmt>2020-01-02 03:04:05</wp:post_date_gmt><wp:post_date_gmt>2190-01-02 03:04:05" +
			"</wp:post_date_gmt>", "post_date_gmt"},
		"scheduled, too late": {"<wp:status>future</wp:status><wp:post_date_gmt>3000-01-02 03:04:05</wp:post_date_gmt>",
			"date"},
		"scheduled, a year too late": {"<wp:status>future</wp:status><wp:post_date_gmt>2200-01-02 03:04:05" +
			"</wp:post_date_gmt>", "date"},
		"too late": {"<wp:post_date_gmt>9999-01-02 03:04:05</wp:post_date_gmt>", "date"},
		"scheduled, too early": {"<wp:status>future</wp:status><wp:post_date_gmt>1066-10-14 09:00:00" +
			"</wp:post_date_gmt>", "date"},
		"scheduled, not a date": {"<wp:status>future</wp:status><wp:post_date_gmt>12020-01-02 03:04:05</wp:post_date_gmt>",
			"post_date"},
		"no dates": {"<wp:post_date_gmt>12020-01-02 03:04:05</wp:post_date_gmt><wp:post_date>soon</wp:post_date>",
			"post_date"},
		"value with elements":  {postmeta("_members_access_role", "<x/>"), "_members_access_role"},
		"key in capitals":      {postmeta("_Jetpack_Newsletter_Access", "paid_subscribers"), "_Jetpack_Newsletter_Access"},
		"another plugin":       {postmeta("_wpmem_block", "1"), "_wpmem_block"},
		"two keys":             {postmeta("_jetpack_newsletter_access</wp:meta_key><wp:meta_key>x", "paid"), "postmeta"},
		"two values":           {postmeta("rcp_user_level", "3</wp:meta_value><wp:meta_value>"), "rcp_user_level"},
		"shortcode in code":    {"<content:encoded>&lt;pre>[members]x[/members]&lt;/pre></content:encoded>", "[members]"},
		"shortcode's brackets": {`<content:encoded>[members a="[b]"]x[/members]</content:encoded>`, "[members]"},
		"block on two lines": {"<content:encoded>&lt;!--\nwp:jetpack/paywall --&gt;x&lt;!-- /wp:jetpack/paywall --&gt;" +
			"</content:encoded>", "wp:jetpack/paywall"},
		"block that is not shown": {`<content:encoded>&lt;!-- wp:paragraph {"metadata":{"blockVisibility":false}} --&gt;` +
			"x&lt;!-- /wp:paragraph --&gt;</content:encoded>", "wp:paragraph"},
		"so much is said": {strings.Repeat(`<category domain="a">b</category>`, 200) +
			"<content:encoded>[members_only]x[/members_only]</content:encoded>", "[members_only]"},
	} {
		t.Run(name, func(t *testing.T) {
			entries, _ := mustRead(t, wxr(item("Text.", c.more)))
			mustHide(t, only(t, entries), c.why)
		})
	}
	// The same again, and what is nobody's secret, leaves a post public.
	for name, more := range map[string]string{
		"the same twice":   publish + publish + "<wp:post_type>post</wp:post_type><wp:post_type>post</wp:post_type>",
		"CDATA":            "<wp:status><![CDATA[publish]]></wp:status>",
		"none of them":     "<wp:post_password/><wp:post_password></wp:post_password>",
		"comment's status": publish + "<wp:comment><wp:status>draft</wp:status></wp:comment>",
		"no restriction":   postmeta("_jetpack_newsletter_access", "everybody") + postmeta("_wpmem_block", "0"),
		"escaped":          "<content:encoded>&lt;pre>[[members]x[/members]]&lt;/pre></content:encoded>",
	} {
		t.Run(name, func(t *testing.T) {
			entries, _ := mustRead(t, wxr(item("Text.", more)))
			if got := only(t, entries); got.Draft {
				t.Errorf("a draft, said %q, want a public one", got.said)
			}
		})
	}
}

// TestEntryTwice: of two entries with one id, which one is later cannot be told, so that neither is public.
func TestEntryTwice(t *testing.T) {
	private := item("Before.", "<wp:status>private</wp:status>")
	post := `{"id":"1","slug":"s","title":"T","status":"%s","html":"x"}`
	blog := `{"alias":"a","public":true,"posts":[{"id":"1","slug":"s","body":"x"}]}`
	for name, src := range map[string]string{
		"WordPress": wxr(item("Text.", ""), private),
		"Ghost": fmt.Sprintf(`{"data":{"posts":[`+post+`],"posts":[`+post+`]}}`,
			"draft", "published"),
		"WriteFreely": `{"collections":[` + blog + `,` + strings.Replace(blog, "true", "false", 1) + `]}`,
	} {
		entries, _ := mustRead(t, src)
		if len(entries) != 2 {
			t.Errorf("%s: %d entries, want 2", name, len(entries))
		}
		for _, got := range entries {
			mustHide(t, got, "entry")
		}
	}
}

// TestGhostDoubt: what is there and is not the word that makes a post public makes a draft of it.
func TestGhostDoubt(t *testing.T) {
	card := func(visibility string) string {
		return `"lexical":` + fmt.Sprintf("%q", `{"root":{"children":[{"type":"html","html":"<p>x</p>","visibility":`+
			visibility+`}]}}`)
	}
	for name, c := range map[string]struct{ fields, why string }{
		"visibility null":       {`"visibility":null`, "visibility"},
		"visibility an object":  {`"visibility":{"a":"public"}`, "visibility"},
		"visibility a list":     {`"visibility":["public"]`, "visibility"},
		"visibility a number":   {`"visibility":1`, "visibility"},
		"visibility twice":      {`"visibility":"paid","visibility":"public"`, "entry"},
		"visibility in Greek":   {`"visibılity":"paid"`, "visibılity"},
		"visibility, Cyrillic":  {`"visіbility":"paid","visibility":"public"`, "visіbility"},
		"visibility in capital": {`"Visibility":"paid","visibility":"public"`, "entry"},
		"status twice":          {`"status":"draft","status":"published"`, "entry"},
		"status in two cases":   {`"Status":"draft","status":"published"`, "entry"},
		"status an object":      {`"status":{"published":true}`, "status"},
		"status a list":         {`"status":["published"]`, "status"},
		"type twice":            {`"type":"page","type":"post"`, "entry"},
		"type unknown":          {`"type":"email"`, "type"},
		"type an object":        {`"type":{}`, "type"},
		"type null":             {`"type":null`, "type"},
		"by e-mail":             {`"email_only":true`, "email_only"},
		"by e-mail, a text":     {`"email_only":"yes"`, "email_only"},
		"by e-mail, an object":  {`"email_only":{}`, "email_only"},
		"another version's":     {`"password":"hush"`, "password"},
		"another's, not public": {`"public":false`, "public"},
		"too late":              {`"status":"scheduled","published_at":"3000-01-02T03:04:05.000Z"`, "date"},
		"too late, in ms":       {`"status":"scheduled","published_at":99999999999999999`, "date"},
		"much too late":         {`"published_at":"+012020-01-02T03:04:05.000Z"`, "published_at"},
		"card for a word":       {card(`"members"`), "visibility"},
		"card for a list":       {card(`[]`), "visibility"},
		"card for a null":       {card(`null`), "visibility"},
		"card for nobody":       {card(`{}`), "visibility"},
		"card in a new form":    {card(`{"app":{"nonMember":true}}`), "visibility"},
		"card for no word":      {card(`{"web":{"nonMember":null}}`), "visibility"},
		"card twice":            {card(`{"web":{"nonMember":false}},"visibility":{"web":{"nonMember":true}}`), "body"},
		"gate in a card": {`"lexical":"{\"root\":{\"children\":[{\"type\":\"html\",\"html\":` +
			`\"<!--kg-gated-block:begin nonMember:false-->x\"}]}}"`, "visibility"},
		"gate in the HTML": {`"lexical":"{\"root\":{\"children\":[]}}","html":"<!--KG-gated-block:begin -->x"`, "visibility"},
	} {
		t.Run(name, func(t *testing.T) {
			fields := `"id":1,"slug":"s","title":"T"`
			for field, value := range map[string]string{"status": `"published"`, "visibility": `"public"`, "html": `"x"`} {
				if !strings.Contains(c.fields, `"`+field+`":`) || strings.HasPrefix(c.fields, `"lexical"`) && field != "html" {
					fields += `,"` + field + `":` + value
				}
			}
			if strings.HasPrefix(name, "visibility in Greek") { // it has no other one
				fields = strings.Replace(fields, `,"visibility":"public"`, "", 1)
			}
			entries, _ := mustRead(t, `{"data":{"posts":[{`+fields+","+c.fields+`}]}}`)
			mustHide(t, only(t, entries), c.why)
		})
	}
	for name, src := range map[string]string{"number": "5", "list": "[]", "text": `"published"`, "null": "null"} {
		entries, _ := mustRead(t, `{"data":{"posts":[`+src+`]}}`)
		if got := only(t, entries); !got.Draft {
			t.Errorf("a post that is a %s: public, want a draft", name)
		}
	}
}

// TestGhostMeta: each row of what a post has besides may hide it; one that does not say of which post it is
// hides all.
func TestGhostMeta(t *testing.T) {
	for name, c := range map[string]struct{ meta, why string }{
		"by e-mail":         {`[{"post_id":1,"email_only":1}]`, "email_only"},
		"truth":             {`[{"post_id":"1","email_only":true}]`, "email_only"},
		"word":              {`[{"post_id":1,"email_only":"on"}]`, "email_only"},
		"object":            {`[{"post_id":1,"email_only":{}}]`, "email_only"},
		"null":              {`[{"post_id":1,"email_only":null}]`, "email_only"},
		"twice in a row":    {`[{"post_id":1,"email_only":1,"email_only":0}]`, "email_only"},
		"twice in the list": {`[{"post_id":1,"email_only":1},{"post_id":1,"email_only":0}]`, "email_only"},
		"of nobody":         {`[{"post_id":{},"email_only":1}]`, "entry"},
		"no row":            {`[5]`, "entry"},
		"no list":           {`{"1":{"email_only":1}}`, "entry"},
		"other letter case": {`[],"Posts_Meta":[{"post_id":1,"email_only":1}]`, "email_only"},
		"no":                {`[{"post_id":1,"email_only":0}]`, ""},
		"false":             {`[{"post_id":1,"email_only":false}]`, ""},
		"before":            {`[{"post_id":1}]`, ""},
		"none":              {`null`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			entries, _ := mustRead(t, `{"data":{"posts":[{"id":1,"slug":"s","title":"T","status":"published","html":"x"}],
				"posts_meta":`+c.meta+`}}`)
			got := only(t, entries)
			if c.why != "" {
				mustHide(t, got, c.why)
			} else if got.Draft {
				t.Errorf("a draft, said %q, want a public one", got.said)
			}
		})
	}
}

// TestGhostSite: of a site that is private as a whole no post is public, and neither is one of which it cannot be
// told which rows are its own.
func TestGhostSite(t *testing.T) {
	site := func(settings, tables string) string {
		return `{"data":{"posts":[{"id":1,"slug":"s","title":"T","status":"published","html":"x"}],"settings":` + settings +
			tables + `}}`
	}
	for name, c := range map[string]struct{ src, why string }{
		"private":      {site(`[{"key":"is_private","value":"true"}]`, ""), "entry"},
		"formerly":     {site(`[{"key":"isPrivate","value":true}]`, ""), "entry"},
		"an object":    {site(`[{"key":"is_private","value":{}}]`, ""), "entry"},
		"no list":      {site(`{"is_private":true}`, ""), "entry"},
		"said twice":   {site(`[{"key":"is_private","value":1,"value":0}]`, ""), "entry"},
		"public":       {site(`[{"key":"is_private","value":"false"},{"key":"title","value":"T"}]`, ""), ""},
		"says nothing": {site(`[{"key":"isPrivate","value":null}]`, ""), ""},
		"no id": {strings.Replace(site(`[]`, `,"posts_meta":[{"post_id":1,"email_only":1}]`), `"id":1`, `"id":{}`, 1),
			"id"},
		"other letters": {`{"db":[` + strings.TrimSuffix(site(`[]`, ""), "}") +
			`,"Data":{"posts_meta":[{"post_id":1,"email_only":1}]}}]}`, "email_only"},
		"without an underscore": {strings.Replace(site(`[]`, ""), `"id"`, `"emailOnly":true,"id"`, 1), "email_only"},
	} {
		t.Run(name, func(t *testing.T) {
			entries, _ := mustRead(t, c.src)
			got := only(t, entries)
			if c.why != "" {
				mustHide(t, got, c.why)
			} else if got.Draft {
				t.Errorf("a draft, said %q, want a public one", got.said)
			}
		})
	}
}

// TestWriteFreelyDoubt: a post is public where its blog says so in one word, and nothing says otherwise.
func TestWriteFreelyDoubt(t *testing.T) {
	const post = `"id":"1","slug":"s","title":"T","body":"x"`
	for name, c := range map[string]struct{ blog, post, why string }{
		"public":             {`"public":true`, post, ""},
		"public, a number":   {`"public":1,"visibility":1`, post, ""},
		"not paid":           {`"public":true`, post + `,"paid":false`, ""},
		"no password":        {`"public":true,"password":"","pass":null`, post, ""},
		"twice":              {`"public":false,"public":true`, post, "public"},
		"twice, later":       {`"public":true,"public":false`, post, "public"},
		"in two cases":       {`"Public":false,"public":true`, post, "Public"},
		"in another case":    {`"Public":true`, post, "public"},
		"not in capitals":    {`"PUBLIC":false`, post, "PUBLIC"},
		"Cyrillic":           {`"рublic":true`, post, "public"},
		"an object":          {`"public":{"a":true}`, post, "public"},
		"null":               {`"public":null`, post, "public"},
		"private":            {`"public":true,"visibility":2`, post, "visibility"},
		"unlisted":           {`"public":true,"visibility":0`, post, "visibility"},
		"password":           {`"visibility":4,"public":true`, post, "visibility"},
		"visibility unknown": {`"public":true,"visibility":{}`, post, "visibility"},
		"a password":         {`"public":true,"password":"hush"`, post, "password"},
		"private, a truth":   {`"public":true,"private":true`, post, "private"},
		"paid, a word":       {`"public":true`, post + `,"paid":"yes"`, "paid"},
		"paid, an object":    {`"public":true`, post + `,"paid":{}`, "paid"},
		"paid, a list":       {`"public":true`, post + `,"paid":[]`, "paid"},
		"paid twice":         {`"public":true`, post + `,"paid":true,"paid":false`, "entry"},
		"paid in the text":   {`"public":true`, `"id":"1","slug":"s","title":"T","body":"x <!-- Paid -->"`, "paid"},
		"Cyrillic paid":      {`"public":true`, post + `,"раid":true`, "раid"},
		"a private post":     {`"public":true`, post + `,"is_private":true`, "is_private"},
		"body twice":         {`"public":true`, post + `,"body":"y"`, "entry"},
		"tags a text":        {`"public":true`, post + `,"tags":"a"`, "entry"},
		"two blogs":          {`"public":true`, post + `,"collection":{"alias":"b","public":false}`, "entry"},
		"too late":           {`"public":true`, post + `,"created":"3000-01-02T03:04:05Z"`, "date"},
		"no date":            {`"public":true`, post + `,"created":"soon"`, "created"},
	} {
		t.Run(name, func(t *testing.T) {
			entries, _ := mustRead(t, `{"collections":[{"alias":"a",`+c.blog+`,"posts":[{`+c.post+`}]}]}`)
			got := only(t, entries)
			if c.why != "" {
				mustHide(t, got, c.why)
			} else if got.Draft {
				t.Errorf("a draft, said %q, want a public one", got.said)
			}
		})
	}
	for name, collection := range map[string]string{
		"twice":     `{"public":false,"public":true}`,
		"two":       `{"public":true},"collection":{"public":true}`,
		"a text":    `"a"`,
		"protected": `{"public":true,"visibility":4}`,
		"null":      `null`,
	} {
		entries, _ := mustRead(t, `[{`+post+`,"collection":`+collection+`}]`)
		if got := only(t, entries); !got.Draft {
			t.Errorf("a collection that is %s: public, want a draft", name)
		}
	}
}
