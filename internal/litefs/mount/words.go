package mount

import (
	"errors"
	"strings"
)

var errQuote = errors.New("a quote is not closed")

// splitWords splits a command line as a shell does: blanks separate, quotes and a backslash keep together.
// Nothing is expanded; pipes and the like have no meaning.
func splitWords(line string) ([]string, error) {
	var (
		words []string
		word  strings.Builder
		open  bool // inside a word, an empty one in quotes included
		quote rune
		after bool // the rune before was a backslash
	)
	for _, r := range line {
		switch {
		case after:
			word.WriteRune(r)
			after = false
		case r == '\\' && quote != '\'':
			open, after = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '"' || r == '\'':
			open, quote = true, r
		case strings.ContainsRune(" \t\r\n", r):
			if open {
				words = append(words, word.String())
				word.Reset()
				open = false
			}
		default:
			open = true
			word.WriteRune(r)
		}
	}
	if quote != 0 || after {
		return nil, errQuote
	}
	if open {
		words = append(words, word.String())
	}
	return words, nil
}
