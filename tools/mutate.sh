#!/bin/sh
# Applies the mutations of test/mutations one by one to a copy of the last commit and runs the test that each one
# names. A mutation breaks what a DESIGN.md claims, so its test has to fail. It is for people, not for CI: each costs
# a build. Usage: sh tools/mutate.sh [NAME...], a NAME without folder and ".patch".
set -eu
cd "$(dirname "$0")/.."
top=$(pwd)
tree=$top/.cache/mutate
tags=sqlite_fts5

remove_tree() { git worktree remove --force "$tree" 2>/dev/null || true; }
trap remove_tree EXIT
remove_tree
git worktree add --quiet --detach "$tree" HEAD
mkdir "$tree/.cache" && ln -s "$top/.cache/bin" "$tree/.cache/bin"

if [ $# -eq 0 ]; then
	set -- $(cd test/mutations && ls | sed -n 's/\.patch$//p')
fi
bad=0
for name in "$@"; do
	patch=$top/test/mutations/$name.patch
	claim=$(sed -n 's/^Claim: //p' "$patch")
	args=$(sed -n 's/^Test: //p' "$patch")
	if [ -z "$claim" ] || [ -z "$args" ]; then
		echo "BROKEN    $name: it needs the lines Claim: and Test:"
		bad=1
		continue
	fi
	git -C "$tree" checkout --quiet .
	if ! git -C "$tree" apply --recount -p1 "$patch"; then
		echo "BROKEN    $name: does not apply any more"
		bad=1
		continue
	fi
	package=$(eval "set -- $args"; for word; do :; done; echo "$word")
	if ! (cd "$tree" && go vet -tags "$tags" "$package") >"$top/.cache/mutate.log" 2>&1; then
		echo "BROKEN    $name: does not compile"
		bad=1
	elif (cd "$tree" && eval "go test -race -tags $tags -count 1 $args") >"$top/.cache/mutate.log" 2>&1; then
		echo "SURVIVED  $name: $claim ($args)"
		bad=1
	elif ! grep -q -e '^--- FAIL' -e '^    --- FAIL' -e 'panic:' "$top/.cache/mutate.log"; then
		echo "BROKEN    $name: its test did not run; see .cache/mutate.log"
		bad=1
		exit 1
	else
		echo "caught    $name: $claim"
	fi
done
exit $bad
