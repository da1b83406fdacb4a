# What one does with this project. `make` alone says so.

SHELL := bash

include tools/tools.mk

TAGS    := sqlite_fts5
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

.DEFAULT_GOAL := help
.PHONY: help build run dev generate test twice test-compose chaos check mutations cluster images image bench clean

help:
	@echo "make build    bin/blog"
	@echo "make run      the blog on this machine, with its database in data/"
	@echo "make dev      the same, built again and reloaded in the browser at each save"
	@echo "make cluster  three regions on this machine: real LiteFS nodes"
	@echo "make images   the images that the next needs and compose.yml uses, pulled or made"
	@echo "make image    the image of a node, blog:dev"
	@echo "make test     every test (installs what they need)"
	@echo "make test-compose  the part of it that needs Docker: faults on the containers of compose.yml"
	@echo "make twice    every test twice in one process, in random order (about twice as long): PACKAGES=./..."
	@echo "make chaos    faults drawn from a seed: SEED=... FAULTS=200; FAULT=... a pattern of their names, here and above"
	@echo "make check    format, vet, lint, generated code, claims, go.mod, imports, words"
	@echo "make mutations  does each test of docs/claims.md fail where its claim is broken? NAME=... for one"
	@echo "make bench    one table of ratios (docs/performance.md), in about ten minutes"
	@echo "make generate Go code from the templates, docs/claims.md from the mutations"

# Go knows best what has changed.
build:
	@mkdir -p bin
	go build -tags $(TAGS) -ldflags "-X main.version=$(VERSION)" -o bin/blog ./cmd/blog

# The link for the first author is printed by the server.
run: build
	@test -s data/blog.db || printf '%s\n' 'A new blog. Follow the link below to become its first author.' \
		'Then, in another terminal, for something to read: bin/blog import content' ''
	@bin/blog serve

# Open http://localhost:7331: a proxy in front of the server that reloads the page.
dev: $(TOOLS_BIN)/templ
	@sh tools/dev.sh

generate: $(TOOLS_BIN)/templ
	cd web/ui && $(CURDIR)/$(TOOLS_BIN)/templ generate
	go run ./tools/claims

# Failed tests are shown whole, and a skipped one is a failure: what did not run has shown nothing.
test: apt tools
	go build ./...
	set -o pipefail; began=$$(date +%s); \
		go test -race -tags $(TAGS) -timeout 20m -json ./... | go run ./tools/testreport && \
		echo "time: units, pages and nodes took $$(($$(date +%s) - began)) s"
	@$(MAKE) --no-print-directory test-compose SEED=$(or $(SEED),21)

# A test that leaves something behind in its process fails here: a channel closed for good, a name registered for ever,
# a port or a file that is taken. -shuffle prints its seed.
PACKAGES ?= ./...
twice: apt tools
	set -o pipefail; go test -race -tags $(TAGS) -count=2 -shuffle=on -timeout 40m -json $(PACKAGES) | \
		go run ./tools/testreport

# On an image of its own, which is removed at the end: built with the race detector, and with a clock and a migration
# that are set from outside. Faults are drawn from SEED (the time, which is printed). FAULT is a regular expression that
# selects, by their names, among the faults of TestFaults and TestPowerLoss, or among what TestChaos draws, and leaves
# out everything else. `make test` has a seed of its own, so that a change is what makes it fail.
# docker-compose is the one of Debian bookworm, 1.29: compose.yml is for it and for compose v2, and is read by both.
# `make -n` runs lines that have MAKE in them, so the one with the tests has none.
COMPOSE_LIMIT ?= 40m
COMPOSE_TESTS ?= ^(TestFileIsReadByBoth|TestFaults|TestHeldBack|TestPowerLoss)$$
COMPOSE_IMAGE := blog:test-$(shell echo $$PPID)
test-compose: images
	@docker info >/dev/null || { echo "these tests need Docker" >&2; exit 1; }
	@$(MAKE) --no-print-directory apt APT_PACKAGES="iptables docker-compose"
	@$(MAKE) --no-print-directory image IMAGE=$(COMPOSE_IMAGE) RACE=1 FAULTCLOCK=1
	@set -o pipefail; trap 'docker rmi --force $(COMPOSE_IMAGE) >/dev/null' EXIT; \
	BLOG_IMAGE=$(COMPOSE_IMAGE) SEED=$(SEED) FAULTS=$(FAULTS) FAULT="$(FAULT)" \
		go test -race -tags $(TAGS),compose -run '$(COMPOSE_TESTS)' -count 1 -timeout $(COMPOSE_LIMIT) -json \
		./test/compose | go run ./tools/testreport -v

# FAULTS are how many faults are drawn (3). With VOLUMES=1 the candidates' disks lose what was not synced, and losses of
# power are drawn as well; those of TestPowerLoss always do.
chaos:
	@VOLUMES=1 $(MAKE) --no-print-directory test-compose COMPOSE_LIMIT=12h COMPOSE_TESTS='^TestChaos$$$$'

check: $(TOOLS_BIN)/templ $(TOOLS_BIN)/golangci-lint
	@echo "format";    out=$$(gofmt -l $$(git ls-files '*.go' | grep -v '_templ\.go$$')); \
		test -z "$$out" || { echo "run gofmt -w on:" $$out >&2; exit 1; }
	@echo "templates"; out=$$($(TOOLS_BIN)/templ fmt -fail web/ui 2>&1) || \
		{ echo "$$out" >&2; echo "run: $(TOOLS_BIN)/templ fmt web/ui" >&2; exit 1; }
	@echo "generated"; sh tools/fresh.sh
	@echo "claims";    go run ./tools/claims -check
	@echo "go.mod";    go mod tidy -diff
	@echo "vet";       go vet -tags $(TAGS),compose ./...
	@echo "rules";     go test -tags $(TAGS) ./test
	@echo "lint";      $(TOOLS_BIN)/golangci-lint run --allow-parallel-runners

# Breaks the code in a copy of the last commit, claim by claim; an hour or two for all.
mutations: tools
	@sh tools/mutate.sh $(NAME)

cluster: build
	@$(MAKE) --no-print-directory apt APT_PACKAGES=fuse3
	@go run ./test/cluster/cmd

# What is there already stays as it is; the first time takes some minutes. GO_IMAGE and BASE_IMAGE name other bases
# than the Dockerfile's, here and for `make image`.
images: $(TOOLS_BIN)/consul $(TOOLS_BIN)/toxiproxy $(DOCKER_TOOLS)
	@sh tools/images/make.sh

# RACE=1 builds with the race detector, FAULTCLOCK=1 with a clock that can be set from outside; IMAGE names another
# image. GOPROXY and GOSUMDB are those of this machine.
IMAGE ?= blog:dev
image: $(TOOLS_BIN)/docker-buildx
	$(TOOLS_BIN)/docker-buildx build --load --tag $(IMAGE) \
		--build-arg VERSION=$(VERSION) --build-arg RACE=$(RACE) --build-arg FAULTCLOCK=$(FAULTCLOCK) \
		$(foreach base,GO_IMAGE BASE_IMAGE,$(if $($(base)),--build-arg $(base)=$($(base)))) \
		--build-arg GOPROXY=$$(go env GOPROXY) --build-arg GOSUMDB=$$(go env GOSUMDB) .

# nginx is what pages are compared with. Where it cannot be installed the table says so.
bench: tools
	@$(MAKE) --no-print-directory apt APT_PACKAGES="fuse3 nginx-light" || echo "going on without"
	go test -tags $(TAGS) -run '^$$' -bench . -benchtime 1x -timeout 20m ./test/bench

clean:
	rm -rf bin .cache/fresh .cache/test .cache/mutate .cache/mutations
