package main

import (
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
	PasswordFile string `required:"" placeholder:"FILE" help:"The file whose first line is the password, or - for standard input."`
	writing
}

// Run makes the author. The password is hashed here and never leaves this machine.
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
	PasswordFile string `required:"" placeholder:"FILE" help:"The file whose first line is the new password, or - for standard input."`
	writing
}

// Run sets the password.
func (c userPasswordCmd) Run(s *session) error {
	password, err := s.password(c.PasswordFile)
	if err != nil {
		return err
	}
	return s.write(func(w repo.Writer) error {
		ctx, cancel := c.within(s.operator())
		defer cancel()
		ref, receipt, err := accounts.ResetPassword(ctx, w, accounts.NewHasher(accounts.DefaultParams()), c.Email, password, c.Key)
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
		s.saidUser(receipt, writtenUser{ended.UserID, email}, fmt.Sprintf("%s is signed out everywhere (%d sessions).", email, ended.Sessions))
		return nil
	})
}

type userListCmd struct{}

// Run lists the authors of this node's copy.
func (userListCmd) Run(s *session) error {
	users := []accounts.User{}
	err := s.read(func(rd repo.Reader) error {
		list, err := accounts.List(s.ctx, rd)
		users = append(users[:0], list...)
		return err
	})
	if err != nil {
		return err
	}
	if s.json {
		s.print(users)
	}
	for _, u := range users {
		s.say("%s  %s", u.Email, u.Name)
	}
	return nil
}

// password reads the first line of a file.
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
	list := []tags.Tag{}
	err := s.read(func(rd repo.Reader) error {
		all, err := tags.All(s.ctx, rd)
		list = append(list[:0], all...)
		return err
	})
	if err != nil {
		return err
	}
	if s.json {
		s.print(list)
	}
	for _, t := range list {
		s.say("%5d  %s", t.Count, t.Label)
	}
	return nil
}
