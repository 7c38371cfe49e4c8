# textgen's commands. Everything installs into .venv from the hash-pinned locks; nothing else on the machine changes.

.PHONY: help setup demo test check chaos container format docs lock clean
.DEFAULT_GOAL := help

BIN := .venv/bin
LOCKS := requirements/base.txt requirements/build.txt requirements/dev.txt
# Made when all that textgen needs is installed, and when the developers' tools are as well.
READY := .venv/.ready
TOOLS := .venv/.tools
# --no-deps: a lock is complete, and older pips look beyond it for packages that another needs with extras.
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --no-deps
# The first interpreter that runs and is a version we support: a name on PATH can be a shim that fails.
FIND_PYTHON := for p in python3 python3.13 python3.12 python3.11; do \
	  "$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo "$$p" && break; \
	done

help: ## Shows this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(TOOLS) ## Makes .venv and installs textgen with the developers' tools

# A changed lock makes .venv anew, so that nothing is left of what an older one installed.
$(READY): $(LOCKS) pyproject.toml
	@python="$$($(FIND_PYTHON))"; \
	if [ -z "$$python" ]; then echo "make: error: textgen needs Python 3.11, 3.12 or 3.13; install one and run make again" >&2; exit 1; fi; \
	echo "Setting up .venv with $$("$$python" --version); this downloads about 600 MB the first time" >&2; \
	"$$python" -m venv --clear .venv
	@$(INSTALL) --require-hashes -r requirements/base.txt -r requirements/build.txt
	@$(INSTALL) --quiet --no-build-isolation --editable .
	@touch $@

$(TOOLS): $(READY)
	@$(INSTALL) --require-hashes -r requirements/dev.txt
	@touch $@

demo: $(READY) ## Trains on the bundled story for three minutes and prints a sample
	$(BIN)/textgen-train --config demo
	@echo >&2
	$(BIN)/textgen-sample job/story-demo --length 600

test: setup ## Runs the tests
	$(BIN)/python -m pytest

check: setup ## Format, lint, import contracts, types, then the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	@$(MAKE) --no-print-directory test

chaos: setup ## Kills trainers at random moments for half an hour; OPTIONS="--help" shows how to do a part
	$(BIN)/python -m tests.chaos $(OPTIONS)

container: ## Builds the container, trains three steps in it and lets the model write; installs nothing
	@tests/container/check.sh

format: setup ## Formats the code and mends what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: setup ## Writes the generated pages of docs/
	$(BIN)/python docs/generate.py

LOCK_COMMAND := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock"

lock: setup ## Renews the locks from pyproject.toml
	$(LOCK_COMMAND) pyproject.toml -o requirements/base.txt
	$(LOCK_COMMAND) pyproject.toml --extra dev -o requirements/dev.txt
	$(LOCK_COMMAND) pyproject.toml --extra gpu -o requirements/gpu.txt
	@# With the versions of the others: training and sampling use the same, and .venv can hold several locks.
	$(LOCK_COMMAND) --group sample --constraint requirements/base.txt -o requirements/sample.txt
	$(LOCK_COMMAND) --group build --constraint requirements/dev.txt -o requirements/build.txt

clean: ## Removes .venv and what the tools left
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
