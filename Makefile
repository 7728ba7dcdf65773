# How to run, test and check Layerwise. `make help` lists the targets.
# Variables: PYTHON (the Python that makes .venv), PORT (first port to try), ONCE=1 (stop after the demonstration),
# ARGS (more arguments for pytest), REQUIRE_ALL=1 (a skipped test is a failure).

PYTHON ?= python3
PORT ?= 8000
VENV := .venv
PY := $(VENV)/bin/python
VENDOR := dashboard/static/vendor/bootstrap.min.css
CODE := dashboard similarity workers boardagent simboard tools tests examples manage.py
PIP := $(PY) -m pip install --disable-pip-version-check --no-input

export PYTHONPATH :=
export DJANGO_SETTINGS_MODULE := dashboard.settings

.PHONY: help install install-dev assets demo up test test-sqlite test-postgres check format bench chaos lock clean
.DEFAULT_GOAL := help

help:
	@echo "make demo [ONCE=1]  install, start everything on this machine, show the whole path; Ctrl-C stops"
	@echo "make up             install and start everything, without the demonstration"
	@echo "make test           every test, on SQLite and on PostgreSQL where it is installed"
	@echo "make check          style, types, import rules, migrations, security"
	@echo "make format         let ruff set the style right"
	@echo "make bench          speed, as ratios to a peer measured in the same run"
	@echo "make chaos          kill processes at random while jobs run"
	@echo "make lock           pin requirements*.in anew"
	@echo "make clean          remove .venv, node_modules and caches; var/ with your data stays"

$(PY):
	@$(PYTHON) tools/pyversion.py
	@echo "==> Making $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Could not make $(VENV). On Debian: apt-get install python3-venv"; exit 1; }

$(VENV)/installed: requirements.txt | $(PY)
	@echo "==> Installing the Python packages (one to three minutes the first time)"
	@$(PIP) -r requirements.txt
	@touch $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	@echo "==> Installing the packages for tests and checks"
	@$(PIP) -r requirements-dev.txt
	@touch $@

$(VENDOR): package.json package-lock.json tools/assets.py $(VENV)/installed
	@echo "==> Fetching what the pages need in the browser"
	@$(PY) -m tools.assets
	@touch $@

install: $(VENV)/installed $(VENDOR)
install-dev: $(VENV)/installed-dev $(VENDOR)
assets: $(VENDOR)

demo: install
	@$(PY) manage.py up --demo --port $(PORT) $(if $(ONCE),--once)

up: install
	@$(PY) manage.py up --port $(PORT)

test: test-sqlite test-postgres

test-sqlite: install-dev
	$(PY) -m pytest -p tests.require_all $(ARGS)

test-postgres: install-dev
	$(PY) -m tests.postgres -- $(PY) -m pytest -p tests.require_all -p tests.database_only $(ARGS)

check: install-dev
	$(VENV)/bin/ruff check $(CODE)
	$(VENV)/bin/ruff format --check $(CODE)
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache
	$(PY) manage.py makemigrations --check --dry-run
	$(VENV)/bin/bandit -q -ll -r dashboard similarity workers boardagent simboard tools manage.py
	$(VENV)/bin/vermin --quiet --target=3.6- --violations --no-tips boardagent
	$(PY) -m tools.audit

format: install-dev
	$(VENV)/bin/ruff check --fix $(CODE)
	$(VENV)/bin/ruff format $(CODE)

bench: install-dev
	$(PY) -m tools.bench $(ARGS)

chaos: install-dev
	$(PY) -m tests.chaos $(ARGS)

lock: install-dev
	$(PY) -m tools.lock

clean:
	rm -rf $(VENV) node_modules dashboard/static/vendor .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
