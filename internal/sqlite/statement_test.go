package sqlite_test

import (
	"testing"

	"blog/internal/sqlite"
)

func TestTransactionKeyword(t *testing.T) {
	for query, want := range map[string]string{
		"":                                     "",
		"SELECT 1":                             "",
		"commit":                               "COMMIT",
		"  -- a comment\n/* another */ Begin":  "BEGIN",
		"\ufeffROLLBACK TO call":               "ROLLBACK",
		"SELECT 1; RELEASE call":               "RELEASE",
		"SELECT ';'; -- ; COMMIT\nSELECT 2":    "",
		"SELECT \"a\"\"; COMMIT\" FROM [;END]": "",
		"INSERT OR ROLLBACK INTO a VALUES (1)": "OR ROLLBACK",
		"INSERT OR REPLACE INTO a VALUES (1)":  "",
		"SELECT rollback FROM a":               "",
		"PRAGMA query_only = 0":                "PRAGMA",
	} {
		if got := sqlite.TransactionKeyword(query); got != want {
			t.Errorf("%q: got %q, want %q", query, got, want)
		}
	}
}
