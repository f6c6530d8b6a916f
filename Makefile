# One command each. Everything is installed into .venv from lock files with hashes.
#
#   make run      serve on http://127.0.0.1:8081 with the data in ./data
#   make all      install it as a service of systemd, or bring that up to date (as root)
#   make roll-back  go back to the version before (as root)
#   make uninstall  remove all but the data (as root)
#   make image    build the container image pexservice; IMAGE_FLAGS="--build-arg BASE=..." for another base
#   make test     run the tests
#   make check    everything else that CI checks: formatting, lint, types, layering
#   make test-alerts  see each alert fire by its fault, with a real Prometheus (as root)
#   make test-proxy  send a million requests through nginx, and through Caddy, over a restart
#   make test-systemd  install it in a booted systemd, kill, stop and damage it there (as root)
#   make test-image  build it on a base of this machine's own, and run it confined, killed and restarted (as root)
#   make test-deps  install the Debian packages that tests and attacks use (as root)
#   make torture  attack the service for an hour or two; resume with SEED=n (as root)
#   make torture-short  the same in some minutes, as CI does (as root)
#   make bench    measure beside peers for half an hour, into docs/benchmarks.md; BENCH=--quick for two minutes
#   make dist     make wheel, sdist and SBOM of the last commit, reproducibly, into dist/
#   make format   format the code
#   make lock     compute the lock files anew (needs a package index)
#   make clean    remove what the above made, but never ./data

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run all roll-back uninstall image test check test-alerts test-proxy test-systemd test-image \
  test-deps test-systemd-deps test-image-deps bench-deps torture torture-short bench dist format lock clean

# Otherwise make removes the .python of an environment, which it takes for a file that nobody asked for.
.SECONDARY:

run: $(VENV)/.run
	@exec $(BIN)/pexservice serve --data-dir data

all:
	@deploy/systemd/manage install

roll-back uninstall:
	@deploy/systemd/manage $@

# Only Docker's own format keeps the health check, so podman and buildah are asked for it.
image:
	@version=$$(sed -n 's/^__version__ = "\(.*\)"$$/\1/p' src/pexservice/__init__.py) && \
	if docker info >/dev/null 2>&1; then set -- docker build; \
	elif command -v podman >/dev/null; then set -- podman build --format docker; \
	elif command -v buildah >/dev/null; then set -- buildah build --format docker; \
	else echo "make image needs a running docker, podman or buildah." >&2; exit 1; fi && \
	"$$@" $(IMAGE_FLAGS) --label "org.opencontainers.image.version=$$version" \
	  --label "org.opencontainers.image.revision=$$(git rev-parse HEAD 2>/dev/null)" \
	  --tag "pexservice:$$version" --tag pexservice:latest .

test: $(VENV)/.dev
	$(BIN)/pytest -n auto --dist worksteal

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# They wait most of the time; more at once than this and the faults get in each other's way.
test-alerts: $(VENV)/.dev test-deps
	$(BIN)/pytest -m alerts -n 6 tests/system/watching

test-proxy: PROXY_REQUESTS ?= 1000000
test-proxy: $(VENV)/.dev test-deps
	PROXY_REQUESTS=$(PROXY_REQUESTS) $(BIN)/pytest -n0 tests/system/deployment/test_proxy.py

test-systemd: $(VENV)/.dev test-systemd-deps
	@PYTHONPATH=tests $(BIN)/python -m system.machine

test-image: $(VENV)/.dev test-image-deps
	$(BIN)/pytest -n0 --capture=no --timeout=900 tests/system/deployment/check_image.py

test-deps test-systemd-deps test-image-deps bench-deps:
	@tests/packages $@

torture: $(VENV)/.dev
	PYTHONPATH=tests $(BIN)/python -m torture $(if $(SEED),--seed $(SEED)) $(TORTURE)

torture-short: $(VENV)/.dev
	PYTHONPATH=tests $(BIN)/python -m torture --short $(if $(SEED),--seed $(SEED)) $(TORTURE)

bench: $(VENV)/.bench .bench/venv/.run bench-deps
	$(BIN)/python -m benchmarks $(BENCH)

dist: $(VENV)/.dist
	PYTHONPATH=tests $(BIN)/python -m release

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(VENV)/.dev
	$(BIN)/pip install --quiet pip-tools
	for name in run dev bench dist; do \
	  $(BIN)/pip-compile --quiet --strip-extras --generate-hashes --allow-unsafe --no-header --no-emit-index-url \
	    --no-emit-find-links --no-emit-trusted-host --output-file requirements/$$name.txt requirements/$$name.in; \
	done

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .torture .bench .image .machine \
	  .prometheus dist

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
$(VENV)/.bench $(VENV)/.dist: $(VENV)/.dev
$(VENV)/.dev $(VENV)/.bench $(VENV)/.dist: $(VENV)/.%: requirements/%.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@
