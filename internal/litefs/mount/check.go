package mount

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"reflect"
)

// The kinds of lease.
const (
	leaseStatic = "static"
	leaseConsul = "consul"
)

// check refuses what cannot work and what would be ignored, and fills in what follows from the machine.
func (c *Config) check() error {
	for _, check := range []func() error{c.unsupported, c.checkPlaces, c.checkLease, c.checkCommands} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// unsupported names the first key whose meaning this node does not carry out.
func (c *Config) unsupported() error {
	tracing := c.Tracing.Enabled != nil && *c.Tracing.Enabled || c.Tracing.Enabled == nil && c.Tracing.Path != ""
	switch {
	case !reflect.ValueOf(c.Proxy).IsZero():
		return errors.New("proxy is not supported: the application forwards writes itself; remove the section")
	case !reflect.ValueOf(c.Backup).IsZero():
		return errors.New("backup is not supported; remove the section")
	case tracing:
		return errors.New("tracing is not supported; set tracing.enabled to false")
	case c.Lease.Promote:
		return errors.New("lease.promote is not supported; set it to false")
	case !c.ExitOnError:
		return errors.New("exit-on-error: false is not supported; this node always exits on an error")
	case c.Log.Format != "text" && c.Log.Format != "json":
		return fmt.Errorf("log.format is text or json, not %q", c.Log.Format)
	}
	return nil
}

func (c *Config) checkPlaces() error {
	switch {
	case c.FUSE.Dir == "":
		return errors.New("fuse.dir is empty")
	case c.Data.Dir == "":
		return errors.New("data.dir is empty")
	case c.FUSE.Dir == c.Data.Dir:
		return errors.New("fuse.dir and data.dir are the same folder")
	case c.HTTP.Addr == "":
		return errors.New("http.addr is empty")
	}
	if _, _, err := net.SplitHostPort(c.HTTP.Addr); err != nil {
		return fmt.Errorf("http.addr %q is not of the form host:port", c.HTTP.Addr)
	}
	return nil
}

func (c *Config) checkLease() error {
	l := &c.Lease
	if l.Candidate && len(l.Databases) > 0 {
		return errors.New("lease.databases: a candidate has every database; set lease.candidate to false or remove the list")
	}
	switch l.Type {
	case leaseStatic:
		return c.checkStatic()
	case leaseConsul:
		return c.checkConsul()
	default:
		return fmt.Errorf("lease.type is consul or static, not %q", l.Type)
	}
}

// checkStatic requires both names of the primary on every node: there is no other source for them.
func (c *Config) checkStatic() error {
	l := &c.Lease
	if l.AdvertiseURL == "" {
		return errors.New("lease.advertise-url is needed with a static lease: the address of the primary's http.addr, the " +
			"same on every node")
	}
	if l.Hostname == "" {
		return errors.New("lease.hostname is needed with a static lease: the primary's name, the same on every node, from " +
			"which the application makes the address for writes")
	}
	return checkURL("lease.advertise-url", l.AdvertiseURL)
}

func (c *Config) checkConsul() error {
	l := &c.Lease
	if l.Consul.URL == "" {
		return errors.New("lease.consul.url is needed with a consul lease")
	}
	if l.Consul.Key == "" {
		return errors.New("lease.consul.key is needed with a consul lease: one key for each cluster")
	}
	if err := checkURL("lease.consul.url", l.Consul.URL); err != nil {
		return err
	}
	if l.Hostname == "" {
		host, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("lease.hostname is not set and the system has none: %w", err)
		}
		l.Hostname = host
	}
	if l.AdvertiseURL == "" {
		_, port, err := net.SplitHostPort(c.HTTP.Addr)
		if err != nil {
			return fmt.Errorf("http.addr %q is not of the form host:port", c.HTTP.Addr)
		}
		if _, _, err := net.SplitHostPort(l.Hostname); err == nil || port == "0" {
			return errors.New("lease.advertise-url is needed: it cannot be made from lease.hostname and http.addr")
		}
		l.AdvertiseURL = "http://" + net.JoinHostPort(l.Hostname, port)
	}
	return checkURL("lease.advertise-url", l.AdvertiseURL)
}

func checkURL(key, value string) error {
	u, err := url.Parse(value)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("%s %q is not of the form http://host:port", key, value)
	}
	return nil
}

func (c *Config) checkCommands() error {
	for i, cmd := range c.Exec {
		args, err := splitCommand(cmd.Cmd)
		if err != nil {
			return fmt.Errorf("exec[%d]: %w", i, err)
		}
		if len(args) == 0 {
			return fmt.Errorf("exec[%d] is empty", i)
		}
	}
	return nil
}
