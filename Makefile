# Two commands: `make run` (the main job) and `make test`. Everything else is listed by `make help`.
# Needs Python 3.11 or newer and a package index; sets up its own virtual environment in .venv.

VENV := .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
# The first interpreter that is new enough; `make PYTHON=/path/to/python run` chooses another.
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; exit; }; done; echo no-python-3.11)
PIP_OPTIONS := --quiet --disable-pip-version-check

.PHONY: help run test check test-slow faults bench docs clean

help: ## list what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /	/' | expand -t 14

run: $(BIN)/.installed ## search λ coarsely on the embedded digits
	$(BIN)/python -m search lambda --coarse

# Workers, and the processes that tests start by the hundred, would each compile all of it again.
test test-slow: export PYTHONDONTWRITEBYTECODE :=

test: check ## style, types, then all tests but the slow ones
	$(BIN)/python -m pytest -q -n 4 --dist worksteal -m "not slow"

test-slow: $(BIN)/.installed-dev ## the slow tests
	$(BIN)/python -m pytest -q -m slow --hypothesis-profile=random

faults: $(BIN)/.installed-dev ## kill searches at many moments, carry on, count what is lost (some 15 minutes)
	$(BIN)/python -m tests.faults

bench: $(BIN)/.installed-bench ## time searches beside PyTorch, JAX and others (some half an hour)
	$(BIN)/python -m benchmarks

docs: $(BIN)/.installed-docs ## build the pages of docs/ as a site in build/site
	$(BIN)/python -m mkdocs build --quiet

check: $(BIN)/.installed-dev ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python scripts/link_tree.py
	$(BIN)/mypy

clean: ## remove the virtual environment and what tools cached
	rm -rf $(VENV) build .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@if [ "$(PYTHON)" = no-python-3.11 ]; then \
		echo "Python 3.11 or newer is needed and was not found; name one: make PYTHON=/path/to/python run" >&2; exit 1; fi
	$(PYTHON) -m venv $(VENV)

$(BIN)/.installed: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install $(PIP_OPTIONS) -c constraints.txt -e .
	@touch $@

$(BIN)/.installed-bench: $(BIN)/.installed
	$(BIN)/python -m pip install $(PIP_OPTIONS) -c constraints.txt -e '.[bench]'
	@touch $@

$(BIN)/.installed-docs: $(BIN)/.installed
	$(BIN)/python -m pip install $(PIP_OPTIONS) -c constraints.txt -e '.[docs]'
	@touch $@

$(BIN)/.installed-dev: $(BIN)/.installed
	$(BIN)/python -m pip install $(PIP_OPTIONS) -c constraints.txt -e '.[dev]'
	@touch $@
