# Everything runs in an environment of its own, made on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# The published optimizers weigh some hundred megabytes and stay apart; see CONTRIBUTING.md for the build of torch.
PEERS := .venv-peers

.PHONY: reproduce test test-peers record-peers lint bench check-rng check-rng-long clean
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

bench: $(VENV)/run.stamp
	$(BIN)/python benchmarks/engine.py
	$(BIN)/python benchmarks/exact.py

check-rng: $(VENV)/run.stamp
	$(BIN)/python -m checks.random_numbers

check-rng-long: $(VENV)/run.stamp
	nice $(BIN)/python -m checks.random_numbers --long

$(BIN)/python $(PEERS)/bin/python:
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

clean:
	rm -rf $(VENV) $(PEERS) results .pytest_cache .mypy_cache .ruff_cache build *.egg-info
