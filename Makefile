# make help lists the targets; train, test and bench set up the environment by themselves.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help setup train test test-slurm test-milvus fast lint format docs bench attack wheel clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY) ## Make the virtual environment and install everything into it

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[weights,tensorboard,search,milvus,export,demo,cluster,tune,dashboard,dev]' --constraint constraints.txt
	@touch $@

train: $(READY) ## Train IDHN on the built-in data set (override with ARGS="method=dhn bits=48")
	$(BIN)/softhash train $(ARGS)

test: lint ## Lint, types, layers and every test, slow ones too
	$(BIN)/pytest --numprocesses 2 --dist worksteal --quiet

fast: $(READY) ## The quick tests only
	$(BIN)/pytest --quiet -m 'not slow'

test-slurm: $(READY) ## Multiruns on a real Slurm of one node, set up for the tests and taken down
	$(BIN)/pytest --quiet tests/commands/test_slurm.py

lint: $(READY) ## Style, types and the import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.venv-milvus/bin/milvus-server:
	$(PYTHON) -m venv .venv-milvus
	.venv-milvus/bin/pip install --quiet 'setuptools<81' milvus==2.3.5

test-milvus: $(READY) .venv-milvus/bin/milvus-server ## The tests against a real Milvus server (x86-64 Linux, minutes)
	$(BIN)/pytest --quiet tests/search/test_milvus.py

format: $(READY) ## Rewrite the sources in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY) ## Write the tables of docs/ anew from the configs
	$(BIN)/python docs/tables.py

bench: $(READY) ## Speed ratios against the alternatives, side by side
	$(BIN)/python -m benchmarks.evaluation
	$(BIN)/python -m benchmarks.loading
	$(BIN)/python -m benchmarks.sweeps
	$(BIN)/python -m benchmarks.losses
	$(BIN)/python -m benchmarks.encoding
	$(BIN)/python -m benchmarks.search
	$(BIN)/python -m benchmarks.processes
	$(BIN)/python -m benchmarks.shallow

attack: $(READY) ## Kill 50 trainings at random moments; compare what they end in with undisturbed ones (ten minutes)
	$(BIN)/python -m benchmarks.kills

wheel: $(READY) ## Build the wheel and the source archive into dist/
	$(BIN)/python -m build --outdir dist .

clean: ## Remove what was built, not the runs
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
