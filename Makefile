# The first targets a user meets, then those of a developer; `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt
PYTEST := $(BIN)/python -m pytest
CHECKED := gnnmat cli
# Quick ones that between them touch every contract; no training to the end, no browser.
FAST := tests/test_packaging.py tests/test_dependencies.py tests/models tests/tasks \
  tests/contracts --ignore=tests/models/test_scaffold.py

.DEFAULT_GOAL := help
.PHONY: help demo install install-dev test test-all check format bench new-model clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) \
	  | awk -F ':.*## ' '{ printf "  make %-12s %s\n", $$1, $$2 }'
	@echo
	@echo "  PYTHON=python3.12 names another Python, 3.11 or newer, for $(VENV)."

demo: install ## Install into .venv and train on embedded crystals, a few minutes
	$(BIN)/gnnmat train --output runs/demo --overwrite

install: $(VENV)/installed ## Install gnnmat into .venv
install-dev: $(VENV)/installed-dev ## Install gnnmat and the tools of a developer into .venv

# Stamps: an install runs again only if what it depends on is newer.
$(VENV)/installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable .
	@touch $@

$(VENV)/installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable ".[dev]"
	@touch $(VENV)/installed $@

$(BIN)/python:
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "There is no '$(PYTHON)' here. gnnmat needs Python 3.11 or newer." \
	    "Name yours: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "gnnmat needs Python 3.11 or newer, and $(PYTHON) is $$("$(PYTHON)" -V 2>&1)." \
	    "Name another: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@rm -f $(VENV)/installed $(VENV)/installed-dev
	@echo "Making $(VENV) with $(PYTHON)"
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "No virtual environment could be made; on Debian and Ubuntu: apt install python3-venv"; \
	  exit 1; }

test: install-dev ## Run the tests, without the slow ones, below 5 minutes
	$(PYTEST) -m "not slow"

test-all: install-dev ## Run every test
	$(PYTEST)

check: install-dev ## Lint, types, layers and the fastest tests, half a minute
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy $(CHECKED)
	$(BIN)/lint-imports
	$(PYTEST) -q -m "not slow" $(FAST)

format: install-dev ## Format the code and mend what lint can mend
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: install-dev ## Run the benchmarks and print their table
	$(BIN)/python tests/benchmarks/run_all.py

new-model: install-dev ## Start a model: make new-model NAME=my_model
	@$(BIN)/python -m gnnmat.models.scaffold "$(NAME)"
	@$(BIN)/ruff check --fix --quiet gnnmat/models/__init__.py
	@$(BIN)/ruff format --quiet gnnmat/models/__init__.py "gnnmat/models/$(NAME).py"

clean: ## Remove build products and caches; .venv and runs stay
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis \
	  .import_linter_cache .coverage lightning_logs
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
