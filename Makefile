# `make run` and `make test` are all that anyone needs: each installs what is missing, once, and goes.
#   make run ARGS="--input mic"    the same with options of `rtgain run`
#   make lint                      what CI says about style and types
#   make format                    let ruff rewrite the files
# PYTHON=python3.12 chooses another Python for the environment.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
.NOTPARALLEL:
export PYTHON

VENV := .venv
IN_VENV := $(VENV)/bin/python -m

.PHONY: run test lint format clean system-run system-test

run: $(VENV)/run.stamp
	@scripts/run $(ARGS)

test: system-test lint
	$(IN_VENV) pytest -n 3 --dist loadscope --no-loadscope-reorder -m "not realtime"
	$(IN_VENV) pytest -n 2 --dist loadscope --no-loadscope-reorder -m realtime || \
		{ [ $$? = 1 ] && echo "Again, one after the other: what failed next to another test must pass alone." && \
		$(IN_VENV) pytest --last-failed --last-failed-no-failures none -m realtime; }

lint: $(VENV)/test.stamp
	$(IN_VENV) ruff check .
	$(IN_VENV) ruff format --check .
	$(IN_VENV) mypy

format: $(VENV)/test.stamp
	$(IN_VENV) ruff check --fix .
	$(IN_VENV) ruff format .

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
	find rtgain gui tests -name __pycache__ -prune -exec rm -rf {} +

# The stamps are newer than pyproject.toml when what it asks for is installed.
$(VENV)/run.stamp: pyproject.toml | system-run
	@scripts/install .
	@touch $@

$(VENV)/test.stamp: pyproject.toml | system-run
	@scripts/install '.[test]'
	@touch $@ $(VENV)/run.stamp

system-run system-test: system-%:
	@scripts/system-packages $*
