# `make` says what there is. Everything runs from .venv, which the first target to need it makes.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
LISTEN ?= 127.0.0.1:9092
ARGS   ?=

.DEFAULT_GOAL := help
# What an installation is made from; a change of these makes it anew, compiled modules included.
SOURCES := pyproject.toml locks/dev.txt $(wildcard setup.py) $(wildcard ottla/*/_*_cy.py) $(wildcard ottla/*/*/_*_cy.py)

# Tools that judge what is installed and are not installed with it.
TOOLS  := .cache/tools
LOCKS  := locks/run.txt locks/dev.txt locks/kerberos.txt

.PHONY: help run test test-fast check format bench clients report-card campaign docs install lock audit sbom clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

run: $(VENV)/.run ## start a broker on LISTEN (default 127.0.0.1:9092); ARGS="--set key=value"
	@echo "Starting Ottla. In another terminal, for example:"
	@echo "  echo 'hello' | kcat -b $(LISTEN) -t greetings -P        # apt install kcat"
	@echo "  kcat -b $(LISTEN) -t greetings -C -e"
	@echo "Ctrl-C ends it. Settings: docs/configuration.md; this machine: $(BIN)/ottla doctor"
	@$(BIN)/ottla start --listen $(LISTEN) $(ARGS)

test: $(VENV)/.dev ## every test (some minutes; what needs Java, Go, Node or kcat says so where it is skipped)
	$(BIN)/pytest $(ARGS)

test-fast: $(VENV)/.dev ## the tests that need nothing but Python and no patience
	$(BIN)/pytest -q -m "not slow and not java and not clients and not bench and not campaign" $(ARGS)

check: $(VENV)/.dev ## format, lint, types, import contracts, tidiness, documentation
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/test_tidy.py tests/test_docs.py

format: $(VENV)/.dev ## put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev ## measure beside Apache Kafka and the physical limit (bench/README.md)
	$(BIN)/python -m bench $(ARGS)

clients: $(VENV)/.dev ## every client against every other, docs/clients.md (ARGS="--corpus-mb 100" for the full form)
	$(BIN)/python -m tests.clients.matrix --broker ottla $(ARGS)

report-card: $(VENV)/.dev ## every outside suite on Ottla and Apache Kafka, docs/report-card.md (hours; ARGS="--form short")
	$(BIN)/python -m tests.suites.report $(ARGS)

campaign: $(VENV)/.dev ## hours of random input: the tests marked `campaign`
	$(BIN)/pytest -m campaign $(ARGS)

docs: $(VENV)/.dev ## write the pages that are made from tables: configuration, APIs, metrics, command line
	$(BIN)/python -m ottla.metadata.configs.document
	$(BIN)/python tools/apis.py
	$(BIN)/python tools/cli.py
	$(BIN)/python tools/metrics.py
	$(BIN)/python tools/dashboard.py

install: $(VENV)/.dev ## make .venv with everything a contributor needs
	@$(BIN)/ottla version

lock: $(TOOLS)/.made ## choose the newest versions of all dependencies and write them down with their hashes (locks/)
	$(TOOLS)/bin/python tools/lock.py

audit: $(TOOLS)/.made ## ask the vulnerability service about every locked dependency (needs pypi.org; says so if it is not reached)
	$(TOOLS)/bin/python tools/audit.py $(LOCKS)

sbom: $(TOOLS)/.made ## list what an installation is made of, in CycloneDX (dist/sbom.json)
	mkdir -p dist
	$(TOOLS)/bin/cyclonedx-py requirements --pyproject pyproject.toml --of JSON -o dist/sbom.json locks/run.txt

clean: ## remove what was made here (not the data folder)
	rm -rf $(VENV) build dist ottla.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find ottla \( -name '*.so' -o -name '*_cy.c' \) -delete
	find ottla tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps: a broker needs less than a contributor. pip builds the Cython modules if a C compiler is there and
# goes on without them if not; `ottla doctor` says which of the two it is.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Ottla needs Python 3.11 or later; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || uv venv --seed --python $(PYTHON) $(VENV) 2>/dev/null || $(PYTHON) -m virtualenv $(VENV) 2>/dev/null \
	  || { rm -rf $(VENV); echo "No way to make a virtual environment. On Debian or Ubuntu: apt install python3-venv"; exit 1; }

$(VENV)/.run: $(BIN)/python $(SOURCES)
	@test -e $(VENV)/.dev || { echo "Installing Ottla into $(VENV) (once) ..."; $(BIN)/python -m pip install --quiet --editable .; }
	@touch $@

$(TOOLS)/.made: tools/lock-tools.txt
	@$(PYTHON) -m venv --clear $(TOOLS)
	@$(TOOLS)/bin/python -m pip install --quiet $$(grep '^uv==' tools/lock-tools.txt)
	@$(TOOLS)/bin/uv pip install --quiet --python $(TOOLS)/bin/python --requirement tools/lock-tools.txt
	@touch $@

$(VENV)/.dev: $(BIN)/python $(SOURCES)
	@echo "Installing Ottla and its tools into $(VENV) (once) ..."
	@$(BIN)/python -m pip install --quiet --require-hashes --requirement locks/dev.txt
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.run
