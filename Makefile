# Drawdown. `make` alone lists what there is; only Python 3.11 or newer, make and git are needed.

EXPERIMENT   ?= us_japan_framework
REPLICATIONS ?=
WORKERS      ?=
OUT          ?=
SEED         ?=
SET          ?=
COMPANY      ?=
QUICK        ?=
WRITE        ?=
JOBS         ?= 2

# One thread for linear algebra: its matrices are tiny, and two workers share the cores.
export OPENBLAS_NUM_THREADS ?= 1

VENV := .venv
BIN  := $(VENV)/bin
PIP  := $(BIN)/python -m pip -q --disable-pip-version-check

# The first interpreter that is new enough; override with `make PYTHON=/path/to/python ...`.
PYTHON ?= $(shell for p in python3.11 python3 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)

EXPERIMENT_FILE = experiments/$(EXPERIMENT).yaml
RUN_OPTIONS = $(if $(REPLICATIONS),--replications $(REPLICATIONS)) $(if $(WORKERS),--workers $(WORKERS)) \
	$(if $(SEED),--seed $(SEED)) $(if $(OUT),--out "$(OUT)") $(foreach change,$(SET),--set '$(change)') \
	$(foreach company,$(COMPANY),--company "$(company)")

.DEFAULT_GOAL := help
.PHONY: help experiment describe install dev test lint format types check bench bench-parallel bench-scenarios bench-history \
	scaling golden lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '\n  make experiment EXPERIMENT=%s REPLICATIONS=256 WORKERS=2 SEED=1 OUT=results/trial SET="a.b=1 c.d=60d"\n' \
		'$(EXPERIMENT)'

experiment: $(VENV)/.runtime  ## run EXPERIMENT and write its results and figures
	@$(BIN)/drawdown run $(EXPERIMENT_FILE) $(RUN_OPTIONS)

describe: $(VENV)/.runtime  ## say what EXPERIMENT would run, without running it
	@$(BIN)/drawdown describe $(EXPERIMENT_FILE)

install: $(VENV)/.runtime  ## make .venv with what a run needs

dev: $(VENV)/.dev  ## add the tools for tests and checks to .venv

test: $(VENV)/.dev  ## all tests; JOBS=2 of them at a time
	@$(BIN)/python -m pytest -n $(JOBS) $(PYTEST_OPTIONS)

lint: $(VENV)/.dev  ## style, format and import order
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo

format: $(VENV)/.dev  ## rewrite the code in the project's format
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

types: $(VENV)/.dev  ## check the type hints
	@$(BIN)/mypy

# One after the other, so that the last line is the tests' own summary, with `make -j` too.
check: $(VENV)/.dev  ## lint, types and test
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory types
	@$(MAKE) --no-print-directory test

bench: $(VENV)/.dev  ## what a replication costs, from 30 to 5,000 facilities; QUICK=1, WRITE=1 into the docs
	@$(BIN)/python -m benchmarks.run $(if $(QUICK),--quick) $(if $(WRITE),--write)

bench-parallel: $(VENV)/.dev  ## start-up, and what a second worker gives
	@$(BIN)/python -m benchmarks.parallel

bench-scenarios: $(VENV)/.dev  ## time per replication of every scenario of EXPERIMENT
	@$(BIN)/python -m benchmarks.scenarios --experiment $(EXPERIMENT)

bench-history: $(VENV)/.dev  ## measure with pytest-benchmark and keep the ratios
	@$(BIN)/python -c 'import pytest_benchmark' 2>/dev/null || $(PIP) install --no-compile 'pytest-benchmark>=5'
	@$(BIN)/python -m benchmarks.history

scaling: $(VENV)/.dev  ## how cost grows with a synthetic world, up to 5,000 facilities
	@$(BIN)/python -m benchmarks.scaling

golden: $(VENV)/.dev  ## refresh the golden summaries; say why in CHANGELOG.md, section Numbers
	@$(BIN)/python -m tests.golden.refresh

# --- environment ---------------------------------------------------------------------------------

# On all cores, and not what packages ship of their own tests: a third of the time that pip takes for it.
BYTECODE = $(BIN)/python -m compileall -q -j 0 -x '[/\\](tests?|cuda|lexers|fontTools|pip|setuptools)[/\\]' $(VENV)/lib sim >/dev/null 2>&1 || true

$(BIN)/python:
	@test -n "$(PYTHON)" || { \
		echo "Drawdown needs Python 3.11 or newer and found none; name one with: make PYTHON=/path/to/python3.11 ..." >&2; \
		exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Drawdown needs Python 3.11 or newer, and $(PYTHON) is not." >&2; exit 1; }
	@echo "Making $(VENV) with `$(PYTHON) --version` ..."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: pyproject.toml requirements.lock | $(BIN)/python
	@echo "Installing the locked packages into $(VENV) ..."
	@$(PIP) install --no-compile -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@$(BYTECODE)
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.lock
	@echo "Installing the tools for tests and checks into $(VENV) ..."
	@$(PIP) install --no-compile -r requirements-dev.lock
	@$(BYTECODE)
	@touch $@

# Resolves afresh in an environment of its own; only what pyproject.toml names decides the outcome.
LOCK := build/lock
FREEZE = $(LOCK)/bin/python -m pip --disable-pip-version-check freeze --all --exclude pip --exclude drawdown

lock: $(BIN)/python  ## refresh both lock files to the newest versions that fit together
	@rm -rf $(LOCK) && $(BIN)/python -m venv $(LOCK)
	@$(LOCK)/bin/python -m pip -q --disable-pip-version-check install --upgrade setuptools
	@$(LOCK)/bin/python -m pip -q --disable-pip-version-check install --no-build-isolation -e .
	@{ echo "# What a run needs, at the versions it was tested with. Refresh with: make lock"; $(FREEZE); } > requirements.lock
	@$(LOCK)/bin/python -m pip -q --disable-pip-version-check install --no-build-isolation -e '.[dev]'
	@{ echo "# requirements.lock and the tools for tests and checks. Refresh with: make lock"; $(FREEZE); } > requirements-dev.lock
	@rm -rf $(LOCK)

clean:  ## remove environments, builds and caches; results stay
	@rm -rf $(VENV) build dist *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
