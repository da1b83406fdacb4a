// Command claims writes docs/claims.md, the table of what the DESIGN files claim, from the patches
// in test/mutations. It fails when a patch does not apply to the present code, or names a document,
// an invariant or a test that does not exist, and when an invariant that a DESIGN file numbers has no
// patch. With -check it writes nothing, and also fails when the table differs. It has to run in the
// project's top folder.
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
	"strconv"
	"strings"
)

const (
	mutations = "test/mutations"
	table     = "docs/claims.md"
)

// documents are the files of claims, by the word with which the line of a claim begins.
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

// introduction has ' in place of the marks of code.
const introduction = `# Claims

Each row is a claim of a DESIGN file: in plain words, the test that holds it, and the mutation, a patch that breaks
the code so that this test has to fail. 'make mutations' applies the mutations one by one to a copy of the last
commit and says of each whether its test has caught it; 'make mutations NAME=...' does it for one. It is for people:
all of them take an hour or two. This file is made from the patches by 'make generate'; 'make check' fails where it is
not fresh, a mutation does not apply any more, or a test is gone. Whoever adds a claim to a DESIGN file adds its test,
and a mutation whose first lines are 'Claim: <room> DESIGN <number>: <claim>' and 'Test: <arguments of go test>'. The
number is that of the invariant which the claim belongs to; a claim of another section has none. An invariant without
any mutation says why: 'No mutation: <reason>'.
`

// claim is one patch: what it breaks, and which tests fail then.
type claim struct {
	room, text string
	invariant  int // its number, 0: the claim belongs to none
	tests      []string
	folder     string // of the package with the tests
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
	problems = append(problems, checkInvariants(claims)...)
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
	claimLine = regexp.MustCompile(`(?m)^Claim: (\w+)[^:\d]*(\d*): (.+)$`)
	testLine  = regexp.MustCompile(`(?m)^Test: (.+)$`)
	runFlag   = regexp.MustCompile(`-run '([^']+)'`)
	testName  = regexp.MustCompile(`\b(?:Test|Fuzz)\w+`)
)

// read returns the claim of a patch. It fails when the patch does not apply, a line is missing, or
// something that it names does not exist.
func read(path string) (claim, error) {
	patch, err := os.ReadFile(path) //nolint:gosec // a patch of the project
	if err != nil {
		return claim{}, err
	}
	said, test := claimLine.FindSubmatch(patch), testLine.FindSubmatch(patch)
	if said == nil || test == nil {
		return claim{}, errors.New("the lines Claim: and Test: are not both there")
	}
	c := claim{
		room: string(said[1]), text: string(said[3]), name: strings.TrimSuffix(filepath.Base(path), ".patch"),
	}
	c.invariant, _ = strconv.Atoi(string(said[2])) // digits, or nothing
	if documents[c.room] == "" {
		return c, fmt.Errorf("tools/claims knows no document by the word %q", c.room)
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

// findTests fails when one of the tests is not in the folder.
func findTests(folder string, names []string) error {
	files, err := filepath.Glob(folder + "/*_test.go")
	if err != nil {
		return fmt.Errorf("list the tests of %s: %w", folder, err)
	}
	var code []byte
	for _, file := range files {
		text, err := os.ReadFile(file) //nolint:gosec // a file of the project
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

// apply fails when the patch does not apply to the files.
func apply(patch []byte) error {
	cmd := exec.Command("git", "apply", "--check", "--recount", "-p1", "-") //nolint:noctx // ends by itself
	cmd.Stdin = bytes.NewReader(patch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("it does not apply: %w\n%s", err, bytes.TrimSpace(out))
	}
	return nil
}

// write returns the table, with a section for each document.
func write(claims []claim) []byte {
	slices.SortStableFunc(claims, func(a, b claim) int {
		return strings.Compare(a.room+"\n"+a.text, b.room+"\n"+b.text)
	})
	out := bytes.NewBufferString(strings.ReplaceAll(introduction, "'", "`"))
	room := ""
	for _, c := range claims {
		if c.room != room {
			room = c.room
			fmt.Fprintf(out, "\n## %s\n\nClaims of [%s](../%[2]s).\n\n| no. | claim | test | mutation |\n|---|---|---|---|\n",
				room, documents[room])
		}
		number := ""
		if c.invariant > 0 {
			number = strconv.Itoa(c.invariant)
		}
		fmt.Fprintf(out, "| %s | %s | `%s` in %s | [%s](../%s/%[5]s.patch) |\n",
			number, strings.ReplaceAll(c.text, "|", `\|`), strings.Join(c.tests, "`, `"), c.folder, c.name, mutations)
	}
	return out.Bytes()
}
