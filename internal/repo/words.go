package repo

import "strings"

// transactionWords begin statements that reach beyond a call's part of a transaction, or beyond its database.
var transactionWords = map[string]bool{
	"BEGIN": true, "COMMIT": true, "END": true, "ROLLBACK": true, "SAVEPOINT": true, "RELEASE": true,
	"ATTACH": true, "DETACH": true, "PRAGMA": true, "VACUUM": true,
}

// transactionWord returns the word by which one of the statements in query begins, ends or leaves a transaction, ""
// when there is none. It knows strings, quoted names and comments, and no more of SQL.
func transactionWord(query string) string {
	first, before := true, ""
	for len(query) > 0 {
		var word string
		word, query = nextWord(query)
		switch {
		case word == ";":
			first, before = true, ""
			continue
		case first && transactionWords[word]:
			return word
		case before == "OR" && word == "ROLLBACK":
			return "OR ROLLBACK"
		case word != "":
			first, before = false, word
		}
	}
	return ""
}

// nextWord returns the word in capitals, or the semicolon, with which query begins, "" for anything else, and what
// comes after it.
func nextWord(query string) (word, rest string) {
	switch c := query[0]; {
	case strings.HasPrefix(query, "--"):
		return "", after(query, "\n", 2)
	case strings.HasPrefix(query, "/*"):
		return "", after(query, "*/", 2)
	case c == '[':
		return "[", after(query, "]", 1)
	case c == '\'', c == '"', c == '`': // a doubled quote ends one string and begins another
		return string(c), after(query, string(c), 1)
	case c == ';':
		return ";", query[1:]
	case strings.HasPrefix(query, "\ufeff"): // SQLite reads over it
		return "", query[len("\ufeff"):]
	case isLetter(c):
		n := 1
		for n < len(query) && (isLetter(query[n]) || query[n] >= '0' && query[n] <= '9') {
			n++
		}
		return strings.ToUpper(query[:n]), query[n:]
	case c == ' ', c == '\t', c == '\n', c == '\r', c == '\f':
		return "", query[1:]
	default:
		return string(c), query[1:]
	}
}

// after returns what comes after the first end in query, which is looked for from its byte from on.
func after(query, end string, from int) string {
	_, rest, _ := strings.Cut(query[from:], end)
	return rest
}

func isLetter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}
