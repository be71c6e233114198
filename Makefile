# `make help` lists the targets. Everything is installed into .venv of this folder; nothing outside the folder is written
# but the package caches, and those only where HOME can be written.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PY := .venv/bin/python
# requirements/gpu.txt for `make run` on a GPU.
REQUIREMENTS ?= requirements/dev.txt
WORKERS ?= 2

export PREFECT_HOME := $(CURDIR)/var/prefect
export PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS := 180
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export DO_NOT_TRACK := 1
export KERAS_HOME := $(CURDIR)/.cache/keras
export KERAS_BACKEND := tensorflow
export TF_CPP_MIN_LOG_LEVEL := 2
export UV_PYTHON_DOWNLOADS := never
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_USER := 0

# A HOME that cannot be written: every cache moves into the project.
ifneq ($(shell test -n "$$HOME" && test -d "$$HOME" && test -w "$$HOME" && echo writable),writable)
export UV_CACHE_DIR := $(CURDIR)/.cache/uv
export PIP_CACHE_DIR := $(CURDIR)/.cache/pip
export XDG_CACHE_HOME := $(CURDIR)/.cache
export XDG_CONFIG_HOME := $(CURDIR)/.cache/config
export MPLCONFIGDIR := $(CURDIR)/.cache/matplotlib
endif

.PHONY: help install demo test-fast test test-slow soak run wheel docs docs-reference schema lint types imports audit system-deps live-check bench bench-quick lock clean

help: ## this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'

install: ## set up .venv from the locked requirements (the targets below do it by themselves)
	@deployments/bootstrap.sh install "$(REQUIREMENTS)"

demo: install ## the daily job on real recorded input: no network needed once installed, two minutes on two idle cores
	@"$(PY)" -m tests.support.demo

test-fast: install ## before each commit, under 90 seconds: the unit tests, which start no server, but for those that train a model
	@"$(PY)" -m pytest -q tests/unit -m "not slow and not trains and not shared" -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test: install ## the tests, under 6 minutes: no network needed once installed
	@"$(PY)" -m pytest -q tests --ignore=tests/bench -m "not slow" -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-slow: install ## the slow ones: Prefect's servers and workers, the browser, long forms of what `make test` samples
	@"$(PY)" -m pytest -q tests --ignore=tests/bench -m slow -n $(WORKERS) --dist loadfile --no-loadscope-reorder

soak: install ## the fault drivers at length, about an hour, loopback only (SOAK_ARGS="--kills 50 --minutes 20")
	@"$(PY)" -m tests.faults.soak $(SOAK_ARGS)

run: install ## the daily job live: pull from USGS, forecast the next local day, report
	@"$(PY)" -m forecaster run

wheel: install ## build dist/quakecast-*.whl, which needs no checkout (docs/how-to/install.md)
	@"$(PY)" -m hatchling build -t wheel -d dist

docs: install ## the documentation as a site in build/docs: every link checked, no network (serve it: .venv/bin/mkdocs serve)
	@"$(PY)" deployments/site/reference.py --check
	@NO_MKDOCS_2_WARNING=true "$(PY)" -m mkdocs build --strict

docs-reference: install ## write docs/reference anew from the code (commands, settings, database, JSON, Python)
	@"$(PY)" deployments/site/reference.py

schema: install ## write forecaster/store/schema/baseline.sql anew from the upgrades beside it
	@"$(PY)" deployments/data/write_baseline.py

lint: install ## ruff: rules and format; vulture: code that nothing calls
	@"$(PY)" -m ruff check .
	@"$(PY)" -m ruff format --check .
	@"$(PY)" -m vulture

types: install ## mypy
	@"$(PY)" -m mypy

imports: install ## which module may import which
	@"$(PY)" .venv/bin/lint-imports --no-logo

audit: install ## is what is installed what the lock says, whole, and free of known flaws (these by pip-audit, where it can be asked)
	@"$(PY)" deployments/audit.py "$(REQUIREMENTS)"

system-deps: ## Chromium, a Japanese font and PostgreSQL, by apt-get (root or sudo)
	@deployments/bootstrap.sh system-deps

live-check: install ## the USGS client against the real service (never in CI)
	@"$(PY)" -m tests.support.live_check

bench: install ## the measurements against other ways, unit costs and growth: 15 minutes on two free cores (BENCH_ARGS="--check", "--write")
	@"$(PY)" -m tests.bench $(BENCH_ARGS)
	@$(if $(filter --write,$(BENCH_ARGS)),BENCH_WRITE=1) "$(PY)" -m pytest tests/bench -q -s --ignore-glob="*worker*"

bench-quick: install ## those of the measurements that take under two minutes (BENCH_ARGS="--check" compares with docs/PERFORMANCE.json)
	@"$(PY)" -m tests.bench --quick $(BENCH_ARGS)

lock: ## compile requirements/*.txt anew (LOCK_ARGS=--upgrade for newer versions)
	@deployments/bootstrap.sh lock $(LOCK_ARGS)

clean: ## remove .venv, caches and build output; data, reports and var/ stay
	@rm -rf .venv .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
