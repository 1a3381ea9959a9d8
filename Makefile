# Everything runs in an environment of its own, made on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# The published optimizers weigh some hundred megabytes and stay apart; see CONTRIBUTING.md for the build of torch.
PEERS := .venv-peers
BENCH := .venv-bench

.PHONY: reproduce test test-peers record-peers lint bench check-rng check-rng-long check-agreement check-faults clean
reproduce: $(VENV)/run.stamp
	$(BIN)/simdyn run experiments

test: $(VENV)/test.stamp
	$(BIN)/pytest --numprocesses auto --dist worksteal

test-peers: $(PEERS)/peers.stamp
	$(PEERS)/bin/python -m pytest tests/peers

record-peers: $(PEERS)/peers.stamp
	$(PEERS)/bin/python tests/peers/record.py

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(BENCH)/bench.stamp
	$(BENCH)/bin/python -m benchmarks

check-rng: $(VENV)/run.stamp
	$(BIN)/python -m checks.random_numbers

check-rng-long: $(VENV)/run.stamp
	nice $(BIN)/python -m checks.random_numbers --long

# An hour; formulas among the landscapes need sympy, which the tests' environment has.
check-agreement: $(VENV)/test.stamp
	$(BIN)/python -m checks.agreement --minutes 60 --into docs/agreement.md

# Ten minutes or so; as root it also fills a small disk.
check-faults: $(VENV)/run.stamp
	$(BIN)/python -m checks.faults --kills 100 --into docs/reliability.md

$(BIN)/python $(PEERS)/bin/python $(BENCH)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "simdyn needs Python 3.11 or newer; say which with make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(@D)/..

$(VENV)/run.stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/test.stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

$(PEERS)/peers.stamp: pyproject.toml | $(PEERS)/bin/python
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[peers]'
	@touch $@

# Where the peers cannot be had, the benchmark says who is left out and goes on; install there by hand those that can.
$(BENCH)/bench.stamp: pyproject.toml | $(BENCH)/bin/python
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]' || \
	  $(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[formula]'
	@touch $@

clean:
	rm -rf $(VENV) $(PEERS) $(BENCH) results .pytest_cache .mypy_cache .ruff_cache build *.egg-info
