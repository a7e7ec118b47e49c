# make quickstart   set everything up in .venv, then train, export, verify and measure LeNet-5
# make test         set everything up in .venv, then run the tests
# make lint         ruff, mypy, the layers, and the Python 3.6 zone
# make benchmarks   measure speed beside others (an hour on an idle machine; BENCHMARKS="verdicts …" for others)
# make figures      draw docs/figures from a trained run (RUN=FOLDER) and the recorded benchmarks
#
# A machine with make and Python 3.10 or newer is enough: make PYTHON=python3.12 picks another one.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ZONE_36 := edgenet/__init__.py edgenet/errors.py edgenet/files.py edgenet/runner

# What is installed is remembered by stamp files. Their names carry a hash of what decides it, so a
# changed pyproject.toml or constraints.txt installs again, and another Python makes a new .venv.
PYTHON_KEY := $(shell $(PYTHON) -c "import sys; print(sys.version, sys.base_prefix)" | cksum | cut -d' ' -f1)
INSTALL_KEY := $(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)
CREATED := $(VENV)/.created-$(PYTHON_KEY)
INSTALLED := $(VENV)/.installed-$(INSTALL_KEY)
TEST_READY := $(VENV)/.test-ready-$(INSTALL_KEY)
LINT_READY := $(VENV)/.lint-ready-$(INSTALL_KEY)
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt

# The runner's tests also run under a board's Python where pyenv has one; elsewhere they are skipped.
PYTHON36 ?= $(shell pyenv prefix 3.6.15 2>/dev/null)/bin/python
VENV36 := $(VENV)/python36
export EDGENET_PYTHON36 ?= $(if $(wildcard $(PYTHON36)),$(CURDIR)/$(VENV36)/bin/python)

.PHONY: help quickstart test test-slow format benchmarks figures clean
.PHONY: lint lint-ruff lint-format lint-types lint-layers lint-zone
.DELETE_ON_ERROR:

help:
	@sed -n '/^# make/s/^# //p' Makefile

quickstart: $(INSTALLED)
	$(BIN)/edgenet quickstart

test: $(TEST_READY) $(if $(wildcard $(PYTHON36)),$(VENV36)/.ready)
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile $(PYTEST_ARGS)

test-slow: $(TEST_READY)
	$(BIN)/python -m pytest -m "slow and not board" --timeout=3600 $(PYTEST_ARGS)

# Each is a target of its own, so that `make -k lint` goes on after one has failed.
lint: lint-ruff lint-format lint-types lint-layers lint-zone
lint-ruff: $(LINT_READY)
	$(BIN)/ruff check .
lint-format: $(LINT_READY)
	$(BIN)/ruff format --check .
lint-types: $(LINT_READY)
	$(BIN)/mypy
lint-layers: $(LINT_READY)
	$(BIN)/lint-imports
lint-zone: $(LINT_READY)
	$(BIN)/vermin --quiet --no-tips --violations --target=3.6- $(ZONE_36)

format: $(LINT_READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Those of speed: the others train for hours, or take a network to start from.
BENCHMARKS ?= inference_peers cold_start train_speed time_to_99 busy_core
benchmarks: $(INSTALLED)
	set -e; for name in $(BENCHMARKS); do $(BIN)/python "benchmarks/$$name.py"; done

# A run that is not there yet is trained: the default takes a few minutes.
RUN ?= runs/train/lenet5-relu
figures: $(INSTALLED)
	test -d $(RUN) || $(BIN)/edgenet train
	$(BIN)/python benchmarks/figures.py $(RUN)

clean:
	rm -rf $(VENV) build dist edgenet.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find edgenet tests -name __pycache__ -type d -prune -exec rm -rf {} +

# One chain, so that `make -j` never runs two installations in the same .venv at once.
$(CREATED):
	@$(PYTHON) -c "import sys; sys.version_info >= (3, 10) or sys.exit('edgenet needs Python 3.10 or newer, and this is ' + sys.version.split()[0] + ': name another with make PYTHON=...')"
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(INSTALLED): | $(CREATED)
	$(PIP_INSTALL) -e .
	@touch $@

$(TEST_READY): | $(INSTALLED)
	$(PIP_INSTALL) -e ".[test]"
	@touch $@

$(VENV36)/.ready: | $(CREATED)
	$(PYTHON36) -m venv --clear $(VENV36)
	$(VENV36)/bin/python -m pip install --disable-pip-version-check --quiet pip==21.3.1
	$(VENV36)/bin/python -m pip install --disable-pip-version-check --quiet --only-binary :all: numpy==1.19.4 onnxruntime==1.10.0
	@touch $@

$(LINT_READY): | $(TEST_READY)
	$(PIP_INSTALL) -e ".[test,dev]"
	@touch $@
