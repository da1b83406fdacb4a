#!/bin/sh
# Builds and restarts the server at each save of a template, style sheet, script, migration or Go file, and reloads
# the page that is open at http://localhost:7331. What templ leaves behind while it watches is made good at the end.
set -eu
templ=$PWD/.cache/bin/templ
mkdir -p .cache/dev
restore() { (cd web/ui && "$templ" generate >/dev/null 2>&1) || true; rm -f web/ui/*_templ.txt; }
trap restore EXIT
trap 'exit 0' INT TERM
cat >.cache/dev/start <<'END'
#!/bin/sh
cd "$(dirname "$0")/../.."
go build -tags sqlite_fts5 -o .cache/dev/blog ./cmd/blog || exit 1
# The server before this one ends in a moment and gives the database back.
for _ in 1 2 3 4 5 6 7 8 9 10; do
	.cache/dev/blog serve && exit 0
	sleep 0.5
done
END
chmod +x .cache/dev/start
echo "Open http://localhost:7331"
PUBLIC_URL=${PUBLIC_URL:-http://localhost:7331} "$templ" generate --watch --path web/ui --proxy http://localhost:4000 \
	--watch-pattern '(.+\.go$)|(.+\.templ$)|(.+_templ\.txt$)|(.+\.(css|js|svg|sql)$)' --cmd "$PWD/.cache/dev/start"
