package media

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

func isGIF(data []byte) bool {
	return bytes.HasPrefix(data, []byte("GIF87a")) || bytes.HasPrefix(data, []byte("GIF89a"))
}

func inspectGIF(data []byte) (width, height int, err error) {
	if len(data) < 13 {
		return 0, 0, truncated("GIF")
	}
	return int(binary.LittleEndian.Uint16(data[6:])), int(binary.LittleEndian.Uint16(data[8:])), nil
}

// gifReader reads a GIF (GIF89a specification) block by block.
type gifReader struct {
	data []byte
	at   int
}

// read returns the next n bytes.
func (g *gifReader) read(n int) ([]byte, error) {
	if n > len(g.data)-g.at {
		return nil, truncated("GIF")
	}
	b := g.data[g.at : g.at+n]
	g.at += n
	return b, nil
}

// subBlocks skips length-prefixed blocks up to the empty one that ends them.
func (g *gifReader) subBlocks() error {
	for {
		n, err := g.read(1)
		if err != nil {
			return err
		}
		if n[0] == 0 {
			return nil
		}
		if _, err := g.read(int(n[0])); err != nil {
			return err
		}
	}
}

// colours returns the size in bytes of the colour table that a byte of flags announces.
func colours(flags byte) int {
	if flags&0x80 == 0 {
		return 0
	}
	return 3 << (flags&7 + 1)
}

// image skips an image behind its introducer.
func (g *gifReader) image() error {
	d, err := g.read(9)
	if err != nil {
		return err
	}
	if err := checkSize(int(binary.LittleEndian.Uint16(d[4:])), int(binary.LittleEndian.Uint16(d[6:]))); err != nil {
		return err
	}
	if _, err := g.read(colours(d[8]) + 1); err != nil { // with the code size
		return err
	}
	return g.subBlocks()
}

func stripGIF(data []byte) ([]byte, error) {
	g := &gifReader{data: data}
	head, err := g.read(13)
	if err != nil {
		return nil, err
	}
	if _, err := g.read(colours(head[10])); err != nil {
		return nil, err
	}
	out := append(make([]byte, 0, len(data)), data[:g.at]...)
	var control []byte // precedes the image that it is about
	images := 0
	for {
		start := g.at
		intro, err := g.read(1)
		if err != nil {
			return nil, err
		}
		switch intro[0] {
		case 0x3B:
			if images == 0 {
				return nil, truncated("GIF")
			}
			return append(out, 0x3B), nil
		case 0x2C:
			if err := g.image(); err != nil {
				return nil, err
			}
			out = append(append(out, control...), data[start:g.at]...)
			control = nil
			images++
		case 0x21:
			label, err := g.read(1)
			if err != nil {
				return nil, err
			}
			if err := g.subBlocks(); err != nil {
				return nil, err
			}
			switch block := data[start:g.at]; label[0] {
			case 0xF9:
				control = block
			case 0x01: // a viewer shows no text drawn over the picture, but the text uses up its control
				control = nil
			case 0xFF:
				out = append(out, retainedApplication(block)...)
			}
		default:
			return nil, fmt.Errorf("%w: unknown GIF block %#x at byte %d", ErrDamaged, intro[0], start)
		}
	}
}

// retainedApplication returns the retained part of an application extension: how often an animation
// runs, or the colour profile. XMP, which has the position, is dropped.
func retainedApplication(block []byte) []byte {
	if len(block) < 14 || block[2] != 11 {
		return nil
	}
	switch name := string(block[3:14]); name {
	case "NETSCAPE2.0", "ANIMEXTS1.0":
		// Sub-block: length 3, id 1, loop count.
		if len(block) >= 18 && block[14] == 3 && block[15] == 1 {
			return append(bytes.Clone(block[:18]), 0)
		}
	case "ICCRGBG1012":
		return block
	}
	return nil
}
