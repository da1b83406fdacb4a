// Package powerloss is a file system that loses what was not synced, as a disk does when the power
// fails.
//
// A Disk covers a folder, whose files have what a running program sees. In memory it has, for each
// file, what is not synced yet, and for the folders, which changes of names may still be lost. Lose
// undoes some of that, drawn from a seed, and leaves in the folder what a machine would find after
// a restart. Serve mounts a Disk with FUSE.
//
// The rules are ext4's (data=ordered, delayed allocation), according to the kernel's documentation
// and source, and in the weakest form that a program may meet:
//
//   - Data that was written and not synced has reached the disk page by page, or not: each page is as
//     after the last sync, or as after any write since. One page in eight is torn between two of
//     these, at a sector of 512 bytes.
//   - A file that grew has the length of what has reached the disk of it. What is missing below that
//     reads as zeros.
//   - Creating, linking, renaming and removing a name, making and removing a folder, and truncating a
//     file are changes of the journal. They survive in order: some first part of them, and nothing
//     after. A truncation cuts what is on the disk, written out or not.
//   - Syncing a file or a folder makes every change durable up to the last one that changed that file
//     or folder, a new file's name and a renamed file's new name among them. fdatasync does not wait
//     for a file's renaming, linking or removal.
//   - Data in newly allocated blocks is there only if all changes before its writing are.
//
// The rules are stricter than ext4's in two ways. Blocks that are allocated while a file is synced
// carry no other file's changes along (as with ext4's fast_commit), and renaming a file over
// another one does not write it out (no auto_da_alloc). Modes, owners and times of files are never
// lost. Symbolic links, devices and extended attributes are not supported.
//
// Source: Documentation/filesystems/ext4/journal.rst and fs/ext4/{fsync,inode,namei}.c of Linux.
package powerloss
