# What a person does with this repository, one target each. What takes more than two lines stands in scripts/.
# Everything runs from .venv, which is made from the lock files the first time and left alone after that.

SHELL := /bin/bash
.DEFAULT_GOAL := help
BIN := .venv/bin

.PHONY: help setup run test lint format bench fuzz faults soak machine-test pictures docs lock clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# The two stamps say for which locks .venv was made: with what `emg` needs, and with what developers need besides.
.venv/.for-use: requirements.lock pyproject.toml scripts/setup.sh
	@scripts/setup.sh requirements.lock
	@touch $@

.venv/.for-work: requirements-dev.lock .venv/.for-use
	@scripts/setup.sh requirements-dev.lock
	@touch $@

# What the portal's pages are made of, from npm.
portal/static/vendor: portal/frontend/package-lock.json scripts/frontend.sh .venv/.for-use
	@scripts/frontend.sh
	@touch $@

setup: .venv/.for-use portal/static/vendor ## make .venv with the command emg

run: setup ## start the whole product with demo data and a simulated operator
	@exec $(BIN)/emg demo

test: .venv/.for-work portal/static/vendor ## run all tests
	@scripts/test.sh

lint: .venv/.for-work ## check format, style, types, layers, scripts
	@scripts/lint.sh

format: .venv/.for-work ## bring the code into its format
	@$(BIN)/ruff check --quiet --fix-only . && $(BIN)/ruff format .

bench: .venv/.for-work portal/static/vendor ## measure what things cost
	@scripts/bench.sh

fuzz: .venv/.for-work ## feed random bytes and values, round after round for FUZZ_SECONDS (300)
	@scripts/fuzz.sh

faults: .venv/.for-work portal/static/vendor ## do each fault to the whole product, and measure how long until all is well
	@scripts/faults.sh

soak: .venv/.for-work portal/static/vendor ## the long crash and load tests
	@$(BIN)/pytest -m soak tests

machine-test: .venv/.for-work portal/static/vendor ## the systemd unit on a booted machine (as root)
	@scripts/packages.sh systemd-container && $(BIN)/pytest -m machine tests/provision

pictures: .venv/.for-work portal/static/vendor ## take a picture of every page of the portal
	@scripts/pictures.sh

docs: .venv/.for-work ## write the generated documents anew
	@scripts/docs.sh

lock: .venv/.for-use ## compute the lock files from pyproject.toml
	@scripts/lock.sh

clean: ## remove what was made, but not var/, where messages may be
	@rm -rf portal/static/vendor portal/frontend/node_modules .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
