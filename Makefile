# `make` lists what there is. Everything runs in .venv, which is made on first use and whenever what it is made of changes.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= 2
# CI gets pytest's full closing line. Should a test hang, its stack is printed after five minutes.
PYTEST := $(BIN)/python -m pytest $(if $(CI),,-q) -n $(WORKERS) --dist loadgroup -o faulthandler_timeout=300

# Nothing here asks a server whether there is a newer version of something.
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.DEFAULT_GOAL := help
.PHONY: help setup test test-all test-unit check check-style check-mypy check-pyright check-floors fmt demo bench crash mutants fuzz simulate live requirements clean

help: ## list the targets
	@echo 'make TARGET [PYTHON=python3.12] [ARGS=...]'
	@echo
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "  %-14s %s\n", $$1, $$2 }'

setup: $(READY) ## make .venv: pinned tools, and this package in editable form
	@:

$(READY): pyproject.toml .ci/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo 'Python 3.11 or newer is needed. $(PYTHON) is:' "$$($(PYTHON) --version 2>&1)"; \
		echo 'Name another one like this: make PYTHON=python3.12 $(MAKECMDGOALS)'; exit 1; }
	@if ! $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		echo 'Making $(VENV) with $(PYTHON)'; $(PYTHON) -m venv --clear $(VENV); fi
	@echo 'Installing what .ci/requirements.txt pins'
	@$(BIN)/python -m pip install -qq --require-hashes -r .ci/requirements.txt
	@$(BIN)/python -m pip install -qq --no-deps --no-build-isolation -e .
	@touch $@

test: $(READY) ## run the tests, in CI all of them; ARGS='-k webhook' picks some
	@$(PYTEST) $(if $(CI)$(ARGS),,-m 'not thorough') $(ARGS)

test-all: $(READY) ## run all tests, as CI does
	@$(PYTEST) $(ARGS)

test-unit: $(READY) ## run the fast tests alone: the rules, and the talk with Stripe
	@$(PYTEST) tests/core tests/stripe_api $(ARGS)

fuzz: $(READY) ## send what nobody expects to what reads others' input; SECONDS=600, ARGS='--target signed --keep'
	@$(BIN)/python -m tests.fuzz --seconds $(if $(filter command line,$(origin SECONDS)),$(SECONDS),60) $(ARGS)

check: check-style check-mypy check-pyright check-floors ## lint, formatting, types, and who may import whom

check-style: $(READY)
	@echo 'ruff' && $(BIN)/ruff check --quiet --output-format concise . && $(BIN)/ruff format --quiet --check --output-format concise .

check-mypy: $(READY)
	@echo 'mypy' && $(BIN)/mypy --no-error-summary

check-pyright: $(READY)
	@echo 'pyright' && $(BIN)/pyright --warnings

check-floors: $(READY)
	@echo 'import-linter' && $(BIN)/lint-imports --no-logo

fmt: $(READY) ## format the code, and repair what ruff can repair
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

demo: $(READY) ## run the example with a fake Stripe: no account needed
	@$(BIN)/airport-payments demo $(ARGS)

bench: $(READY) ## print the figures of the docs, measured here and now
	@$(BIN)/python -m tests.bench $(ARGS)

crash: $(READY) ## kill a service's processes at random, 200 times on each database; ARGS='--seed 7 --kills 20'
	@$(BIN)/python -m tests.faults $(ARGS)

simulate: $(READY) ## simulate the payment flow under faults; ARGS='--runs 1000000 --jobs 2' runs overnight
	@$(BIN)/python -m tests.simulation --runs 20000 $(ARGS)

live: $(READY) ## compare the fake with Stripe's test mode: STRIPE_SECRET_KEY=sk_test_… make live; ARGS='capture_* --notes'
	@$(BIN)/python -m tests.live $(ARGS)

SECONDS ?= 600

mutants: $(READY) ## change one thing at a time in the rules, and see tests fail; SECONDS=600, goes on where it stopped
	@$(BIN)/python -m pip install -qq --require-hashes -r .ci/mutants.txt
	@$(BIN)/python -m tests.mutants --seconds $(SECONDS) $(ARGS)

requirements: $(READY) ## pin the newest tools again; needs uv
	@env -u UV_INDEX_URL -u UV_DEFAULT_INDEX uv pip compile pyproject.toml --extra test --extra check --extra build \
		--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --upgrade \
		--annotation-style line -o .ci/requirements.txt

clean: ## remove what these targets made
	@rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .mutants
	@find . -name __pycache__ -type d -not -path './node_modules/*' -prune -exec rm -rf {} +
