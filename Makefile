# Everything a clone needs: python3 >= 3.11 and make. Each target makes the environment that it needs.
#   make PYTHON=python3.12 test     another interpreter
#   make VENV=/tmp/venv demo        another place

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
# The tests start remit hundreds of times: what it is compiled to is kept between them, whatever the environment says.
unexport PYTHONDONTWRITEBYTECODE

## help: this list
.PHONY: help
help:
	@sed -n 's/^## //p' $(firstword $(MAKEFILE_LIST)) | awk -F': ' '{ printf "  make %-8s %s\n", $$1, $$2 }'

# ---- environments: one stamp each, so that the second time starts at once ----

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; v = sys.version.split()[0]; sys.exit("remit needs Python 3.11 or later; " + sys.executable + " is " + v) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	@touch $@

# --no-deps: the lock is complete, and nothing that it does not name may come in.
$(VENV)/.run: requirements/run.txt pyproject.toml | $(VENV)/.created
	@echo "installing what remit runs with (once)"
	$(PIP) install --no-deps --require-hashes -r requirements/run.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	@echo "installing what remit is developed with (once)"
	$(PIP) install --no-deps --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.bench: requirements/bench.txt $(VENV)/.dev
	@echo "installing what remit is measured with and against (once)"
	$(PIP) install --no-deps --require-hashes -r requirements/bench.txt
	@touch $@

# ---- for everybody ----

## demo: the main job, end to end, in a temporary home
.PHONY: demo
demo: $(VENV)/.run
	$(BIN)/remit demo

# Every test has folders and ports of its own, so they run beside one another.
JOBS ?= 2
## test: all tests, JOBS at a time (ARGS="-k name" narrows)
.PHONY: test
test: $(VENV)/.dev
	@$(BIN)/python tools/system_packages.py
	$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal $(ARGS)

## docs: the site, as HTML in build/docs; its reference is made from the code first
.PHONY: docs
docs: $(VENV)/.dev
	$(BIN)/python tools/reference.py
	$(BIN)/python -m sphinx -q -W --keep-going -b html -d build/docs-trees docs build/docs

## lint: style, types, layers, sizes, docs, untracked output
.PHONY: lint
lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/check_sizes.py
	$(BIN)/python tools/check_docs.py
	$(BIN)/python tools/check_tracked.py

# ---- now and then ----

## audit: bill of materials (build/sbom.json) and known vulnerabilities of the lock
.PHONY: audit
audit: $(VENV)/.dev
	$(BIN)/python tools/audit.py

## build: wheel and sdist into dist/
.PHONY: build
build: $(VENV)/.dev
	$(BIN)/python -m build --no-isolation --outdir dist

## bench: the figures of docs/performance.md
.PHONY: bench
bench: $(VENV)/.bench
	@$(BIN)/python tools/system_packages.py bench
	$(BIN)/python -m benchmarks --json --page docs/performance.md

## soak: tests at their full sizes (ARGS=units, crash, …: some sections), results to docs/verification.md
.PHONY: soak
soak: $(VENV)/.dev
	@$(BIN)/python tools/system_packages.py
	$(BIN)/python tools/soak.py $(ARGS)

## lock: choose the exact versions anew (UPGRADE=--upgrade takes the newest)
.PHONY: lock
lock: $(VENV)/.dev
	$(BIN)/python tools/lock.py $(UPGRADE)

## clean: remove what was made here, the environment included
.PHONY: clean
clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	find units -name '*.wasm' -delete
	find units -name .cache -type d -prune -exec rm -rf {} +
