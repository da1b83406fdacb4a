#!/bin/sh
# Applies the mutations of test/mutations one by one to a copy of the last commit and runs the test that each one
# names. A mutation breaks what a DESIGN.md claims, so its test has to fail, and to pass without it. This is for
# people, not for CI: each mutation costs a build. Usage: sh tools/mutate.sh [NAME...], a NAME without folder and
# ".patch". What each test said is in .cache/mutations/NAME.log. JOBS are how many run at a time (one a processor),
# each in a copy of its own.
#
#   caught    the test fails: as it should be
#   SURVIVED  the test passes: it does not hold the claim
#   BROKEN    nothing is known: the patch, or its test, has to be mended
set -eu
cd "$(dirname "$0")/.."
top=$(pwd)
logs=$top/.cache/mutations
jobs=${JOBS:-$(nproc)}

# Without --part: all names, as parts of eight neighbours, which mostly have tests of one package. A part that finds
# something ends with 1, which xargs makes 123.
if [ "${1-}" != --part ]; then
	mkdir -p "$logs" .cache/mutate
	exec 9>"$logs/lock"
	flock -n 9 || { echo "another run has the copies of this checkout" >&2; exit 1; }
	if [ $# -eq 0 ]; then
		set -- $(cd test/mutations && ls | sed -n 's/\.patch$//p')
	fi
	git worktree prune
	printf '%s\n' "$@" | xargs -P "$jobs" -n 8 sh tools/mutate.sh --part || exit 1
	exit 0
fi
shift

# A part has the first copy that no other part has: there are as many as parts that run.
slot=1
while exec 8>"$logs/slot$slot" && ! flock -n 8; do slot=$((slot + 1)); done
tree=$top/.cache/mutate/$slot

# The copy stays for the next time: Go then knows the results of tests that nothing has changed for.
head=$(git rev-parse HEAD)
if ! { [ -e "$tree/.git" ] && git -C "$tree" checkout --quiet --force --detach "$head"; } 2>/dev/null; then
	rm -rf "$tree"
	git worktree add --force --quiet --detach "$tree" "$head"
fi
mkdir -p "$tree/.cache"
ln -sfn "$top/.cache/bin" "$tree/.cache/bin"

restore() { git -C "$tree" checkout --quiet --force . && git -C "$tree" clean --quiet --force -d; }
trap restore EXIT
trap 'exit 130' INT TERM

# go_test LOG ARGS runs tests in the copy; ARGS are quoted for a shell. Vet and debugging information are left out:
# they take as long as many a test.
go_test() {
	(cd "$tree" && eval "go test -race -vet=off -ldflags=-w -tags sqlite_fts5 -timeout 5m $2") >"$1" 2>&1 8>&- 9>&-
}

green=$(printf '\n_') green=${green%_} # the arguments that pass without a mutation, a line each
bad=0
broken() { echo "BROKEN    $1: $2"; bad=1; }
for name in "$@"; do
	patch=$top/test/mutations/$name.patch
	log=$logs/$name.log
	restore
	if ! git -C "$tree" apply --check --recount -p1 "$patch"; then
		broken "$name" "does not apply"
		continue
	fi
	claim=$(sed -n 's/^Claim: //p' "$patch")
	args=$(sed -n 's/^Test: //p' "$patch")
	if [ -z "$claim" ] || [ -z "$args" ]; then
		broken "$name" "needs the lines Claim: and Test:"
		continue
	fi
	case "$green" in
	*"
$args
"*) ;;
	*)
		if ! go_test "$log" "$args" || grep -q 'no tests to run' "$log"; then
			broken "$name" "its test does not pass without it, or there is none; see $log"
			continue
		fi
		green="$green$args
"
		;;
	esac
	git -C "$tree" apply --recount -p1 "$patch"
	if go_test "$log" "-count 1 $args"; then
		echo "SURVIVED  $name: $claim ($args)"
		bad=1
	elif grep -q -e '\[build failed\]' -e '\[setup failed\]' "$log"; then
		broken "$name" "does not compile; see $log"
	elif ! grep -q -e '^ *--- FAIL' -e '^panic:' -e '^fatal error:' "$log"; then
		broken "$name" "its test did not run; see $log"
	else
		echo "caught    $name: $claim"
	fi
done
exit $bad
