package sqlite

import "strings"

// transactionKeywords begin statements that reach beyond a call's part of a transaction, or beyond its database.
var transactionKeywords = map[string]bool{
	"BEGIN": true, "COMMIT": true, "END": true, "ROLLBACK": true, "SAVEPOINT": true, "RELEASE": true,
	"ATTACH": true, "DETACH": true, "PRAGMA": true, "VACUUM": true,
}

// TransactionKeyword returns the keyword by which one of the statements in query begins, ends or leaves a
// transaction, "" when there is none. It knows strings, quoted names and comments, and no more of SQL.
func TransactionKeyword(query string) string {
	first, before := true, ""
	for len(query) > 0 {
		var token string
		token, query = nextToken(query)
		switch {
		case token == ";":
			first, before = true, ""
			continue
		case first && transactionKeywords[token]:
			return token
		case before == "OR" && token == "ROLLBACK":
			return "OR ROLLBACK"
		case token != "":
			first, before = false, token
		}
	}
	return ""
}

// nextToken returns the name in capitals, or the other character, with which query begins, "" for a comment or white
// space, and what comes after it.
func nextToken(query string) (token, remainder string) {
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

// after returns what comes after the first end in query, which is searched for from its byte from on.
func after(query, end string, from int) string {
	_, remainder, _ := strings.Cut(query[from:], end)
	return remainder
}

func isLetter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}
