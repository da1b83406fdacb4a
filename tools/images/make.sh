#!/bin/sh
# Makes the images that `make image` and compose.yml start from. Run it from the project's root, as `make images` does.
#
# The two bases are pulled, or, where that fails, made here under the same names: Debian by debootstrap, which takes
# root, and Go from this machine's own tree. The images of Consul and toxiproxy are their binaries in .cache/bin on the
# base. An image that is there already, and of the same source, is left alone.
set -eu
base=${BASE_IMAGE:-debian:bookworm-slim}
go=${GO_IMAGE:-golang:1.26-bookworm}
buildx=.cache/bin/docker-buildx
here=tools/images
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

have() { docker image inspect "$1" >/dev/null 2>&1; }

# pull_or_make IMAGE FUNCTION
pull_or_make() {
	if have "$1"; then return; fi
	echo "pulling $1"
	if docker pull -q "$1" >/dev/null 2>"$work/refused"; then return; fi
	echo "it cannot be pulled ($(tail -n 1 "$work/refused")): making it here"
	"$2"
}

make_base() {
	if ! command -v debootstrap >/dev/null; then make -s apt APT_PACKAGES=debootstrap; fi
	debootstrap --variant=minbase --include=ca-certificates bookworm "$work/root" >"$work/log" ||
		{ tail "$work/log" >&2; exit 1; }
	rm -rf "$work"/root/var/cache/apt/* "$work"/root/var/lib/apt/lists/*
	# As in the image that is pulled: apt keeps nothing that a layer would carry along.
	printf '%s\n' 'Dir::Cache::pkgcache "";' 'Dir::Cache::srcpkgcache "";' \
		'Binary::apt::APT::Keep-Downloaded-Packages "false";' \
		'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb"; };' >"$work/root/etc/apt/apt.conf.d/docker-clean"
	# Whom this machine trusts, its containers and builds trust too.
	if [ -n "${SSL_CERT_FILE:-}" ]; then cp "$SSL_CERT_FILE" "$work/root/etc/ssl/certs/ca-certificates.crt"; fi
	tar -C "$work/root" -c . | docker import --change 'CMD ["bash"]' - "$base" >/dev/null
	rm -rf "$work/root"
}

make_go() {
	tar -c -C "$(go env GOROOT)" --transform='s,^\.,go,' . -C "$PWD/$here" golang.Dockerfile |
		"$buildx" build --quiet --load --file golang.Dockerfile --build-arg "BASE_IMAGE=$base" --tag "$go" - >/dev/null
}

# beside NAME FILE...: the image blog-NAME:dev from a stage of the Dockerfile and these files.
beside() {
	image=blog-$1:dev stage=$1
	shift
	source=$(cat "$here/Dockerfile" "$@" | sha256sum | cut -c1-16)-$base
	made=$(docker image inspect --format '{{index .Config.Labels "source"}}' "$image" 2>/dev/null) || true
	if [ "$made" = "$source" ]; then return; fi
	echo "building $image"
	tar -c --transform='s,.*/,,' "$here/Dockerfile" "$@" |
		"$buildx" build --quiet --load --target "$stage" --build-arg "BASE_IMAGE=$base" --label "source=$source" \
			--tag "$image" - >/dev/null
}

pull_or_make "$base" make_base
pull_or_make "$go" make_go
beside consul .cache/bin/consul
beside toxiproxy .cache/bin/toxiproxy .cache/bin/toxiproxy-cli "$here/distance"
