# One command each. Everything is installed into .venv from lock files with hashes.
#
#   make run      serve on http://127.0.0.1:8081 with the data in ./data
#   make test     run the tests
#   make check    everything else that CI checks: formatting, lint, types, layering
#   make format   format the code
#   make lock     compute the lock files anew (needs a package index)
#   make clean    remove what the above made, but never ./data

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test check format lock clean test-deps

run: $(VENV)/.run
	@exec $(BIN)/pexservice serve --data-dir data

test: $(VENV)/.dev
	$(BIN)/pytest -n auto --dist worksteal

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Debian packages that some tests use; without them those tests skip and say so.
test-deps:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  command -v strace >/dev/null && command -v ab >/dev/null && command -v wrk >/dev/null || \
	    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq strace apache2-utils wrk; }; \
	else \
	  echo "test-deps: not root on Debian or Ubuntu; install strace, apache2-utils and wrk for the tests that use them"; \
	fi

lock: $(VENV)/.dev
	$(BIN)/pip install --quiet pip-tools
	for name in run dev; do \
	  $(BIN)/pip-compile --quiet --strip-extras --generate-hashes --allow-unsafe --no-header --no-emit-index-url \
	    --no-emit-find-links --no-emit-trusted-host --output-file requirements/$$name.txt requirements/$$name.in; \
	done

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "pexservice needs Python 3.11 or later as '$(PYTHON)'. Install it (Debian, Ubuntu: apt-get install python3)," \
	       "or name it: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "Python's venv module is missing. Install it (Debian, Ubuntu: apt-get install python3-venv)." >&2; exit 1; }
	@echo "Setting up $(VENV) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.python requirements/run.txt pyproject.toml
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@
