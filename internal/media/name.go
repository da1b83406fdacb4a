package media

import (
	"bytes"
	"fmt"
	"net/url"
	"path"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// maxName is the length in bytes of the longest stem of a file name in an address. It keeps the
// percent-encoded address, in any script, below what proxies accept.
const maxName = 120

// Address returns the address at which a picture is served: its content hash, which makes the
// answer immutable, and a percent-encoded name for people.
func Address(hash, name string) string {
	return "/media/" + hash + "/" + url.PathEscape(name)
}

// SafeName returns a file name that is safe in an address, in a header and on a disk. It retains
// letters, marks and digits of every script, dashes, underscores and dots. It drops the folder,
// replaces anything else by a dash, and replaces the extension by ext, that of the content with its
// dot.
func SafeName(name, ext string) string {
	name = strings.ToValidUTF8(name, "-")
	name = norm.NFC.String(name)
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	if old := path.Ext(name); old != "" && len(old) <= 6 {
		name = strings.TrimSuffix(name, old)
	}
	var b strings.Builder
	dash := false
	for _, r := range name {
		if !unicode.In(r, unicode.L, unicode.M, unicode.N) && r != '_' && r != '.' {
			dash = true
			continue
		}
		if dash && b.Len() > 0 {
			b.WriteByte('-')
		}
		dash = false
		if b.Len() >= maxName {
			break
		}
		b.WriteRune(r)
	}
	stem := strings.Trim(b.String(), "-._")
	for strings.Contains(stem, "..") {
		stem = strings.ReplaceAll(stem, "..", ".")
	}
	// A mark needs a letter before it. At the beginning it would combine with the slash.
	stem = strings.TrimLeftFunc(stem, func(r rune) bool {
		return unicode.In(r, unicode.M) || strings.ContainsRune("-._", r)
	})
	if stem == "" {
		stem = "image"
	}
	return stem + ext
}

// unsupported returns an error that says what the file seems to be, when that helps its author.
func unsupported(data []byte) error {
	head := bytes.ToLower(bytes.TrimLeft(data[:min(len(data), 1024)], "\xef\xbb\xbf \t\r\n"))
	switch {
	case bytes.HasPrefix(head, []byte("<svg")), bytes.HasPrefix(head, []byte("<?xml")),
		bytes.HasPrefix(head, []byte("<!doctype svg")):
		return fmt.Errorf("%w; SVG is refused because it can carry scripts: export it as PNG", ErrUnsupported)
	case bytes.HasPrefix(head, []byte("<")):
		return fmt.Errorf("%w; this is a page, not a picture", ErrUnsupported)
	case len(data) >= 12 && string(data[4:8]) == "ftyp":
		return fmt.Errorf("%w; this is HEIC, AVIF or a film: save it as JPEG", ErrUnsupported)
	case bytes.HasPrefix(data, []byte("II*\x00")), bytes.HasPrefix(data, []byte("MM\x00*")):
		return fmt.Errorf("%w; this is TIFF: save it as PNG or JPEG", ErrUnsupported)
	case bytes.HasPrefix(data, []byte("BM")):
		return fmt.Errorf("%w; this may be BMP: save it as PNG", ErrUnsupported)
	}
	return ErrUnsupported
}
