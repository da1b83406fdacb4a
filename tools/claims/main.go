// Command claims writes docs/claims.md, the table of what the DESIGN files claim, from the patches in test/mutations.
// It fails where a patch does not apply to the code as it is, or names a document or a test that is not there. With
// -check it writes nothing, and fails as well where the table is another one. It runs in the project's top folder.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const (
	mutations = "test/mutations"
	table     = "docs/claims.md"
)

// documents are where a claim stands whose line begins with the word.
var documents = map[string]string{
	"README":  "README.md",
	"clock":   "internal/clock/doc.go",
	"cluster": "internal/cluster/DESIGN.md",
	"live":    "internal/live/DESIGN.md",
	"media":   "internal/media/DESIGN.md",
	"mount":   "internal/litefs/mount/DESIGN.md",
	"repo":    "internal/repo/DESIGN.md",
	"web":     "web/site.go",
}

const introduction = `# Claims

Each row is a claim of a DESIGN file: in plain words, the test that holds it, and the mutation, a patch that breaks
the code so that this test has to fail. ` + "`make mutations`" + ` applies the mutations one by one to a copy of the last
commit and says of each whether its test has caught it; ` + "`make mutations NAME=...`" + ` does it for one. It is for people:
all of them take an hour or two. This file is made from the patches by ` + "`make generate`" + `; ` + "`make check`" + ` fails where it is
not fresh, a mutation does not apply any more, or a test is gone. Whoever adds a claim to a DESIGN file adds its test,
and a mutation whose first lines are ` + "`Claim: <word below> DESIGN: <claim>` and `Test: <arguments of go test>`" + `.
`

// claim is one patch: what it breaks, and what then fails.
type claim struct {
	word, text string
	tests      []string
	folder     string // of the tests' package
	name       string // of the patch
}

func main() {
	check := flag.Bool("check", false, "fail where the table is not fresh, and write nothing")
	flag.Parse()
	if err := run(*check); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(check bool) error {
	patches, err := filepath.Glob(mutations + "/*.patch")
	if err != nil {
		return fmt.Errorf("list the mutations: %w", err)
	}
	var claims []claim
	var problems []error
	for _, path := range patches {
		c, perr := read(path)
		if perr != nil {
			problems = append(problems, fmt.Errorf("%s: %w", path, perr))
			continue
		}
		claims = append(claims, c)
	}
	if len(problems) > 0 {
		return errors.Join(problems...)
	}
	made := write(claims)
	if !check {
		return os.WriteFile(table, made, 0o644) //nolint:gosec // everybody may read the documentation
	}
	there, err := os.ReadFile(table)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the table: %w", err)
	}
	if !bytes.Equal(made, there) {
		return fmt.Errorf("%s is not fresh\nrun: make generate", table)
	}
	return nil
}

var (
	claimLine = regexp.MustCompile(`(?m)^Claim: (\w+)[^:]*: (.+)$`)
	testLine  = regexp.MustCompile(`(?m)^Test: (.+)$`)
	runFlag   = regexp.MustCompile(`-run '([^']+)'`)
	testName  = regexp.MustCompile(`\b(?:Test|Fuzz)\w+`)
)

// read returns the claim of a patch. It fails where the patch does not apply, a line is missing, or what it names is
// not there.
func read(path string) (claim, error) {
	patch, err := os.ReadFile(path) //nolint:gosec // one of the project's own patches
	if err != nil {
		return claim{}, err
	}
	said, test := claimLine.FindSubmatch(patch), testLine.FindSubmatch(patch)
	if said == nil || test == nil {
		return claim{}, errors.New("the lines Claim: and Test: are not both there")
	}
	c := claim{
		word: string(said[1]), text: string(said[2]), name: strings.TrimSuffix(filepath.Base(path), ".patch"),
	}
	if documents[c.word] == "" {
		return c, fmt.Errorf("tools/claims knows no document by the word %q", c.word)
	}
	args := string(test[1])
	c.folder = strings.TrimPrefix(args[strings.LastIndexByte(args, ' ')+1:], "./")
	pattern := runFlag.FindStringSubmatch(args)
	if pattern == nil {
		return c, errors.New("its Test: has no -run '...'")
	}
	c.tests = strings.Split(strings.Trim(strings.NewReplacer("^", "", "$", "").Replace(pattern[1]), "()"), "|")
	if err := findTests(c.folder, testName.FindAllString(pattern[1], -1)); err != nil {
		return c, err
	}
	return c, apply(patch)
}

// findTests fails where one of the tests is not in the folder.
func findTests(folder string, names []string) error {
	files, err := filepath.Glob(folder + "/*_test.go")
	if err != nil {
		return fmt.Errorf("list the tests of %s: %w", folder, err)
	}
	var code []byte
	for _, file := range files {
		text, err := os.ReadFile(file) //nolint:gosec // one of the project's own files
		if err != nil {
			return err
		}
		code = append(code, text...)
	}
	if len(names) == 0 {
		return errors.New("its Test: names no test")
	}
	for _, name := range names {
		if !bytes.Contains(code, []byte("\nfunc "+name+"(")) {
			return fmt.Errorf("%s has no %s", folder, name)
		}
	}
	return nil
}

// apply fails where the patch does not apply to the files as they are.
func apply(patch []byte) error {
	cmd := exec.Command("git", "apply", "--check", "--recount", "-p1", "-") //nolint:noctx // ends by itself
	cmd.Stdin = bytes.NewReader(patch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("it does not apply: %w\n%s", err, bytes.TrimSpace(out))
	}
	return nil
}

// write returns the table, a section a document.
func write(claims []claim) []byte {
	slices.SortStableFunc(claims, func(a, b claim) int {
		return strings.Compare(a.word+"\n"+a.text, b.word+"\n"+b.text)
	})
	out := bytes.NewBufferString(introduction)
	word := ""
	for _, c := range claims {
		if c.word != word {
			word = c.word
			fmt.Fprintf(out, "\n## %s\n\nClaims of [%s](../%[2]s).\n\n| claim | test | mutation |\n|---|---|---|\n", word, documents[word])
		}
		fmt.Fprintf(out, "| %s | `%s` in %s | [%s](../%s/%[4]s.patch) |\n",
			strings.ReplaceAll(c.text, "|", `\|`), strings.Join(c.tests, "`, `"), c.folder, c.name, mutations)
	}
	return out.Bytes()
}
