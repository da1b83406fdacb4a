//go:build linux

package powerloss_test

import (
	"testing"

	"blog/test/powerloss"
)

// TestFreeze: what comes after it waits for the loss, and fails.
func TestFreeze(t *testing.T) {
	dir := t.TempDir()
	d := mustOpen(t, dir, powerloss.Options{})
	d.put("f", "x")
	d.sync("f")
	root := d.Root()
	frozen := d.Freeze(2)
	d.write("f", 0, "y")
	select {
	case <-frozen:
		t.Error("frozen after one change of two")
	default:
	}
	d.sync("f")
	<-frozen
	failed := make(chan error, 1)
	go func() {
		_, err := root.Create("g", 0o600, true)
		failed <- err
	}()
	if _, err := d.Lose(1); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err == nil {
		t.Error("a file was created on a disk without power")
	}
	if got := show(t, dir); got != "f=y" {
		t.Errorf("left: %s, want %q", got, "f=y")
	}
	if _, err := d.Lose(2); err == nil {
		t.Error("it lost twice")
	}
}

// TestThaw: what waits since Freeze happens, nothing is lost by it, and the disk may be frozen again.
func TestThaw(t *testing.T) {
	dir := t.TempDir()
	d := mustOpen(t, dir, powerloss.Options{})
	for _, name := range []string{"f", "g"} {
		<-d.Freeze(0)
		made := make(chan error, 1)
		go func() {
			_, err := d.Root().Create(name, 0o600, true)
			made <- err
		}()
		select {
		case err := <-made:
			t.Errorf("%s was made on a frozen disk, %v", name, err)
			made <- err
		default:
		}
		d.Thaw()
		if err := <-made; err != nil {
			t.Errorf("%s, after the thaw: %v", name, err)
		}
	}
	d.Thaw() // of a disk that is not frozen
	if got, want := show(t, dir), "f= g="; got != want {
		t.Errorf("the disk has %q, want %q", got, want)
	}
}
