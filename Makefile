# make run    build llr.pyz and start it with the demo      make test   everything that can be tested on this machine
# make build  only build                                    make bench  measure against the floor
# make soak   the long runs                                 make clients  the real coding tools (needs npm)
# Another Python:  make test PYTHON=python3.12
PYTHON ?= python3
VENV ?= .venv
IN_VENV := $(VENV)/bin/python
# Two workers: the tests wait on processes and sockets as much as they compute.
PYTEST_FLAGS ?=
JOBS ?= 2

.PHONY: run build test bench soak clients clean python venv lint types
.DEFAULT_GOAL := build

python:
	@command -v $(PYTHON) >/dev/null || { echo "No $(PYTHON) here: apt-get install python3 (3.11 or newer)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "llr needs Python 3.11 or newer: make PYTHON=python3.11 ..." >&2; exit 1; }

build: python
	$(PYTHON) build_zipapp.py

run: build
	$(PYTHON) llr.pyz start --demo

venv: python $(VENV)/.ready

$(VENV)/.ready: pyproject.toml
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "venv is missing: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@$(IN_VENV) -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; print(*p["dependencies"], *p["optional-dependencies"]["dev"], sep="\n")' > $(VENV)/wanted.txt
	$(IN_VENV) -m pip install --quiet --disable-pip-version-check --requirement $(VENV)/wanted.txt
	@touch $@

lint: venv
	$(IN_VENV) -m ruff check .

types: venv
	$(IN_VENV) -m mypy

# The tests come last: their report ends with what was skipped and which Debian package would end the skip.
test: venv
	$(IN_VENV) build_zipapp.py
	$(IN_VENV) build_zipapp.py --with redis --output build/llr-with-redis.pyz
	$(IN_VENV) -m ruff check .
	$(IN_VENV) -m mypy
	$(IN_VENV) -m pytest -n $(JOBS) $(PYTEST_FLAGS)

bench: venv build
	$(IN_VENV) build_zipapp.py --with redis --output build/llr-with-redis.pyz
	$(IN_VENV) -m tests.bench

soak: venv build
	$(IN_VENV) -m pytest -m soak $(PYTEST_FLAGS)

clients: venv build
	$(IN_VENV) -m pytest -m clients $(PYTEST_FLAGS)

clean:
	rm -rf llr.pyz llr.pyz.cdx.json llr.pyz.sha256 build .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
