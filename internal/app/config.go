package app

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"blog/internal/litefs"
)

// Config is the configuration of a node, from flags or from the environment. Empty fields have a
// default.
type Config struct {
	DatabasePath    string        `env:"DATABASE_PATH" default:"data/blog.db" placeholder:"FILE" help:"${database_path}"`
	ListenAddr      string        `env:"LISTEN_ADDR" default:":4000" placeholder:"ADDR" help:"${listen_addr}"`
	PrivateAddr     string        `env:"PRIVATE_ADDR" default:"127.0.0.1:4001" placeholder:"ADDR" help:"${private_addr}"`
	LiteFSURL       string        `name:"litefs-url" env:"LITEFS_URL" placeholder:"URL" help:"${litefs_url}"`
	LiteFSSelf      string        `name:"litefs-self" env:"LITEFS_SELF" hidden:"" help:"${litefs_self}"`
	PrimaryURL      string        `env:"PRIMARY_URL" placeholder:"TEMPLATE" help:"${primary_url}"`
	ClusterSecret   string        `env:"CLUSTER_SECRET" placeholder:"SECRET" help:"${cluster_secret}"`
	Durability      string        `env:"DURABILITY" placeholder:"POLICY" help:"${durability}"`
	DurabilityWait  time.Duration `env:"DURABILITY_WAIT" default:"5s" placeholder:"TIME" help:"${durability_wait}"`
	DurabilityStall time.Duration `env:"DURABILITY_STALL" default:"20s" placeholder:"TIME" help:"${durability_stall}"`
	WriteStall      time.Duration `env:"WRITE_STALL" default:"20s" placeholder:"TIME" help:"${write_stall}"`
	LiteFSControl   string        `name:"litefs-control" env:"LITEFS_CONTROL" hidden:"" help:"${litefs_control}"`
	LiteFSMember    string        `name:"litefs-member" env:"LITEFS_MEMBER" hidden:"" help:"${litefs_member}"`
	LiteFSCandidate bool          `name:"litefs-candidate" env:"LITEFS_CANDIDATE" hidden:"" help:"${litefs_candidate}"`
	PublicURL       string        `env:"PUBLIC_URL" placeholder:"URL" help:"${public_url}"`
	Region          string        `env:"REGION" help:"${region}"`
	Node            string        `env:"NODE" help:"${node}"`
	ClientIPHeader  string        `env:"CLIENT_IP_HEADER" placeholder:"HEADER" help:"${client_ip_header}"`
	Title           string        `name:"blog-title" env:"BLOG_TITLE" default:"A blog" placeholder:"TEXT" help:"${title}"`
	Description     string        `name:"blog-description" env:"BLOG_DESCRIPTION" placeholder:"TEXT" help:"${description}"`
	Language        string        `name:"blog-language" env:"BLOG_LANGUAGE" default:"en" placeholder:"TAG" help:"${lang}"`
	Timezone        string        `name:"blog-timezone" env:"BLOG_TIMEZONE" default:"UTC" placeholder:"NAME" help:"${tz}"`
}

// Defaults returns c with the defaults in place of empty fields. PublicURL stays empty: see
// Address.
func (c Config) Defaults() Config {
	for value, fallback := range map[*string]string{
		&c.DatabasePath: "data/blog.db", &c.ListenAddr: ":4000", &c.PrivateAddr: "127.0.0.1:4001",
		&c.Title: "A blog", &c.Language: "en", &c.Timezone: "UTC",
	} {
		if *value == "" {
			*value = fallback
		}
	}
	if c.WriteStall == 0 {
		c.WriteStall = writeStall
	}
	if c.Node == "" {
		c.Node, _ = os.Hostname() // a node without a name is only less well labelled
	}
	return c
}

// UnderLiteFS reports whether the database belongs to LiteFS, by the configuration or because it is
// in LiteFS's mount. The command line often runs without the server's environment.
func (c Config) UnderLiteFS() bool {
	return c.LiteFSURL != "" || litefs.CheckMount(c.DatabasePath) == nil
}

// Location returns the time zone of BLOG_TIMEZONE. It fails when that names none.
func (c Config) Location() (*time.Location, error) {
	loc, err := time.LoadLocation(c.Timezone)
	if err != nil || c.Timezone == "Local" {
		return nil, fmt.Errorf("BLOG_TIMEZONE %q is not a time zone: write a name such as UTC or Europe/Lisbon", c.Timezone)
	}
	return loc, nil
}

// Address returns the address at which readers reach the site, without a slash at its end. It
// returns "" when only the server knows the port.
func (c Config) Address() string {
	_, port, err := net.SplitHostPort(c.ListenAddr)
	switch {
	case c.PublicURL != "":
		return strings.TrimSuffix(c.PublicURL, "/")
	case err != nil || port == "0":
		return ""
	}
	return "http://" + net.JoinHostPort("localhost", port)
}

// site returns PUBLIC_URL, or an address on localhost with the port of the public listener when
// that is empty.
func (c Config) site(listening net.Addr) (*url.URL, error) {
	if c.PublicURL == "" {
		_, port, err := net.SplitHostPort(listening.String())
		if err != nil {
			return nil, fmt.Errorf("address of the public listener: %w", err)
		}
		return &url.URL{Scheme: "http", Host: net.JoinHostPort("localhost", port)}, nil
	}
	return c.publicURL()
}

func (c Config) publicURL() (*url.URL, error) {
	u, err := url.Parse(c.PublicURL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" ||
		u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return nil,
			fmt.Errorf("PUBLIC_URL %q is not the address of a site: write one such as https://example.org, without a path",
				c.PublicURL)
	}
	u.Path = ""
	return u, nil
}

// check returns an error of one line, which says what to change, for a configuration that would
// fail later.
func (c Config) check() error {
	if c.PublicURL != "" {
		if _, err := c.publicURL(); err != nil {
			return err
		}
	}
	if _, err := c.Location(); err != nil {
		return err
	}
	if c.ClusterSecret != "" && len(c.ClusterSecret) < minSecret {
		return fmt.Errorf("CLUSTER_SECRET has %d characters: use at least %d random ones, such as `openssl rand -hex 32` "+
			"gives", len(c.ClusterSecret), minSecret)
	}
	if err := c.checkDurability(); err != nil {
		return err
	}
	if c.LiteFSURL == "" {
		return c.checkStatic()
	}
	switch {
	case c.ClusterSecret == "":
		return errors.New("LITEFS_URL is set without CLUSTER_SECRET: nodes would take writes from anybody; set the same " +
			"secret on every node")
	case c.PrimaryURL == "":
		return errors.New("LITEFS_URL is set without PRIMARY_URL: writes could not be forwarded; set a template such as " +
			"http://{hostname}.vm.APP.internal:4001")
	case !strings.Contains(c.PrimaryURL, "{hostname}"):
		return fmt.Errorf("PRIMARY_URL %q has no {hostname}, which stands for LiteFS's lease.hostname of the primary",
			c.PrimaryURL)
	}
	if err := c.checkReach(); err != nil {
		return err
	}
	return litefs.CheckMount(c.DatabasePath)
}

// checkReach refuses a private listener that only this machine can reach when other nodes are given
// an address elsewhere for it: as primary this node would receive none of their calls.
func (c Config) checkReach() error {
	if c.LiteFSSelf == "" || !loopback(c.PrivateAddr) {
		return nil
	}
	address, err := litefs.Address(c.PrimaryURL, c.LiteFSSelf)
	if err != nil {
		return err
	}
	if u, err := url.Parse(address); err != nil || loopback(net.JoinHostPort(u.Hostname(), "0")) {
		return err
	}
	return fmt.Errorf("PRIVATE_ADDR %s can be reached from this machine alone, but other nodes are told to find it at "+
		"%s: set PRIVATE_ADDR to an address of the private network, such as :4001", c.PrivateAddr, address)
}

func (c Config) checkStatic() error {
	if c.UnderLiteFS() {
		return fmt.Errorf("DATABASE_PATH %s is inside LiteFS's mount, but LITEFS_URL is not set: this node would write "+
			"whatever its role", c.DatabasePath)
	}
	if c.ClusterSecret == "" && !loopback(c.PrivateAddr) {
		return fmt.Errorf("PRIVATE_ADDR %s can be reached from other machines: set CLUSTER_SECRET, "+
			"or an address on 127.0.0.1", c.PrivateAddr)
	}
	return nil
}

// minSecret is the length of the shortest CLUSTER_SECRET that is accepted, in bytes.
const minSecret = 16

// loopback reports whether addr, host and port, is one that only this machine can reach.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
