package mount

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Config is litefs.yml. Keys and defaults are those of LiteFS v0.5.14 (its cmd/litefs/config.go).
type Config struct {
	ExitOnError  bool `yaml:"exit-on-error"`
	SkipSync     bool `yaml:"skip-sync"`
	StrictVerify bool `yaml:"strict-verify"`

	Exec Commands `yaml:"exec"`

	Data    Data    `yaml:"data"`
	FUSE    FUSE    `yaml:"fuse"`
	HTTP    HTTP    `yaml:"http"`
	Proxy   Proxy   `yaml:"proxy"`
	Lease   Lease   `yaml:"lease"`
	Backup  Backup  `yaml:"backup"`
	Log     Log     `yaml:"log"`
	Tracing Tracing `yaml:"tracing"`
}

// Command is one line of exec.
type Command struct {
	Cmd         string `yaml:"cmd"`
	IfCandidate bool   `yaml:"if-candidate"`
}

// Commands is exec: one command as text, or a list.
type Commands []Command

// Data is where databases and transaction files are stored.
type Data struct {
	Dir                      string        `yaml:"dir"`
	Compress                 bool          `yaml:"compress"`
	Retention                time.Duration `yaml:"retention"`
	RetentionMonitorInterval time.Duration `yaml:"retention-monitor-interval"`
}

// FUSE says where the application finds its databases.
type FUSE struct {
	Dir        string `yaml:"dir"`
	AllowOther bool   `yaml:"allow-other"`
	Debug      bool   `yaml:"debug"`
}

// HTTP is LiteFS's own API, which the other nodes and the application use. It has no authentication.
type HTTP struct {
	Addr            string        `yaml:"addr"`
	SnapshotTimeout time.Duration `yaml:"snapshot-timeout"`
}

// Proxy is recognised and refused.
type Proxy struct {
	Addr                   string        `yaml:"addr"`
	Target                 string        `yaml:"target"`
	DB                     string        `yaml:"db"`
	MaxLag                 time.Duration `yaml:"max-lag"`
	Debug                  bool          `yaml:"debug"`
	Passthrough            []string      `yaml:"passthrough"`
	AlwaysForward          []string      `yaml:"always-forward"`
	PrimaryRedirectTimeout time.Duration `yaml:"primary-redirect-timeout"`
	ReadTimeout            time.Duration `yaml:"read-timeout"`
	ReadHeaderTimeout      time.Duration `yaml:"read-header-timeout"`
	WriteTimeout           time.Duration `yaml:"write-timeout"`
	IdleTimeout            time.Duration `yaml:"idle-timeout"`
}

// Lease says who may be primary.
type Lease struct {
	Type           string        `yaml:"type"`
	Hostname       string        `yaml:"hostname"`
	AdvertiseURL   string        `yaml:"advertise-url"`
	Candidate      bool          `yaml:"candidate"`
	Promote        bool          `yaml:"promote"`
	ReconnectDelay time.Duration `yaml:"reconnect-delay"`
	DemoteDelay    time.Duration `yaml:"demote-delay"`
	Databases      []string      `yaml:"databases"`
	Consul         Consul        `yaml:"consul"`
}

// Consul is where the lease is stored when its type is consul.
type Consul struct {
	URL       string        `yaml:"url"`
	Key       string        `yaml:"key"`
	TTL       time.Duration `yaml:"ttl"`
	LockDelay time.Duration `yaml:"lock-delay"`
}

// Backup is recognised and refused.
type Backup struct {
	Type      string `yaml:"type"`
	Path      string `yaml:"path"`
	URL       string `yaml:"url"`
	Cluster   string `yaml:"cluster"`
	AuthToken string `yaml:"auth-token"`
}

// Log is the form of the node's own log.
type Log struct {
	Format    string `yaml:"format"`
	Timestamp bool   `yaml:"timestamp"`
	Debug     bool   `yaml:"debug"`
}

// Tracing is recognised and refused when it is on. LiteFS turns it on when a path is given without `enabled`.
type Tracing struct {
	Enabled  *bool  `yaml:"enabled"`
	Path     string `yaml:"path"`
	MaxSize  int    `yaml:"max-size"`
	MaxCount int    `yaml:"max-count"`
	Compress bool   `yaml:"compress"`
}

// LiteFS's defaults.
const (
	defaultDataDir  = "/var/lib/litefs"
	defaultMountDir = "/litefs"
	defaultAddr     = ":20202"
)

func defaults() Config {
	return Config{
		ExitOnError: true,
		Data: Data{
			Dir: defaultDataDir, Compress: true,
			Retention: 10 * time.Minute, RetentionMonitorInterval: time.Minute,
		},
		FUSE:  FUSE{Dir: defaultMountDir},
		HTTP:  HTTP{Addr: defaultAddr},
		Lease: Lease{Candidate: true, ReconnectDelay: time.Second, DemoteDelay: 10 * time.Second},
		Log:   Log{Format: "text"},
	}
}

// Load reads and checks the configuration at path, or the first of ./litefs.yml, ~/litefs.yml and
// /etc/litefs.yml when path is "". env looks up an environment variable and returns "" for one that is not set,
// as os.Getenv does. Errors are one line and start with the file's name.
func Load(path string, env func(string) string) (Config, error) {
	text, path, err := readConfig(path, env)
	if err != nil {
		return Config{}, err
	}
	cfg := defaults()
	expanded, err := expand(string(text), env)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	dec := yaml.NewDecoder(strings.NewReader(expanded))
	dec.KnownFields(true)
	if err := dec.Decode(&cfg); err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, oneLine(err))
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return Config{}, fmt.Errorf("%s: more than one YAML document", path)
	}
	if err := cfg.check(); err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return cfg, nil
}

// readConfig returns the file's text and name.
func readConfig(path string, env func(string) string) ([]byte, string, error) {
	if path != "" {
		text, err := os.ReadFile(filepath.Clean(path))
		if err != nil {
			return nil, path, fmt.Errorf("read configuration: %w", err)
		}
		return text, path, nil
	}
	places := []string{"litefs.yml", filepath.Join(env("HOME"), "litefs.yml"), "/etc/litefs.yml"}
	for _, p := range places {
		text, err := os.ReadFile(filepath.Clean(p))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, p, fmt.Errorf("read configuration: %w", err)
		}
		return text, p, nil
	}
	return nil, "", fmt.Errorf("no configuration: none of %s exists", strings.Join(places, ", "))
}

// oneLine joins the lines of YAML's list of errors.
func oneLine(err error) error {
	var list *yaml.TypeError
	if errors.As(err, &list) {
		return errors.New(strings.Join(list.Errors, "; "))
	}
	if errors.Is(err, io.EOF) {
		return errors.New("it is empty")
	}
	return err
}

// The comparisons that may stand in ${}: a variable with a text in quotes, or with another variable.
var (
	compareText = regexp.MustCompile(`^(\w+)\s*(==|!=)\s*(?:'(.*)'|"(.*)")$`)
	compareVar  = regexp.MustCompile(`^(\w+)\s*(==|!=)\s*(\w+)$`)
)

// expand replaces $NAME, ${NAME} and comparisons such as ${REGION == 'ams'}, which become true or false, as
// LiteFS does. HOSTNAME falls back to the system's. Two variables that are both not set are an error here, where
// LiteFS finds them equal.
func expand(s string, env func(string) string) (string, error) {
	var blank error
	get := func(name string) string {
		if v := env(name); v != "" || name != "HOSTNAME" {
			return v
		}
		host, _ := os.Hostname() // as in LiteFS: no name is an empty one
		return host
	}
	out := os.Expand(s, func(expr string) string {
		expr = strings.TrimSpace(expr)
		if m := compareText.FindStringSubmatch(expr); m != nil {
			return strconv.FormatBool((get(m[1]) == m[3]+m[4]) == (m[2] == "=="))
		}
		if m := compareVar.FindStringSubmatch(expr); m != nil {
			if get(m[1]) == "" && get(m[3]) == "" {
				blank = fmt.Errorf("${%s}: neither %s nor %s is set, which would make them equal on every node; set both", expr,
					m[1], m[3])
			}
			return strconv.FormatBool((get(m[1]) == get(m[3])) == (m[2] == "=="))
		}
		return get(expr)
	})
	return out, blank
}

// UnmarshalYAML implements yaml.Unmarshaler. A nested Decode is not strict, so the keys are checked here.
func (c *Commands) UnmarshalYAML(node *yaml.Node) error {
	switch node.Tag {
	case "!!null":
		return nil
	case "!!str":
		*c = Commands{{Cmd: node.Value}}
		return nil
	case "!!seq":
		for _, item := range node.Content {
			for i := 0; item.Kind == yaml.MappingNode && i < len(item.Content); i += 2 {
				if key := item.Content[i]; key.Value != "cmd" && key.Value != "if-candidate" {
					return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: exec has no key %q", key.Line, key.Value)}}
				}
			}
		}
		return node.Decode((*[]Command)(c))
	default:
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: exec is a command or a list of commands", node.Line)}}
	}
}
