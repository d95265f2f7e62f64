# `make demo` and `make test` are all a fresh machine needs; both make their own environment.
# `make quick` is for every change. With another Python, and no framework:
#     make quick PYTHON=python3.13 VENV=.venv-3.13 EXTRA=test
PYTHON ?= python3
EXTRA ?= dev
VENV ?= .venv
BIN = $(VENV)/bin
DEMO ?= demo
STAMP = $(VENV)/.installed
# A file stays with one worker, as its tests share what is slow to make, and the files of the
# command line, which train, come first. Workers share one store, whose locks let one of them train.
PARALLEL = --numprocesses 2 --dist loadfile --no-loadscope-reorder

.PHONY: demo test quick lint types tests docs pages bench clean
.DELETE_ON_ERROR:

# Compiled here and now, because an editable install is not, and every host is a fresh process.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[$(EXTRA)]' --constraint constraints.txt
	$(BIN)/python -m compileall -q core plugins
	touch $@

demo: $(STAMP)
	mkdir -p $(DEMO)
	cd $(DEMO) && $(abspath $(BIN))/edgebench run quickstart

test: lint types docs tests

# What needs no process and no framework, in seconds; tests/quick.py holds it to that.
quick: $(STAMP)
	$(BIN)/pytest --quick --numprocesses 2

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

tests: $(STAMP)
	$(BIN)/pytest $(PARALLEL)

# The site, in build/site. Whatever MkDocs warns of ends it, a link to no heading too.
docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

# The pages that are written from the sources; tests hold them to these.
pages: $(STAMP)
	for program in docs/write_*.py; do $(BIN)/python $$program || exit 1; done

bench: $(STAMP)
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/tier_speed.py

clean:
	rm -rf $(VENV) $(DEMO)
