package markdown

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// quotes are the quotation marks of a language, the inner ones last. The zero value leaves straight
// marks as they are.
type quotes struct{ open, close, innerOpen, innerClose string }

// The quotation marks of languages. Source: Unicode's CLDR (main/*/delimiters).
var (
	quotesEnglish   = quotes{"“", "”", "‘", "’"}
	quotesGerman    = quotes{"„", "“", "‚", "‘"}
	quotesPolish    = quotes{"„", "”", "‚", "’"}
	quotesFrench    = quotes{"«\u202f", "\u202f»", "“", "”"}
	quotesSpanish   = quotes{"«", "»", "“", "”"}
	quotesNorwegian = quotes{"«", "»", "‘", "’"}
	quotesSwedish   = quotes{"”", "”", "’", "’"}
	quotesRussian   = quotes{"«", "»", "„", "“"}
	quotesArabic    = quotes{"”", "“", "’", "‘"}
)

// latin are languages in Latin letters, with their marks and with words that are frequent in them and
// rare in the others. A language with the marks of English is listed so that it is not detected as
// another.
var latin = []struct {
	marks quotes
	words string
}{
	{quotesEnglish, "the and of to is that it for with was are this but not have from be which you they"},
	{quotesGerman, "und der die das nicht ist ein eine mit auf für den von sich auch wird dem im zu ich wir es aber"},
	{quotesFrench, "le les des est une dans pour qui pas sur avec vous nous ce je il elle du au et mais cette sont"},
	{quotesSpanish, "el los las que y en por con para es no se una del lo como pero su más este"},     // Spanish
	{quotesSpanish, "il gli di che e un per con non è sono della del nel anche ma più questo una le"}, // Italian
	{quotesEnglish, "o os as que e em um uma por com para não é se da do mais mas como isso"},         // Portuguese
	{quotesEnglish, "de het een en van is niet dat op te zijn voor met ook maar ik aan wordt"},        // Dutch
	{quotesEnglish, "ve bir bu için ile olarak da çok ama gibi daha değil olan ne var"},               // Turkish
	{quotesSwedish, "och att det som är inte en för på med av jag har den till ett men om"},           // Swedish
	{quotesSwedish, "ja on ei se että oli hän mutta kun niin myös joka ovat tämä"},                    // Finnish
	{quotesEnglish, "og det er ikke en som på med til af jeg at der har den et men fra blev"},         // Danish
	{quotesNorwegian, "og det er ikke en som på med til av jeg å at har den et men fra ble"},          // Norwegian
	{quotesPolish, "i w nie się na jest że do to z jak ale był co przez tylko są"},                    // Polish
	{quotesPolish, "a az és nem hogy egy is meg ez van de csak vagy mint volt"},                       // Hungarian
	{quotesPolish, "și în nu este că la cu pe o un din care mai pentru sunt"},                         // Romanian
	{quotesGerman, "a je se na v že to s který jsem není ale jako by si jsou"},                        // Czech
	{quotesGerman, "a je sa na v že to s ktorý som nie ale ako by si sú"},                             // Slovak
}

// stopWords are the places in latin by word.
var stopWords = func() map[string][]int {
	places := make(map[string][]int)
	for i, l := range latin {
		for word := range strings.FieldsSeq(l.words) {
			places[word] = append(places[word], i)
		}
	}
	return places
}()

const (
	maxDetected  = 16 << 10 // bytes of a source that are searched for its language
	leastMatches = 3        // frequent words that decide the language
)

// quotesOf returns the marks of a source's language: that of its script, or, for Latin letters, the
// one with the most of its frequent words in the source. It reads the text because a post has no field
// for its language, and the language of the blog is only that of most posts.
func quotesOf(source string) quotes {
	source = prose(source[:min(len(source), maxDetected)])
	scripts := []struct {
		table *unicode.RangeTable
		marks quotes
		count int
	}{
		{unicode.Latin, quotes{}, 0}, {unicode.Cyrillic, quotesRussian, 0}, {unicode.Greek, quotesSpanish, 0},
		{unicode.Hebrew, quotesSwedish, 0}, {unicode.Arabic, quotesArabic, 0}, {unicode.Han, quotesEnglish, 0},
		{unicode.Hangul, quotesEnglish, 0}, {unicode.Hiragana, quotes{}, 0},
	}
	most := 0
	for _, r := range source {
		for i := range scripts {
			if unicode.Is(scripts[i].table, r) {
				if scripts[i].count++; scripts[i].count > scripts[most].count {
					most = i
				}
				break
			}
		}
	}
	han, kana := scripts[5].count, scripts[7].count
	switch {
	case most == 5 && kana*10 > han, most == 7:
		return quotes{} // Japanese uses brackets instead
	case most > 0:
		return scripts[most].marks
	}
	return quotesOfLatin(source)
}

func quotesOfLatin(source string) quotes {
	counts := make([]int, len(latin))
	best := 0
	for word := range strings.FieldsFuncSeq(strings.ToLower(source), func(r rune) bool { return !unicode.IsLetter(r) }) {
		for _, i := range stopWords[word] {
			counts[i]++
		}
	}
	for i, n := range counts {
		if n > counts[best] {
			best = i
		}
	}
	if counts[best] < leastMatches {
		best = 0
	}
	return latin[best].marks
}

// prose is a source without its blocks of code.
func prose(source string) string {
	var b strings.Builder
	fence := ""
	for line := range strings.Lines(source) {
		trimmed := strings.TrimSpace(line)
		switch {
		case fence != "":
			if strings.HasPrefix(trimmed, fence) {
				fence = ""
			}
		case strings.HasPrefix(trimmed, "```"), strings.HasPrefix(trimmed, "~~~"):
			fence = trimmed[:3]
		case strings.HasPrefix(line, "    "), strings.HasPrefix(line, "\t"):
		default:
			b.WriteString(line)
		}
	}
	return strings.ToValidUTF8(b.String(), string(utf8.RuneError))
}
