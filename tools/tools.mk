# The tools this project uses, pinned by a go.mod each and built from source into .cache/bin. A tool is built
# again when its go.sum changes and at no other time. Include this file from the Makefile at the root.

TOOLS_BIN := .cache/bin
TOOLS     := $(addprefix $(TOOLS_BIN)/,templ litefs toxiproxy golangci-lint consul)

# What images and compose need besides: two plugins of Docker's command line. They are called by their own names, so
# what the user has installed for `docker`, and its configuration, stay as they are.
DOCKER_TOOLS := $(addprefix $(TOOLS_BIN)/,docker-buildx docker-compose toxiproxy-cli)

# Debian's packages that the tests use: a browser with fonts for every script, FUSE's mount helper.
APT_PACKAGES := chromium fuse3 fonts-dejavu-core fonts-noto-core fonts-noto-cjk fonts-noto-color-emoji

.PHONY: tools docker-tools apt

tools: $(TOOLS)

docker-tools: $(DOCKER_TOOLS)

$(TOOLS_BIN)/templ: tools/templ/go.sum
	$(call build_tool,tools/templ,github.com/a-h/templ/cmd/templ)

$(TOOLS_BIN)/litefs: tools/litefs/go.sum
	$(call build_tool,tools/litefs,github.com/superfly/litefs/cmd/litefs)

$(TOOLS_BIN)/toxiproxy: tools/toxiproxy/go.sum
	$(call build_tool,tools/toxiproxy,github.com/Shopify/toxiproxy/v2/cmd/server)

$(TOOLS_BIN)/toxiproxy-cli: tools/toxiproxy/go.sum
	$(call build_tool,tools/toxiproxy,github.com/Shopify/toxiproxy/v2/cmd/cli)

$(TOOLS_BIN)/golangci-lint: tools/golangci/go.sum
	$(call build_tool,tools/golangci,github.com/golangci/golangci-lint/v2/cmd/golangci-lint)

$(TOOLS_BIN)/consul: tools/consul/go.sum
	$(call build_tool,tools/consul,github.com/hashicorp/consul)

$(TOOLS_BIN)/docker-buildx: tools/buildx/go.sum
	$(call build_tool,tools/buildx,github.com/docker/buildx/cmd/buildx)

$(TOOLS_BIN)/docker-compose: tools/compose/go.sum
	$(call build_tool,tools/compose,github.com/docker/compose/v2/cmd)

# build_tool FOLDER,PACKAGE: the target appears only when the build succeeded.
define build_tool
	@echo "building $(notdir $@) (once, until $< changes)"
	@mkdir -p $(TOOLS_BIN)
	@go build -C $(1) -o $(CURDIR)/$@.new $(2)
	@mv $@.new $@
endef

# apt installs what is missing and is quiet when nothing is.
apt:
	@missing=; for p in $(APT_PACKAGES); do \
		dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q '^install ok installed' || missing="$$missing $$p"; \
	done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if ! command -v apt-get >/dev/null; then \
		echo "these packages, or your system's equivalents, are needed for the tests:$$missing" >&2; exit 1; fi; \
	if [ "$$(id -u)" != 0 ]; then \
		echo "packages are missing; install them with:" \
			"sudo apt-get update && sudo apt-get install -y --no-install-recommends$$missing" >&2; exit 1; fi; \
	echo "installing$$missing"; \
	apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null
