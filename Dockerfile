# The image of a node: one binary, `blog`, and what a LiteFS mount needs. `make images image` builds it.
#
# The two bases are of the same Debian release: the binary uses its C library.
ARG GO_IMAGE=golang:1.26-bookworm
ARG BASE_IMAGE=debian:bookworm-slim

FROM ${GO_IMAGE} AS build
WORKDIR /src
COPY . .
# Where modules come from, when it is not Go's own default.
ARG GOPROXY
ARG GOSUMDB
ARG VERSION=dev
# Anything at all builds with the race detector, and with a clock and one migration more that are set from outside, for
# tests.
ARG RACE
ARG FAULTCLOCK
# Modules and compiled packages stay on the builder, so a change compiles what has changed.
RUN --mount=type=cache,target=/go/pkg/mod \
    --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=1 go build ${RACE:+-race} -trimpath -tags sqlite_fts5${FAULTCLOCK:+,faultclock,faultmigration} \
      -ldflags "-s -w -X main.version=${VERSION}" -o /blog ./cmd/blog

FROM ${BASE_IMAGE}
# fuse3 has the mount helper; the certificates are for a Consul behind https, as Fly's is.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates fuse3 \
 && rm -rf /var/lib/apt/lists/*
COPY litefs.yml /etc/litefs.yml
COPY fly.sh /usr/local/bin/on-fly
COPY --from=build /blog /usr/local/bin/blog
# As root: mounting needs it, in a container with CAP_SYS_ADMIN and /dev/fuse.
CMD ["blog", "mount"]
