# Everything is installed into .venv from the hash-pinned locks; nothing else on the machine changes.

.PHONY: help setup demo test test-slow test-browser html-checker pictures check chaos container format docs lock clean
.DEFAULT_GOAL := help

BIN := .venv/bin
LOCKS := requirements/base.txt requirements/build.txt requirements/dev.txt
# Stamps: textgen's own dependencies are installed, and the developers' tools as well.
READY := .venv/.ready
TOOLS := .venv/.tools
CHECKER := .venv/html-checker
# --no-deps because a lock is complete, and older versions of pip would look beyond it for packages that others need with extras.
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --no-deps
# The first interpreter that runs and has a supported version. A name on PATH can be a shim that fails.
FIND_PYTHON := for p in python3 python3.13 python3.12 python3.11; do \
	  "$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo "$$p" && break; \
	done

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(TOOLS) ## Make .venv and install textgen with the developers' tools

# A changed lock makes a new .venv, so that nothing is left from an older lock.
$(READY): $(LOCKS) pyproject.toml
	@python="$$($(FIND_PYTHON))"; \
	if [ -z "$$python" ]; then echo "make: error: textgen needs Python 3.11, 3.12 or 3.13; install one and run make again" >&2; exit 1; fi; \
	echo "Setting up .venv with $$("$$python" --version); this downloads about 700 MB the first time" >&2; \
	"$$python" -m venv --clear .venv
	@$(INSTALL) --require-hashes -r requirements/base.txt -r requirements/build.txt
	@$(INSTALL) --quiet --no-build-isolation --editable .
	@touch $@

$(TOOLS): $(READY)
	@$(INSTALL) --require-hashes -r requirements/dev.txt
	@touch $@

demo: $(READY) ## Train on the bundled story for at most three minutes and print a sample
	$(BIN)/textgen-train --config demo
	@echo >&2
	$(BIN)/textgen-sample job/story-from-base --length 600 --temperature 0.7

# Two workers, each of which starts with half of the tests and helps the other at the end.
test: setup ## Run the quick tests, in two processes
	$(BIN)/python -m pytest -m "not slow and not browser" -n 2 --dist worksteal

# Whole files, because the tests of a file share what takes them long.
test-slow: setup ## Run the slow tests, which take a few minutes
	$(BIN)/python -m pytest -m "slow and not browser" -n 2 --dist loadfile

# The checker itself is a Java program. Its scripts would download a Java of their own.
$(CHECKER)/.ready: requirements/html-checker/package-lock.json $(TOOLS)
	@mkdir -p $(CHECKER)
	@cp requirements/html-checker/*.json $(CHECKER)
	@cd $(CHECKER) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

html-checker: $(CHECKER)/.ready ## Install the checker of the pages' HTML, for test-browser; needs npm and Java

test-browser: setup ## Run the tests that need Chromium, which take a few minutes
	$(BIN)/python -m pytest -m browser -n 2 --dist loadfile

check: setup ## Check format, lint, import contracts and types, then run the quick tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	@$(MAKE) --no-print-directory test

chaos: setup ## Kill trainers at random moments and check their jobs, in 20 minutes; OPTIONS="--help" shows how to run a part
	$(BIN)/python -m tests.chaos $(OPTIONS)

container: ## Build the container, train three steps in it and sample from the model; installs nothing
	@tests/container/check.sh

format: setup ## Format the code, and fix what the linter can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: setup ## Write the generated pages of docs/
	$(BIN)/python docs/generate.py

pictures: setup ## Write the pictures in docs/pictures/ of pages and terminals; needs Chromium
	$(BIN)/python docs/screenshots.py

LOCK_COMMAND := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock"

lock: setup ## Update the locks from pyproject.toml
	$(LOCK_COMMAND) pyproject.toml -o requirements/base.txt
	$(LOCK_COMMAND) pyproject.toml --extra dev -o requirements/dev.txt
	$(LOCK_COMMAND) pyproject.toml --extra gpu -o requirements/gpu.txt
	@# Constrained to the versions of the other locks: training and sampling use the same, and .venv can contain several locks.
	$(LOCK_COMMAND) --group sample --constraint requirements/base.txt -o requirements/sample.txt
	$(LOCK_COMMAND) --group build --constraint requirements/dev.txt -o requirements/build.txt
	cd requirements/html-checker && npm install --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved

clean: ## Remove .venv and the files of the tools
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
