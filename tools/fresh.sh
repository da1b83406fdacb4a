#!/bin/sh
# Fails when the committed Go code of a template is not what the pinned templ makes of it.
set -eu
fresh=.cache/fresh
rm -rf "$fresh"
mkdir -p "$fresh"
cp web/ui/*.templ "$fresh"
(cd "$fresh" && ../bin/templ generate >/dev/null 2>&1)
stale=0
for made in "$fresh"/*_templ.go; do
	name=web/ui/$(basename "$made")
	cmp -s "$made" "$name" || { echo "$name is not fresh" >&2; stale=1; }
done
for name in web/ui/*_templ.go; do
	test -e "$fresh/$(basename "$name")" || { echo "$name has no template" >&2; stale=1; }
done
rm -rf "$fresh"
test $stale = 0 || { echo "run: make generate" >&2; exit 1; }
