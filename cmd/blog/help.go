package main

import (
	"maps"

	"github.com/alecthomas/kong"

	"blog/internal/app"
)

// helpTexts returns the longer help texts by the names that the tags use.
func helpTexts() kong.Vars {
	texts := kong.Vars{
		"help_compose_at": "Its date; one to come schedules it. A day, or a day and a time, in BLOG_TIMEZONE where it " +
			"names no zone.",
		"help_compose_file": "Its Markdown, or - for standard input. Front matter in it counts where no flag says " +
			"otherwise.",
		"help_compose_tag": "Its tags, in place of those it has; may be given several times.",
		"help_compose_revision": "The revision that this edit was made on (default: whatever it is by then). Another " +
			"one is refused as a conflict.",
		"help_import_author": "E-mail address or name of the author of files that name none, or one who is nobody here.",
		"help_import_from": "The folder: its Markdown files (.md, .markdown, .mkd, .mdown, .mdx), those in folders below " +
			"too, and the pictures that they name, which may lie in static, public or assets as well. Or the file that " +
			"WordPress (XML), Ghost or WriteFreely (JSON) has exported; its pictures may lie beside it, in wp-content/uploads " +
			"or content/images.",
		"help_import_root": "A folder above it, in which the pictures may lie too; for an exported file, any folder.",
		"help_main_key": "Idempotency key: the same command with the same key is carried out once. Honoured for 30 " +
			"days.",
		"help_post_at": "When; a date to come schedules the post. A day, or a day and a time, in BLOG_TIMEZONE where " +
			"it names no zone.",
		"help_serve_config":    "LiteFS's configuration (default: ./litefs.yml, ~/litefs.yml or /etc/litefs.yml).",
		"help_serve_child":     "What to run on the node, after --; default: this program's serve.",
		"help_user_add_file":   "The file whose first line is the password, or - for standard input.",
		"help_user_reset_file": "The file whose first line is the new password, or - for standard input.",
	}
	maps.Copy(texts, app.HelpTexts())
	return texts
}
