# Two commands on a machine with Python 3.11 (or later) and make:
#   make demo   installs pdbt, makes a project from the files of docs/demo/data, runs it and shows the results
#   make test   checks style, types, the rooms' imports, and runs the tests; SLOW=1 adds the slow ones
# Both make .venv here when it is not there yet, and both can be repeated. They install the releases that constraints.txt names:
#   make test-latest   the same tests with what is newest, in .venv-latest
#   make constraints   writes constraints.txt anew, with what is newest

ifeq ($(origin PYTHON),undefined)
# Looked for once, and only where it is used.
PYTHON = $(eval PYTHON := $(shell for name in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done))$(PYTHON)
endif
VENV ?= .venv
BIN := $(VENV)/bin
LATEST ?= .venv-latest
CONSTRAINTS ?= constraints.txt
# Both names, since from pip 25.3 on the first no longer counts for what a build needs. Relative, as pip splits the value at spaces.
PIP := PIP_CONSTRAINT=$(CONSTRAINTS) PIP_BUILD_CONSTRAINT=$(CONSTRAINTS) $(BIN)/python -m pip --quiet --disable-pip-version-check
WORKERS ?= 2
SLOW ?= 0
PYTEST_ARGS ?=

ifeq ($(SLOW),1)
MARK :=
else
MARK := -m "not slow"
endif

.DEFAULT_GOAL := help
.PHONY: help demo install test tests test-all test-latest latest constraints check format picture clean

help:
	@sed -n '2,7s/^#  *//p' Makefile

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or later found. Name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "error: $(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv" >&2; exit 2; }

$(VENV)/.installed: pyproject.toml pdbt/version.py $(CONSTRAINTS) | $(BIN)/python
	@echo "Installing pdbt into $(VENV) ..."
	@$(PIP) install --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml pdbt/version.py $(CONSTRAINTS) | $(BIN)/python
	@echo "Installing pdbt and what its tests need into $(VENV) ..."
	@$(PIP) install $(UPGRADE) --editable '.[dev]'
	@touch $@ $(VENV)/.installed

demo: $(VENV)/.installed
	@$(BIN)/python docs/demo/demo.py .demo

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy pdbt tests benchmarks docs templates/addons
	MYPYPATH=pdbt:templates/project/scripts $(BIN)/mypy templates/project
	$(BIN)/lint-imports --no-cache

install: $(VENV)/.installed-dev

# With CHECKED=1 the checks are left out: who says so makes them elsewhere, as .ci/run does beside the tests.
test: $(if $(CHECKED),,check)
	@$(MAKE) tests

# Without the checks of style, types and imports.
tests: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(MARK) $(PYTEST_ARGS)

test-all:
	@$(MAKE) test SLOW=1

test-latest: latest
	@PDBT_TEST_LATEST=1 $(MAKE) test VENV=$(LATEST) CONSTRAINTS=

# Looks for newer releases each time.
latest:
	@rm -f $(LATEST)/.installed-dev
	@$(MAKE) $(LATEST)/.installed-dev VENV=$(LATEST) CONSTRAINTS= UPGRADE='--upgrade --upgrade-strategy eager'

constraints: latest
	@{ sed -n '/^#/p' $(CONSTRAINTS); $(LATEST)/bin/python -m pip --disable-pip-version-check freeze --exclude-editable; } > $(CONSTRAINTS).new
	@mv $(CONSTRAINTS).new $(CONSTRAINTS)

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

picture: $(VENV)/.installed
	$(BIN)/python docs/demo/demo.py .demo --picture docs/terminal.svg

clean:
	rm -rf .demo build dist $(VENV) $(LATEST)
