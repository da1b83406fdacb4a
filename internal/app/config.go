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

// Config is what a node is told, by flags or by the environment. What is left
// empty has its default.
type Config struct {
	DatabasePath    string        `name:"database-path" env:"DATABASE_PATH" default:"data/blog.db" placeholder:"FILE" help:"The database file (${env}; default ${default})."`
	ListenAddr      string        `name:"listen-addr" env:"LISTEN_ADDR" default:":4000" placeholder:"ADDR" help:"Where readers are served (${env}; default ${default})."`
	PrivateAddr     string        `name:"private-addr" env:"PRIVATE_ADDR" default:"127.0.0.1:4001" placeholder:"ADDR" help:"The private listener, for other nodes and the command line; never to be reached from outside (${env}; default ${default})."`
	LiteFSURL       string        `name:"litefs-url" env:"LITEFS_URL" placeholder:"URL" help:"LiteFS's API on this machine, such as http://localhost:20202; empty: no LiteFS (${env})."`
	LiteFSSelf      string        `name:"litefs-self" env:"LITEFS_SELF" hidden:"" help:"The name under which this node would be primary; set by blog mount."`
	PrimaryURL      string        `name:"primary-url" env:"PRIMARY_URL" placeholder:"TEMPLATE" help:"The primary's private listener, with {hostname} for LiteFS's lease.hostname, such as http://{hostname}.vm.APP.internal:4001 (${env})."`
	ClusterSecret   string        `name:"cluster-secret" env:"CLUSTER_SECRET" placeholder:"SECRET" help:"What nodes know each other by; the same on all, needed with LiteFS (${env})."`
	Durability      string        `name:"durability" env:"DURABILITY" placeholder:"POLICY" help:"When a write is acknowledged: two (a standby has it too; the primary alone when the standby is lost), strict (never alone), local (a plain file, or a static lease) (${env}; default two where a standby can be elected)."`
	DurabilityWait  time.Duration `name:"durability-wait" env:"DURABILITY_WAIT" default:"5s" placeholder:"TIME" help:"How long after a standby's last report the primary goes on alone (${env}; default ${default})."`
	DurabilityStall time.Duration `name:"durability-stall" env:"DURABILITY_STALL" default:"20s" placeholder:"TIME" help:"The same for a standby that reports, but whose copy stands still while writes wait for it (${env}; default ${default})."`
	WriteStall      time.Duration `name:"write-stall" env:"WRITE_STALL" default:"20s" placeholder:"TIME" help:"For how long all commits may fail, at least three, before the primary hands over to another member of the sync set, or ends (${env}; default ${default})."`
	LiteFSControl   string        `name:"litefs-control" env:"LITEFS_CONTROL" hidden:"" help:"The socket that blog mount and its child share; set by it."`
	LiteFSMember    string        `name:"litefs-member" env:"LITEFS_MEMBER" hidden:"" help:"The id of this node's data directory; set by blog mount."`
	LiteFSCandidate bool          `name:"litefs-candidate" env:"LITEFS_CANDIDATE" hidden:"" help:"Whether this node may be elected; set by blog mount."`
	PublicURL       string        `name:"public-url" env:"PUBLIC_URL" placeholder:"URL" help:"The site's address as readers see it (${env}; default http://localhost:4000)."`
	Region          string        `name:"region" env:"REGION" help:"The region this node is in (${env})."`
	Node            string        `name:"node" env:"NODE" help:"This node's name (${env}; default: the machine's)."`
	ClientIPHeader  string        `name:"client-ip-header" env:"CLIENT_IP_HEADER" placeholder:"HEADER" help:"The header in which the proxy in front says where a request comes from, such as Fly-Client-IP (${env})."`
	Title           string        `name:"blog-title" env:"BLOG_TITLE" default:"A blog" placeholder:"TEXT" help:"What the blog is called (${env})."`
	Description     string        `name:"blog-description" env:"BLOG_DESCRIPTION" placeholder:"TEXT" help:"What it is about, in a sentence (${env})."`
	Language        string        `name:"blog-language" env:"BLOG_LANGUAGE" default:"en" placeholder:"TAG" help:"Its language, such as en or pt-BR (${env}; default ${default})."`
	Timezone        string        `name:"blog-timezone" env:"BLOG_TIMEZONE" default:"UTC" placeholder:"NAME" help:"The zone of days and of dates without one, such as Europe/Lisbon (${env}; default ${default})."`
}

// Defaults returns c with what is empty filled in. The public address is made
// from the port when it is not given.
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

// UnderLiteFS reports whether the database is LiteFS's: said to be, or in fact.
// The command line is often run without the environment of the server.
func (c Config) UnderLiteFS() bool {
	return c.LiteFSURL != "" || litefs.CheckMount(c.DatabasePath) == nil
}

// Location returns the zone of BLOG_TIMEZONE.
func (c Config) Location() (*time.Location, error) {
	loc, err := time.LoadLocation(c.Timezone)
	if err != nil || c.Timezone == "Local" {
		return nil, fmt.Errorf("BLOG_TIMEZONE %q is not a time zone: write a name such as UTC or Europe/Lisbon", c.Timezone)
	}
	return loc, nil
}

// Address is where readers reach the site as far as the configuration says,
// without a slash at its end; "" where only the server knows its port.
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

// site returns PUBLIC_URL, made from the public listener's port when not given.
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
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return nil, fmt.Errorf("PUBLIC_URL %q is not the address of a site: write one such as https://example.org, without a path", c.PublicURL)
	}
	u.Path = ""
	return u, nil
}

// check refuses what would go wrong later, in one line that says what to change.
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
		return fmt.Errorf("CLUSTER_SECRET has %d characters: use at least %d random ones, such as `openssl rand -hex 32` gives", len(c.ClusterSecret), minSecret)
	}
	if err := c.checkDurability(); err != nil {
		return err
	}
	if c.LiteFSURL == "" {
		return c.checkStatic()
	}
	switch {
	case c.ClusterSecret == "":
		return errors.New("LITEFS_URL is set without CLUSTER_SECRET: nodes would take writes from anybody; set the same secret on every node")
	case c.PrimaryURL == "":
		return errors.New("LITEFS_URL is set without PRIMARY_URL: writes could not be forwarded; set a template such as http://{hostname}.vm.APP.internal:4001")
	case !strings.Contains(c.PrimaryURL, "{hostname}"):
		return fmt.Errorf("PRIMARY_URL %q has no {hostname}, which stands for LiteFS's lease.hostname of the primary", c.PrimaryURL)
	}
	if err := c.checkReach(); err != nil {
		return err
	}
	return litefs.CheckMount(c.DatabasePath)
}

// checkReach refuses a private listener that only this machine can reach under a name
// that says otherwise: as primary this node would get no call of the others.
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
	return fmt.Errorf("PRIVATE_ADDR %s can be reached from this machine alone, but other nodes are told to find it at %s: set PRIVATE_ADDR to an address of the private network, such as :4001", c.PrivateAddr, address)
}

func (c Config) checkStatic() error {
	if c.UnderLiteFS() {
		return fmt.Errorf("DATABASE_PATH %s is inside LiteFS's mount, but LITEFS_URL is not set: this node would write whatever its role", c.DatabasePath)
	}
	if c.ClusterSecret == "" && !loopback(c.PrivateAddr) {
		return fmt.Errorf("PRIVATE_ADDR %s can be reached from other machines: set CLUSTER_SECRET, or an address on 127.0.0.1", c.PrivateAddr)
	}
	return nil
}

// minSecret is the shortest CLUSTER_SECRET taken, in bytes.
const minSecret = 16

func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
