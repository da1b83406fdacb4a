package test_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// maxWords is how many words may have a sense of the project's own: more than that nobody learns.
const maxWords = 25

// TestGlossaryIsShort: the table of words has at most maxWords rows, and each word once.
func TestGlossaryIsShort(t *testing.T) {
	t.Parallel()
	rows := readTable(t, filepath.Join("..", "docs", "glossary.md"), "word", "meaning")
	seen := map[string]bool{}
	for _, row := range rows {
		if seen[row[0]] {
			t.Errorf("%q has two rows, want one meaning", row[0])
		}
		seen[row[0]] = true
	}
	if len(rows) < 10 || len(rows) > maxWords {
		t.Errorf("the glossary has %d words, want at least 10 and at most %d", len(rows), maxWords)
	}
}

// TestGivenUpWords: no identifier in the code has a word that docs/glossary.md gives up, in any of its forms. Generated
// code is left out, because its names come from elsewhere.
func TestGivenUpWords(t *testing.T) {
	t.Parallel()
	givenUp := readGivenUpWords(t, filepath.Join("..", "docs", "glossary.md"))
	repository := os.DirFS("..")
	files := 0
	err := fs.WalkDir(repository, ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, room := entry.Name(), path.Dir(file)
		switch {
		case entry.IsDir() && (name == "testdata" || name == "data" || (strings.HasPrefix(name, ".") && name != ".")):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_templ.go"):
			return nil
		}
		files++
		source, err := fs.ReadFile(repository, file)
		if err != nil {
			return err
		}
		for _, f := range findGivenUpWords(t, file, source, room, givenUp) {
			t.Error(f)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 100 {
		t.Errorf("read %d files, want all of the repository", files)
	}
}

// TestGivenUpWordsAreFound: the words are found wherever a name can be declared, and nowhere else.
func TestGivenUpWordsAreFound(t *testing.T) {
	t.Parallel()
	const source = `package p
import look "fmt"
type seatOfPower struct { HTTPWord, words int; own.Token }
type rests interface { Tell(quiet int) (sight error) }
const keep2 = iota
var crowds [news]int
func (lead *T) Settle() { for dam, x := range y { blow := 1; type lane[think any] struct{} }; take: goto take }
func f() { _ = other.look; notice := 1; taken, owners, wordless, knows, restart, lookup := 1 }
func g() { Told, sleepsTaking, keeper := 1; type settled int; led, MustRest, thinkers, croWded := 1 }
`
	givenUp := readGivenUpWords(t, filepath.Join("..", "docs", "glossary.md"))
	want := []string{
		"look", "seatOfPower", "HTTPWord", "words", "rests", "Tell", "quiet", "sight", "keep2", "crowds", "lead", "Settle",
		"dam", "blow", "lane", "think", "Told", "sleepsTaking", "keeper", "settled", "led", "MustRest", "thinkers",
	}
	found := findGivenUpWords(t, "p.go", []byte(source), "p", givenUp)
	if len(found) != len(want) {
		t.Errorf("found %d, want %d:\n%s", len(found), len(want), strings.Join(found, "\n"))
	}
	for _, name := range want {
		if !slices.ContainsFunc(found, func(f string) bool { return strings.Contains(f, ": "+name+":") }) {
			t.Errorf("%s was not found", name)
		}
	}
	for room, count := range map[string]int{
		"web": 1, "web/ui": 0, "internal/markdown": 0, "internal/markdown/x": 1, "x/mymarkdown": 1,
	} {
		found := findGivenUpWords(t, "p.go", []byte("package p\nvar words int\n"), room, givenUp)
		if len(found) != count {
			t.Errorf("in %s: found %q, want %d", room, found, count)
		}
	}
}

// givenUpWord is a row of the glossary's second table.
type givenUpWord struct {
	word    string
	instead string
	forms   []string // that are still right, everywhere
	rooms   []string // where the word is still right
}

// irregular has the forms that inflect does not make by rule.
var irregular = map[string][]string{
	"blow": {"blew", "blown"}, "keep": {"kept"}, "lead": {"led"}, "take": {"took", "taken"}, "tell": {"told"},
	"think": {"thought"},
}

// inflect returns the forms of a word in which a name can have it: a verb's, its doer's, and their plurals.
func inflect(word string) []string {
	stem, forms := strings.TrimSuffix(word, "e"), append([]string{word, word + "s"}, irregular[word]...)
	for _, ending := range []string{"ed", "ing", "er", "ers"} {
		forms = append(forms, stem+ending, word+word[len(word)-1:]+ending)
	}
	return forms
}

// readGivenUpWords returns the rows of the table with the head "given up" by the forms of their words.
func readGivenUpWords(t *testing.T, file string) map[string]givenUpWord {
	t.Helper()
	words := map[string]givenUpWord{}
	for _, row := range readTable(t, file, "given up", "instead", "still right") {
		word := givenUpWord{word: row[0], instead: row[1]}
		for _, form := range regexp.MustCompile("`([a-z]+)`").FindAllStringSubmatch(row[2], -1) {
			word.forms = append(word.forms, form[1], form[1]+"s")
		}
		if rooms := regexp.MustCompile(`\((.*)\)`).FindStringSubmatch(row[2]); rooms != nil {
			word.rooms = strings.Split(rooms[1], ", ")
		}
		for _, form := range inflect(word.word) {
			if !slices.Contains(word.forms, form) {
				words[form] = word
			}
		}
	}
	if len(words) < 100 {
		t.Fatalf("%s: read %d forms of given-up words, want those of all the table", file, len(words))
	}
	return words
}

// readTable returns the cells of each row of the file's table that has these heads. It fails where there is none.
func readTable(t *testing.T, file string, heads ...string) [][]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head := "| " + strings.Join(heads, " | ") + " |\n" + strings.Repeat("|---", len(heads)) + "|\n"
	_, table, found := strings.Cut(string(text), head)
	if !found {
		t.Fatalf("%s has no table with the heads %q", file, heads)
	}
	var rows [][]string
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != len(heads) {
			break
		}
		for i, cell := range cells {
			cells[i] = strings.TrimSpace(cell)
		}
		rows = append(rows, cells)
	}
	return rows
}

// findGivenUpWords returns a line for each identifier that the file declares with a form of a given-up word.
func findGivenUpWords(t *testing.T, name string, source []byte, room string, givenUp map[string]givenUpWord) []string {
	t.Helper()
	set := token.NewFileSet()
	file, _ := parser.ParseFile(set, name, source, 0) // the compiler refuses what cannot be parsed
	var found []string
	for _, id := range declared(file) {
		for _, part := range splitName(id.Name) {
			word, known := givenUp[part]
			allowed := slices.ContainsFunc(word.rooms, func(r string) bool { return room == r || room == "internal/"+r })
			if known && !allowed {
				found = append(found, fmt.Sprintf("%s: %s: instead of %q: %s", set.Position(id.Pos()), id.Name, part, word.instead))
			}
		}
	}
	return found
}

// declared returns the identifiers that file declares, in all scopes.
func declared(file *ast.File) []*ast.Ident {
	var ids []*ast.Ident
	add := func(expr ast.Expr) {
		if id, ok := expr.(*ast.Ident); ok && id != nil {
			ids = append(ids, id)
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			add(n.Name)
		case *ast.FuncDecl:
			add(n.Name)
		case *ast.TypeSpec:
			add(n.Name)
		case *ast.ValueSpec:
			ids = append(ids, n.Names...)
		case *ast.Field:
			ids = append(ids, n.Names...)
		case *ast.RangeStmt:
			if n.Tok == token.DEFINE {
				add(n.Key)
				add(n.Value)
			}
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				for _, left := range n.Lhs {
					add(left)
				}
			}
		}
		return true
	})
	return ids
}

// splitName returns the words of a name in camelCase or with underscores, in lower case: HTTPServer2 has two.
func splitName(name string) []string {
	runes := []rune(name)
	var words []string
	word := ""
	for i, r := range runes {
		if !unicode.IsLetter(r) {
			words, word = append(words, word), ""
			continue
		}
		afterLower := i > 0 && !unicode.IsUpper(runes[i-1])
		beforeLower := i > 0 && i+1 < len(runes) && unicode.IsLower(runes[i+1])
		if unicode.IsUpper(r) && (afterLower || beforeLower) {
			words, word = append(words, word), ""
		}
		word += string(unicode.ToLower(r))
	}
	return append(words, word)
}
