# `make figures` and `make test` need only Python 3.11+; each sets up .venv once by itself.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(not (3,11) <= sys.version_info[:2] < (3,14))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BENCH_READY := $(VENV)/.ready-bench
WORKERS ?= 2
EXTRAS := dev,models,codecs,parallel,parquet

.PHONY: figures test test-slow bench lint clean help

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "splitfleet needs Python 3.11, 3.12 or 3.13 on the PATH (or: make PYTHON=/path/to/python)"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@

$(BENCH_READY): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	@touch $@

figures: $(READY)  ## measure, simulate and draw all figures; outputs/report.html holds them
	$(BIN)/splitfleet figures

lint: $(READY)  ## format check, lint, strict types, import directions
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint  ## lint and every test that is not slow, in WORKERS processes of one thread (2)
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(WORKERS)

test-slow: $(READY)  ## the minutes-long tests: coverage of intervals, fuzzing, retraining
	$(BIN)/pytest -m slow

bench: $(BENCH_READY)  ## speed and rate, as ratios against named alternatives in the same run
	$(BIN)/python -m tests.bench

clean:  ## remove everything that is not in the repository
	rm -rf $(VENV) outputs build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
