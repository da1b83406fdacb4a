package foreign

import (
	"cmp"
	"html"
	"path"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth is how deep a document of Ghost's may be nested before its form is given up.
const maxDepth = 100

// document makes Markdown of one of Ghost's documents: pieces of HTML, and Markdown between them.
type document struct {
	c      *converting
	html   strings.Builder
	pieces []string
}

// markdown adds what is Markdown already.
func (d *document) markdown(text string) {
	d.flush()
	if text = strings.TrimSpace(text); text != "" {
		d.pieces = append(d.pieces, text)
	}
}

// flush makes Markdown of the HTML so far.
func (d *document) flush() {
	if text := d.c.markdown(d.html.String()); text != "" {
		d.pieces = append(d.pieces, text)
	}
	d.html.Reset()
}

// text returns all of it.
func (d *document) text() string {
	d.flush()
	return strings.Join(d.pieces, "\n\n")
}

// hide notes that a part of the post is not for everybody.
func (d *document) hide() {
	d.c.post.hide("visibility", "a part of its text is not for everybody")
}

// hideTwice notes that a text says something twice, of which readers see one.
func (d *document) hideTwice() { d.c.post.hide("body", "its text says something twice") }

var gate = regexp.MustCompile(`(?i)kg-gated-block:begin([^>]*)`)

// gated hides a post in whose HTML Ghost has marked a part for some readers only.
func (d *document) gated(text string) {
	for _, m := range gate.FindAllStringSubmatch(text, -1) {
		if !gateOpen.MatchString(m[1]) {
			d.hide()
		}
	}
}

var gateOpen = regexp.MustCompile(`\bnonMember:\s*true\b`)

func (d *document) lost(what, why string) { d.c.post.note(Lost, what, why) }

// card is what the nodes of lexical and the cards of mobiledoc say, which have the same names in both.
type card struct {
	Src         loose          `json:"src"`
	Alt         loose          `json:"alt"`
	Title       loose          `json:"title"`
	Caption     loose          `json:"caption"`
	Href        loose          `json:"href"`
	URL         loose          `json:"url"`
	HTML        loose          `json:"html"`
	Markdown    loose          `json:"markdown"`
	Code        loose          `json:"code"`
	Language    loose          `json:"language"`
	Text        loose          `json:"calloutText"`
	Emoji       loose          `json:"calloutEmoji"`
	Heading     loose          `json:"heading"`
	Content     loose          `json:"content"`
	Subheading  loose          `json:"subheading"`
	Header      loose          `json:"header"`
	Subheader   loose          `json:"subheader"`
	ButtonText  loose          `json:"buttonText"`
	ButtonURL   loose          `json:"buttonUrl"`
	TextValue   loose          `json:"textValue"`
	ImageURL    loose          `json:"imageUrl"`
	FileTitle   loose          `json:"fileTitle"`
	FileName    loose          `json:"fileName"`
	FileCaption loose          `json:"fileCaption"`
	Product     loose          `json:"productTitle"`
	ProductText loose          `json:"productDescription"`
	ProductSrc  loose          `json:"productImageSrc"`
	ProductURL  loose          `json:"productUrl"`
	ProductLink loose          `json:"productButton"`
	Images      []card         `json:"images"`
	Metadata    jsontext.Value `json:"metadata"`
	Visibility  jsontext.Value `json:"visibility"`
}

// hidden reports whether readers without an account do not see the card.
func (k *card) hidden() bool {
	var v struct {
		ShowOnWeb scalar `json:"showOnWeb"`
		Web       *struct {
			NonMember scalar `json:"nonMember"`
		} `json:"web"`
	}
	if len(k.Visibility) == 0 {
		return false
	}
	// What cannot be told is not public.
	if whole, err := unmarshal(k.Visibility, &v); err != nil || !whole || !v.ShowOnWeb.given && v.Web == nil {
		return true
	}
	return v.ShowOnWeb.given && !v.ShowOnWeb.text.yes() || v.Web != nil && !v.Web.NonMember.text.yes()
}

// image adds a picture. Its caption is HTML.
func (d *document) image(src, alt, caption, href string) {
	if src == "" {
		return
	}
	img := `<img src="` + html.EscapeString(src) + `" alt="` + html.EscapeString(alt) + `">`
	if href != "" {
		img = `<a href="` + html.EscapeString(href) + `">` + img + "</a>"
	}
	if strings.TrimSpace(plainText(caption)) != "" {
		d.html.WriteString("<figure>" + img + "<figcaption>" + caption + "</figcaption></figure>")
		return
	}
	d.html.WriteString("<p>" + img + "</p>")
}

// link adds a paragraph that leads somewhere, with a caption below it.
func (d *document) link(address, text, caption string) {
	if address == "" {
		return
	}
	d.html.WriteString(anchor(address, plainText(text)))
	d.paragraph(caption)
}

// paragraph adds a paragraph of HTML.
func (d *document) paragraph(inner string) {
	if strings.TrimSpace(inner) != "" {
		d.html.WriteString("<p>" + inner + "</p>")
	}
}

// card adds what a card shows. ok is false for one that is not known.
func (d *document) card(name string, k *card) (ok bool) {
	if k.hidden() {
		d.hide()
	}
	d.gated(string(k.HTML))
	d.gated(string(k.Markdown))
	switch strings.ToLower(name) {
	case "image", "image-card":
		d.image(string(k.Src), string(k.Alt), string(k.Caption), string(k.Href))
	case "gallery":
		for _, i := range k.Images {
			d.image(string(i.Src), string(i.Alt), string(i.Caption), string(i.Href))
		}
		d.paragraph(string(k.Caption))
	case "horizontalrule", "hr":
		d.html.WriteString("<hr>")
	case "codeblock", "code":
		language := string(k.Language)
		if !plainLanguage.MatchString(language) {
			language = ""
		}
		d.html.WriteString(codeHTML(language, string(k.Code)))
		d.paragraph(string(k.Caption))
	case "html":
		d.html.WriteString(string(k.HTML))
	case "markdown", "card-markdown":
		d.markdown(string(k.Markdown))
	case "embed":
		d.link(cmp.Or(string(k.URL), string(k.Href)), "", string(k.Caption))
	case "bookmark":
		d.bookmark(k)
	case "callout":
		d.html.WriteString("<blockquote><p>" + html.EscapeString(string(k.Emoji)) + " " +
			"" + string(k.Text) + "</p></blockquote>")
	case "toggle":
		d.html.WriteString("<details><summary>" + string(k.Heading) + "</summary><div>" + string(k.Content) + "</div><" +
			"/details>")
	case "audio", "video":
		if k.Src != "" {
			text := cmp.Or(string(k.Title), string(k.FileName))
			d.html.WriteString(player(strings.ToLower(name), string(k.Src), plainText(text)))
			d.paragraph(string(k.Caption))
		}
	case "file":
		text := cmp.Or(string(k.FileTitle), string(k.Title), string(k.FileName), path.Base(string(k.Src)))
		d.link(string(k.Src), text, cmp.Or(string(k.Caption), string(k.FileCaption)))
	default:
		return d.offer(name, k)
	}
	return true
}

// bookmark adds the link with the title and the words of its page.
func (d *document) bookmark(k *card) {
	var page struct {
		Title, Description loose
	}
	if len(k.Metadata) > 0 {
		// What cannot be read leaves the bookmark its address.
		_ = json.Unmarshal(k.Metadata, &page, loosely)
	}
	d.link(string(k.URL), cmp.Or(string(page.Title), string(k.Title)), html.EscapeString(string(page.Description)))
	d.paragraph(string(k.Caption))
}

// offer adds the cards by which sites offer something.
func (d *document) offer(name string, k *card) (ok bool) {
	switch strings.ToLower(name) {
	case "button":
		d.link(string(k.ButtonURL), string(k.ButtonText), "")
	case "header":
		d.html.WriteString("<h2>" + cmp.Or(string(k.Heading), string(k.Header)) + "</h2>")
		d.paragraph(cmp.Or(string(k.Subheading), string(k.Subheader)))
		d.link(string(k.ButtonURL), string(k.ButtonText), "")
	case "product":
		d.image(string(k.ProductSrc), "", "", "")
		d.html.WriteString("<h4>" + string(k.Product) + "</h4>" + string(k.ProductText))
		d.link(string(k.ProductURL), string(k.ProductLink), "")
	case "call-to-action":
		d.image(string(k.ImageURL), "", "", "")
		d.html.WriteString("<div>" + string(k.TextValue) + "</div>")
		d.link(string(k.ButtonURL), string(k.ButtonText), "")
	case "email", "email-cta", "signup":
		d.lost(name, "this card is for readers by e-mail, and it is left out")
	case "paywall":
	default:
		return false
	}
	return true
}
