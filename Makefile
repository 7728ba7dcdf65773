# How to run, test and check Layerwise. `make help` lists the targets.
# Variables: PYTHON (the Python that makes .venv), PORT (first port to try), ONCE=1 (stop after the demonstration),
# ARGS (more arguments for pytest), VERSION (of a toolkit, beside the usual one), WITH=tensorflow (beside RKNN-Toolkit2), REQUIRE_ALL=1 (a skipped test is a failure).

PYTHON ?= python3
PORT ?= 8000
VENV := .venv
PY := $(VENV)/bin/python
VENDOR := dashboard/static/vendor/bootstrap.min.css
CODE := dashboard similarity workers boardagent simboard tools tests examples manage.py
PIP := $(PY) -m pip install --disable-pip-version-check --no-input

export PYTHONPATH :=
export DJANGO_SETTINGS_MODULE := dashboard.settings

.PHONY: help install install-dev assets demo up test test-sqlite test-postgres check format bench chaos chaos-farm lock clean
.PHONY: networks agent-c bench-farm bench-toolkits test-armhf toolkit-rknn2 toolkit-torch
.DEFAULT_GOAL := help

help:
	@echo "make demo [ONCE=1]  install, start everything on this machine, show the whole path; Ctrl-C stops"
	@echo "make up             install and start everything, without the demonstration"
	@echo "make test           every test, on SQLite and on PostgreSQL where it is installed"
	@echo "make test-armhf     the agent on emulated armhf boards; needs root and a few Debian packages"
	@echo "make check          style, types, import rules, migrations, security"
	@echo "make format         let ruff set the style right"
	@echo "make bench          speed, as ratios to a peer measured in the same run"
	@echo "make bench-farm     50 simulated boards under load on PostgreSQL; ARGS=--short for a quick look"
	@echo "make bench-toolkits our share beside RKNN-Toolkit2's own work; its scores, and text dumps"
	@echo "make chaos          kill processes at random while jobs run"
	@echo "make chaos-farm     cut links and kill boards of a farm while runs go on"
	@echo "make toolkit-rknn2  RKNN-Toolkit2 in an environment of its own, for RV1126B and RK35xx;"
	@echo "                    WITH=tensorflow: also for TensorFlow Lite and frozen TensorFlow graphs"
	@echo "make toolkit-torch  PyTorch on the CPU in an environment of its own, for TorchScript sources (.pt)"
	@echo "make networks       real networks of public packages through every toolkit, into docs/networks.md; ARGS=\"NAME...\""
	@echo "make agent-c        the agent for boards without Python, by CC=<compiler of the board's SDK>, into var/agents/"
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

test-armhf: install-dev
	$(PY) -m pytest -p tests.require_all -m armhf tests/armhf $(ARGS)

check: install-dev
	$(VENV)/bin/ruff check $(CODE)
	$(VENV)/bin/ruff format --check $(CODE)
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache
	$(PY) manage.py makemigrations --check --dry-run
	$(VENV)/bin/bandit -q -ll -r dashboard similarity workers boardagent simboard tools manage.py
	$(VENV)/bin/vermin --quiet --target=3.6- --violations --no-tips boardagent workers/toolkits/rknn1job tests/toolkits/standin
	$(PY) -m tools.audit

format: install-dev
	$(VENV)/bin/ruff check --fix $(CODE)
	$(VENV)/bin/ruff format $(CODE)

bench: install-dev
	$(PY) -m tools.bench $(ARGS)

bench-toolkits: install-dev
	$(PY) -m tests.bench.toolkits $(ARGS)

bench-farm: install-dev
	$(PY) -m tests.postgres -- $(PY) -m tests.bench.farm $(ARGS)

chaos: install-dev
	$(PY) -m tests.chaos $(ARGS)

chaos-farm: install-dev
	$(PY) -m tests.postgres -- $(PY) -m tests.chaos.farm $(ARGS)

toolkit-rknn2: install
	@$(PY) -m tools.toolkit rknn2 $(if $(VERSION),--version $(VERSION)) $(if $(WITH),--with $(WITH))

toolkit-torch: install
	@$(PY) -m tools.toolkit torch

networks: install
	@$(PY) -m tools.networks $(ARGS)

agent-c:
	@$(MAKE) --no-print-directory -C boardagent/c CC=$(CC) OUT=$(CURDIR)/var/agents

lock: install-dev
	$(PY) -m tools.lock

clean:
	rm -rf $(VENV) node_modules dashboard/static/vendor .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
