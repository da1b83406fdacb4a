#!/bin/sh
# Builds and restarts the server at each save of a template, style sheet, script, migration or Go file, and reloads
# the page that is open at http://localhost:7331. What templ leaves behind while it watches is made good at the end.
set -eu
templ=$PWD/.cache/bin/templ
mkdir -p .cache/dev

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

# xdg-open is templ's own idea.
BROWSER=true PUBLIC_URL=${PUBLIC_URL:-http://localhost:7331} "$templ" generate --watch --path . \
	--proxy http://localhost:4000 --open-browser=false --log-level warn \
	--ignore-pattern '/(\.cache|\.git|data|content|tools|test)/' \
	--watch-pattern '(.+\.go$)|(.+\.templ$)|(.+_templ\.txt$)|(.+\.(css|js|svg|sql)$)' --cmd "$PWD/.cache/dev/start" &
watch=$!
end() {
	trap '' INT TERM
	kill -INT $watch 2>/dev/null || true
	wait $watch 2>/dev/null || true
	find web -name '*_templ.txt' -delete
	(cd web/ui && "$templ" generate >/dev/null 2>&1)
	exit 0
}
trap end INT TERM
echo "Open http://localhost:7331"
wait $watch || true
end
