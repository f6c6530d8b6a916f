# One command each; `make` alone lists them. Everything is installed into .venv from lock files with hashes.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MUCH ?= short

.PHONY: help run demo docs recording replicas all roll-back uninstall image test coverage test-lowest check test-alerts \
  test-browser test-proxy test-replicas test-systemd test-image test-deps test-systemd-deps test-image-deps bench-deps \
  torture torture-short bench dist proof format lock clean

# Otherwise make removes the .python of an environment, which it takes for a file that nobody asked for.
.SECONDARY:

help: ## list these
	@sed -n 's/^\([a-z][a-z -]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r names text; do \
	  printf '  make %-20s %s\n' "$$names" "$$text"; done

run: $(VENV)/.run ## serve on http://127.0.0.1:8081, with the data in ./data
	@exec $(BIN)/pexservice serve --data-dir data

demo: $(VENV)/$(if $(findstring replicas,$(DEMO)),.dev,.run) ## kill it twenty times under load, count what it lost; DEMO="--workers 2", "--replicas 3" too
	@exec $(BIN)/pexservice demo $(DEMO)

replicas: $(VENV)/.dev ## serve one walk from three replicas on a PostgreSQL server of their own, to look at
	@exec examples/replicas $(BIN)/pexservice

all: ## install it as a service of systemd, or bring that up to date (as root)
	@deploy/systemd/manage install

roll-back: ## go back to the version before (as root)
uninstall: ## remove all but the data (as root)
roll-back uninstall:
	@deploy/systemd/manage $@

# Only Docker's own format keeps the health check, so podman and buildah are asked for it.
image: ## build the container image; IMAGE_FLAGS="--build-arg BASE=..." for another base
	@version=$$(sed -n 's/^__version__ = "\(.*\)"$$/\1/p' src/pexservice/__init__.py) && \
	if docker info >/dev/null 2>&1; then set -- docker build; \
	elif command -v podman >/dev/null; then set -- podman build --format docker; \
	elif command -v buildah >/dev/null; then set -- buildah build --format docker; \
	else echo "make image needs a running docker, podman or buildah." >&2; exit 1; fi && \
	"$$@" $(IMAGE_FLAGS) --label "org.opencontainers.image.version=$$version" \
	  --label "org.opencontainers.image.revision=$$(git rev-parse HEAD 2>/dev/null)" \
	  --tag "pexservice:$$version" --tag pexservice:latest .

test: $(VENV)/.dev ## run the tests that need seconds; MUCH=full tries ten times as many examples
	$(BIN)/pytest -n auto --dist worksteal --much=$(MUCH)

coverage: $(VENV)/.dev ## fail unless the unit tests take every branch of core and of the stores of one machine
	@$(BIN)/coverage run -m pytest -p no:xdist -q tests/unit/core tests/unit/stores
	@$(BIN)/coverage report

# With the lowest versions that pyproject.toml allows, and the wheel's files instead of the checkout's.
test-lowest: .lowest/venv/.python requirements/lowest.txt ## run the tests with the lowest versions that are allowed
	@.lowest/venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/lowest.txt
	@.lowest/venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --force-reinstall .
	@.lowest/venv/bin/pip check
	.lowest/venv/bin/pytest -n auto --dist worksteal

check: $(VENV)/.dev ## check what can be checked without running it: formatting, lint, types, layering
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The folders of tests/system that need minutes, each by its name; MUCH=full is for a release.
test-alerts: test-deps ## see each alert fire by its fault, with a real Prometheus (as root)
test-browser: test-deps ## use the home page in Chromium: buttons, restart, keyboard, axe-core's rules
test-proxy: test-deps ## restart it behind nginx, and behind Caddy, under load; MUCH=full sends a million requests
test-replicas: test-deps ## kill replicas and servers under load, fail over, judge all answers (as root)
test-systemd: test-systemd-deps ## kill, stop and damage it in a booted systemd (as root); MUCH=full kills it more often
test-image: test-image-deps ## build the image, and run it confined, killed and restarted (as root); MUCH=full likewise
# Alerts wait most of the time; more at once than this and the faults get in each other's way.
test-alerts: WORKERS := -n 6
test-browser: $(VENV)/.browser
test-alerts test-browser test-proxy test-replicas test-systemd test-image: $(VENV)/.dev
	$(BIN)/pytest $(WORKERS) --much=$(MUCH) tests/system/$(@:test-%=%)

test-deps: ## install the Debian packages that tests and attacks use (as root)
test-deps test-systemd-deps test-image-deps bench-deps:
	@tests/packages $@

torture: $(VENV)/.dev ## attack the service for an hour or two; resume with SEED=n (as root)
	PYTHONPATH=tests $(BIN)/python -m torture --much=full $(if $(SEED),--seed $(SEED)) $(TORTURE)

torture-short: $(VENV)/.dev ## the same in some minutes, as CI does (as root)
	PYTHONPATH=tests $(BIN)/python -m torture --much=short $(if $(SEED),--seed $(SEED)) $(TORTURE)

bench: $(VENV)/.bench .bench/venv/.run bench-deps ## measure beside peers for half an hour; BENCH=--quick for two minutes
	$(BIN)/python -m benchmarks $(BENCH)
	$(BIN)/python -m benchmarks.workers $(filter --quick,$(BENCH))
	PYTHONPATH=tests $(BIN)/python -m benchmarks.on_a_server $(filter --quick,$(BENCH))

dist: $(VENV)/.dist ## make wheel, sdist and SBOM of the last commit, reproducibly, into dist/
	PYTHONPATH=tests $(BIN)/python -m release

proof: $(VENV)/.dev ## run what shows each claim of README for some hours, and write docs/proof.md (as root)
	PYTHONPATH=tests $(BIN)/python -m release.proof $(PROOF)

docs: $(VENV)/.docs ## make a site of the pages, in .site/html; a dead link fails it
	@$(BIN)/python -m pages.site

recording: $(VENV)/.run ## record the demo for the README, as docs/demo.svg
	@$(BIN)/python -m pages.recording

format: $(VENV)/.dev ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# What a lock file says, it says of the packages alone, and not of where they came from.
lock: COMPILE = $(BIN)/pip-compile --quiet --strip-extras --generate-hashes --allow-unsafe --no-header \
  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host
lock: $(VENV)/.dev ## compute the lock files anew (needs a package index)
	$(BIN)/pip install --quiet pip-tools
	for name in run dev bench browser dist docs image; do \
	  $(COMPILE) --output-file requirements/$$name.txt requirements/$$name.in; \
	done
	cp requirements/dev.txt requirements/lowest.txt  # What it does not have to change, it keeps.
	$(BIN)/python -m release.lowest > $(VENV)/lowest.pins
	$(COMPILE) --constraint $(VENV)/lowest.pins --output-file requirements/lowest.txt requirements/dev.in

clean: ## remove what the above made, but never ./data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .coverage .import_linter_cache .hypothesis .torture .bench .lowest .image .proof .systemd \
	  .prometheus .site dist

%/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "pexservice needs Python 3.11 or later as '$(PYTHON)'. Install it (Debian, Ubuntu: apt-get install python3)," \
	       "or name it: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "Python's venv module is missing. Install it (Debian, Ubuntu: apt-get install python3-venv)." >&2; exit 1; }
	@echo "Setting up $* ..."
	@$(PYTHON) -m venv --clear $*
	@touch $@

%/.run: %/.python requirements/run.txt pyproject.toml
	@$*/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	@$*/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run
$(VENV)/.bench $(VENV)/.browser $(VENV)/.dist: $(VENV)/.dev
$(VENV)/.docs: $(VENV)/.run
$(VENV)/.dev $(VENV)/.bench $(VENV)/.browser $(VENV)/.dist $(VENV)/.docs: $(VENV)/.%: requirements/%.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@
