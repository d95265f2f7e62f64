# `make demo` and `make test` are all a fresh machine needs; both make their own environment.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
DEMO ?= demo
STAMP = $(VENV)/.installed

.PHONY: demo test lint types tests bench docs clean
.DELETE_ON_ERROR:

# Compiled here and now, because an editable install is not, and every host is a fresh process.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]' --constraint constraints.txt
	$(BIN)/python -m compileall -q core plugins
	touch $@

demo: $(STAMP)
	mkdir -p $(DEMO)
	cd $(DEMO) && $(abspath $(BIN))/edgebench run quickstart

test: lint types tests

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

tests: $(STAMP)
	$(BIN)/pytest

bench: $(STAMP)
	$(BIN)/python benchmarks/overhead.py

clean:
	rm -rf $(VENV) $(DEMO)
