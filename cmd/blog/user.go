package main

import (
	"context"
	"fmt"
	"strings"

	"blog/internal/accounts"
	"blog/internal/repo"
	"blog/internal/tags"
)

type userCmd struct {
	Add      userAddCmd      `cmd:"" help:"Make an author."`
	Password userPasswordCmd `cmd:"" help:"Give an author a new password and sign them out everywhere."`
	Logout   userLogoutCmd   `cmd:"" help:"Sign an author out everywhere."`
	List     userListCmd     `cmd:"" help:"List the authors."`
}

// writtenUser is the author in the answer of a write.
type writtenUser struct {
	ID    int64  `json:"id"`
	Email string `json:"email"`
}

func (s *session) saidUser(receipt repo.Receipt, u writtenUser, line string) {
	if s.json {
		s.print(struct {
			repo.Receipt
			User writtenUser `json:"user"`
		}{receipt, u})
	}
	s.say("%s", line)
}

type userAddCmd struct {
	Email        string `arg:"" help:"What the author signs in with."`
	Name         string `required:"" placeholder:"N" help:"The name that readers see."`
	PasswordFile string `required:"" placeholder:"FILE" help:"${help_user_add_file}"`
	writing
}

// Run makes the author. It hashes the password on this machine, which the plain password never
// leaves.
func (c userAddCmd) Run(s *session) error {
	password, err := s.password(c.PasswordFile)
	if err != nil {
		return err
	}
	return s.write(func(w repo.Writer) error {
		ctx, cancel := c.within(s.operator())
		defer cancel()
		in := accounts.NewUser{Email: c.Email, Name: c.Name, Password: password, Key: c.Key}
		ref, receipt, err := accounts.AddUser(ctx, w, accounts.NewHasher(accounts.DefaultParams()), in)
		if err != nil {
			return again(err, receipt.Key)
		}
		email := accounts.NormalEmail(c.Email)
		s.saidUser(receipt, writtenUser{ref.ID, email}, email+" is an author now.")
		return nil
	})
}

type userPasswordCmd struct {
	Email        string `arg:"" help:"The author's e-mail address."`
	PasswordFile string `required:"" placeholder:"FILE" help:"${help_user_reset_file}"`
	writing
}

// Run sets the password, and ends the author's sessions.
func (c userPasswordCmd) Run(s *session) error {
	password, err := s.password(c.PasswordFile)
	if err != nil {
		return err
	}
	return s.write(func(w repo.Writer) error {
		ctx, cancel := c.within(s.operator())
		defer cancel()
		ref, receipt, err := accounts.ResetPassword(ctx, w, accounts.NewHasher(accounts.DefaultParams()), c.Email, password,
			c.Key)
		if err != nil {
			return again(err, receipt.Key)
		}
		email := accounts.NormalEmail(c.Email)
		s.saidUser(receipt, writtenUser{ref.UserID, email}, email+" has a new password and is signed out everywhere.")
		return nil
	})
}

type userLogoutCmd struct {
	Email string `arg:"" help:"The author's e-mail address."`
	writing
}

// Run ends the author's sessions.
func (c userLogoutCmd) Run(s *session) error {
	return s.write(func(w repo.Writer) error {
		ctx, cancel := c.within(s.operator())
		defer cancel()
		ended, receipt, err := accounts.LogoutUser(ctx, w, c.Email, c.Key)
		if err != nil {
			return again(err, receipt.Key)
		}
		email := accounts.NormalEmail(c.Email)
		s.saidUser(receipt, writtenUser{ended.UserID, email},
			fmt.Sprintf("%s is signed out everywhere (%d sessions).", email, ended.Sessions))
		return nil
	})
}

type userListCmd struct{}

// Run lists the authors of this node's copy.
func (userListCmd) Run(s *session) error {
	return list(s, accounts.List, func(u accounts.User) string { return u.Email + "  " + u.Name })
}

// password returns the first line of a file.
func (s *session) password(file string) (string, error) {
	text, err := s.readText(file)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSuffix(line, "\r"), nil
}

type tagCmd struct {
	List tagListCmd `cmd:"" help:"List all tags with the number of published posts."`
}

type tagListCmd struct{}

// Run lists the tags of this node's copy.
func (tagListCmd) Run(s *session) error {
	return list(s, tags.All, func(t tags.Tag) string { return fmt.Sprintf("%5d  %s", t.Count, t.Label) })
}

// list prints what read returns from this node's copy, as JSON or a line for each.
func list[T any](
	s *session, read func(ctx context.Context, rd repo.Reader) ([]T, error), line func(one T) string,
) error {
	all := []T{} // empty, the JSON is a list too
	err := s.read(func(rd repo.Reader) error {
		found, err := read(s.ctx, rd)
		all = append(all[:0], found...)
		return err
	})
	if err != nil {
		return err
	}
	if s.json {
		s.print(all)
	}
	for _, one := range all {
		s.say("%s", line(one))
	}
	return nil
}
