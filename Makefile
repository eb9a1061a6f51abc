# oncegate: `make demo` and `make test` do all of their own set-up.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo test test-long lint unit bench bench-long lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

.venv/.runtime: requirements.lock pyproject.toml
	sh deploy/setup/venv.sh $(PYTHON) requirements.lock
	@touch $@

.venv/.dev: requirements-dev.lock pyproject.toml
	sh deploy/setup/venv.sh $(PYTHON) requirements-dev.lock
	@touch .venv/.runtime $@

tests/integration/interop/node_modules/.installed: tests/integration/interop/package-lock.json
	sh deploy/setup/node.sh tests/integration/interop
	@touch $@

tests/integration/interop/go/.downloaded: tests/integration/interop/go/go.sum tests/integration/interop/go/audit/go.sum
	sh deploy/setup/go.sh tests/integration/interop/go tests/integration/interop/go/audit
	@touch $@

setup: .venv/.runtime ## install into .venv (pinned versions and hashes)

setup-dev: .venv/.dev tests/integration/interop/node_modules/.installed \
  tests/integration/interop/go/.downloaded ## what the tests need
	sh deploy/setup/tools.sh
	sh deploy/kafka/kafka.sh install
	sh deploy/setup/faketime.sh
	sh deploy/setup/databases.sh
	sh deploy/setup/chromium.sh

demo: setup ## the main job, end to end, on this machine; serves until Ctrl-C
	@$(BIN)/oncegate demo

test: setup-dev lint ## everything
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test-long: setup-dev ## the whole matrix of faults on real Kafka, 11 to 25 minutes
	$(BIN)/python -m pytest --long tests/e2e/faults tests/integration/test_disk_full_adapter.py \
	  tests/integration/test_disk_full_node.py tests/integration/test_clock.py tests/integration/test_audit_strace.py

lint: .venv/.dev ## ruff, its formatter, mypy --strict, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: .venv/.dev ## the pure core, in seconds
	$(BIN)/python -m pytest tests/unit

bench: .venv/.dev ## each promise of speed as ours / limit / ratio
	$(BIN)/python -m tests.bench

bench-long: .venv/.dev ## the same with the long runs
	$(BIN)/python -m tests.bench --long

lock: ## renew the lock files (needs uv)
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  --python-version 3.11 --all-extras --group build pyproject.toml -o requirements.lock
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  --python-version 3.11 --all-extras --group dev pyproject.toml -o requirements-dev.lock

clean: ## remove what the targets above made
	rm -rf .venv .demo dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache \
	  tests/integration/interop/node_modules deploy/kafka/target
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
