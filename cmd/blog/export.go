package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"blog/internal/apperr"
	"blog/internal/media"
	"blog/internal/posts"
	"blog/internal/repo"
)

type exportCmd struct {
	Dir   string `arg:"" type:"path" help:"The folder to write to; made when it is not there."`
	Force bool   `help:"Overwrite files that differ."`
}

// exportedFile says what happened to one file.
type exportedFile struct {
	File   string `json:"file"`
	Status string `json:"status"` // written, unchanged or conflict
	Slug   string `json:"slug,omitempty"`
}

// exportSummary is the answer of an export.
type exportSummary struct {
	Written   int            `json:"written"`
	Unchanged int            `json:"unchanged"`
	Conflicts int            `json:"conflicts"`
	Warnings  []string       `json:"warnings,omitempty"`
	Files     []exportedFile `json:"files"`
}

// Run writes all posts of this node's copy, with their pictures.
func (c exportCmd) Run(s *session) error {
	loc, err := s.location()
	if err != nil {
		return err
	}
	x := &exporter{s: s, force: c.Force, loc: loc, taken: map[string]string{}, sum: exportSummary{Files: []exportedFile{}}}
	err = s.view(func(view viewFunc) error {
		if err = os.MkdirAll(c.Dir, 0o755); err != nil { //nolint:gosec // posts are for everybody to read
			return apperr.Errorf(apperr.Invalid, "The folder cannot be made: %v.", err)
		}
		if x.root, err = os.OpenRoot(c.Dir); err != nil {
			return apperr.Errorf(apperr.Invalid, "The folder cannot be opened: %v.", err)
		}
		return errors.Join(x.all(view), x.root.Close())
	})
	if err != nil {
		return err
	}
	if s.json {
		s.print(x.sum)
	}
	s.say("%d written, %d unchanged, %d conflicts", x.sum.Written, x.sum.Unchanged, x.sum.Conflicts)
	if x.sum.Conflicts > 0 {
		return &reportedError{apperr.Errorf(apperr.Conflict, "some files differ")}
	}
	return nil
}

// exporter is an export that runs.
type exporter struct {
	s     *session
	root  *os.Root
	loc   *time.Location
	force bool
	taken map[string]string // content hashes of the files of this export, by path in lower case
	sum   exportSummary
}

func (x *exporter) all(view viewFunc) error {
	var ids []int64
	err := view(x.s.ctx, func(rd repo.Reader) error {
		var err error
		ids, err = posts.IDs(x.s.ctx, rd)
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := x.post(view, id); err != nil {
			return err
		}
	}
	return nil
}

// post writes one post and its pictures. Each is read in a transaction of its own, so that none is
// open while a disk is written.
func (x *exporter) post(view viewFunc, id int64) error {
	var e posts.Exported
	err := view(x.s.ctx, func(rd repo.Reader) error {
		var err error
		e, err = posts.Export(x.s.ctx, rd, id)
		return err
	})
	if errors.Is(err, apperr.NotFound) {
		return nil // deleted meanwhile
	}
	if err != nil {
		return err
	}
	place := ""
	for _, p := range e.Paths() {
		if _, taken := x.taken[strings.ToLower(p)]; !taken {
			place = p
			break
		}
	}
	if place == "" {
		x.warn("%s: there is already a file of every name it could have", e.Slug)
		return nil
	}
	if err := x.put(place, e.Slug, e.File(x.loc)); err != nil {
		return err
	}
	for _, dest := range sortedKeys(e.Pictures) {
		if err := x.picture(view, place, dest, e.Pictures[dest]); err != nil {
			return err
		}
	}
	return nil
}

// picture writes a picture to the path at which the text of the post in file refers to it. It warns
// and writes nothing when that is outside the folder, or when the picture is not stored.
func (x *exporter) picture(view viewFunc, file, dest, hash string) error {
	if strings.HasPrefix(dest, "/media/") {
		return nil // named by its address here, not by a file
	}
	place := path.Join(path.Dir(file), dest)
	if strings.HasPrefix(dest, "/") { // from the folder on, as an import looks for it
		place = path.Join(".", dest)
	}
	if !filepath.IsLocal(filepath.FromSlash(place)) {
		x.warn("%s: the picture %s would lie outside the folder and is left out", shown(file), shown(dest))
		return nil
	}
	var data []byte
	err := view(x.s.ctx, func(rd repo.Reader) error {
		var err error
		_, data, err = media.Read(x.s.ctx, rd, hash)
		return err
	})
	if errors.Is(err, apperr.NotFound) {
		x.warn("%s: the picture %s is gone", shown(file), shown(dest))
		return nil
	}
	if err != nil {
		return err
	}
	return x.put(place, "", data)
}

func (x *exporter) warn(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	x.sum.Warnings = append(x.sum.Warnings, line)
	if !x.s.json {
		_, _ = fmt.Fprintln(x.s.err, line)
	}
}

// put writes a file, unless another one is at its place.
func (x *exporter) put(place, slug string, data []byte) error {
	key := strings.ToLower(place)
	if before, taken := x.taken[key]; taken {
		if before != media.Hash(data) {
			x.note(place, slug, "conflict")
		}
		return nil
	}
	x.taken[key] = media.Hash(data)
	name := filepath.FromSlash(place)
	have, err := x.root.ReadFile(name)
	switch {
	case err == nil && bytes.Equal(have, data):
		x.note(place, slug, "unchanged")
		return nil
	case err == nil && !x.force:
		x.note(place, slug, "conflict")
		return nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return apperr.Errorf(apperr.Invalid, "%s %s.", shown(place), reason(err))
	}
	if err := x.root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return apperr.Errorf(apperr.Invalid, "The folder of %s cannot be made: %v.", shown(place), err)
	}
	if err := x.root.WriteFile(name, data, 0o644); err != nil {
		return apperr.Errorf(apperr.Invalid, "%s cannot be written: %v.", shown(place), err)
	}
	x.note(place, slug, "written")
	return nil
}

func (x *exporter) note(place, slug, status string) {
	x.sum.Files = append(x.sum.Files, exportedFile{File: place, Status: status, Slug: slug})
	switch status {
	case "written":
		x.sum.Written++
	case "unchanged":
		x.sum.Unchanged++
	case "conflict":
		x.sum.Conflicts++
		if !x.s.json {
			_, _ = fmt.Fprintf(x.s.err, "%s: another file is there; --force overwrites it\n", shown(place))
		}
	}
}
