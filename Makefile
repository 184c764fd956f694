# What people and CI do with this project. `make` lists it.
SHELL := /bin/bash
CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
TOOLS := $(TARGET)/test-tools

.DEFAULT_GOAL := help
.PHONY: help run build image test test-runtime test-scripts test-sagemaker lint bench fuzz openapi schemathesis pre-pr-check test-tools

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## seal the sample face analyzer and serve it on 127.0.0.1:8080
	@scripts/check-tools cargo cc
	@echo "building (minutes the first time, seconds after)"
	@$(CARGO) build --release --bin strongroom
	@scripts/run $(abspath $(TARGET))/release/strongroom

build: ## build the program
	@scripts/check-tools cargo cc
	$(CARGO) build --release --bin strongroom

image: ## build the container image, strongroom:<git describe>
	@scripts/check-tools cargo cc docker
	@scripts/image $(abspath $(TARGET))

test: test-tools ## run every test; sets up by itself what the tests need
	STRONGROOM_TEST_TOOLS=$(abspath $(TOOLS)) $(CARGO) test --release --no-fail-fast

test-runtime: build test-tools ## call the program with boto3 through a stand-in of SageMaker's runtime API
	STRONGROOM_PROGRAM=$(abspath $(TARGET))/release/strongroom $(TOOLS)/py/bin/python tests/sagemaker/test_runtime.py

test-scripts: build test-tools ## try scripts/* with the AWS CLI against a fake AWS (push needs Docker, too)
	@scripts/check-tools curl git jq
	@scripts/test-tools $(TOOLS) scripts
	STRONGROOM_PROGRAM=$(abspath $(TARGET))/release/strongroom STRONGROOM_TEST_TOOLS=$(abspath $(TOOLS)) \
	  $(TOOLS)/py/bin/python -m unittest discover --start-directory tests/scripts

test-sagemaker: test-tools ## deploy the image with SageMaker's SDK in local mode (needs Docker)
	@scripts/check-tools docker
	@scripts/test-tools $(TOOLS) sagemaker
	@image=$$(scripts/image $(abspath $(TARGET))) && \
	  STRONGROOM_IMAGE=$$image STRONGROOM_PROGRAM=$(abspath $(TARGET))/image/strongroom \
	  STRONGROOM_TEST_TOOLS=$(abspath $(TOOLS)) $(TOOLS)/sagemaker/bin/python tests/sagemaker/test_local_mode.py -v

openapi: ## write docs/openapi.json from the code
	@scripts/check-tools cargo cc
	UPDATE_OPENAPI=1 $(CARGO) test --release --test openapi the_committed_document

schemathesis: test-tools ## try 10,000 requests of schemathesis against what docs/openapi.json says (`make test`: 1,000)
	STRONGROOM_TEST_TOOLS=$(abspath $(TOOLS)) STRONGROOM_SCHEMATHESIS_CASES=10000 \
	  $(CARGO) test --release --test openapi schemathesis -- --nocapture

test-tools:
	@scripts/check-tools cargo cc python3 venv
	@scripts/test-tools $(TOOLS)

lint: ## check format, lints, shell scripts, notices, licences and banned crates
	@scripts/check-tools cargo cc python3
	$(CARGO) fmt --check
	$(CARGO) clippy --release --all-targets -- -D warnings
	scripts/third-party-notices --check
	@if command -v shellcheck >/dev/null; then \
	  grep -rlE '^#!.*bash' scripts container .ci | xargs shellcheck; \
	else \
	  echo "shellcheck is not installed, shell scripts stay unchecked; get it: sudo apt-get install shellcheck"; \
	fi
	@if $(CARGO) deny --version >/dev/null 2>&1; then \
	  $(CARGO) deny --log-level error check bans licenses sources; \
	else \
	  echo "cargo-deny is not installed, licences and bans stay unchecked; get it: cargo install cargo-deny --locked"; \
	fi

bench: ## measure; docs/BENCHMARKS.md says what
	@scripts/check-tools cargo cc
	$(CARGO) bench --bench report

fuzz: ## fuzz headers and whole messages of sealed files, a minute each (needs a nightly toolchain and cargo-fuzz)
	@$(CARGO) +nightly fuzz --version >/dev/null 2>&1 || \
	  { echo "missing: cargo-fuzz; get it: rustup toolchain install nightly && cargo install cargo-fuzz --locked"; exit 1; }
	@for target in $$($(CARGO) +nightly fuzz list); do \
	  $(CARGO) +nightly fuzz run "$$target" -- -max_total_time=60 || exit 1; \
	done

pre-pr-check: lint test ## what a change must pass
