# `make` shows what there is. Only Python 3.11+, make and git are needed; uv is used where it is present.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROTOS := $(wildcard proto/*.proto)

.PHONY: help setup nemesis test lint proto build clean

help: ## show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.done ## make .venv with everything

$(VENV)/.done: pyproject.toml constraints.txt scripts/setup.sh
	@PYTHON="$(PYTHON)" VENV="$(VENV)" sh scripts/setup.sh
	@touch $@

nemesis: setup ## run the default matrix of workloads and faults on a local cluster
	$(BIN)/pytest -m nemesis

test: setup ## run the project's own tests
	$(BIN)/pytest

lint: setup ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

proto: setup ## generate system/pb from proto/
	$(BIN)/python -m grpc_tools.protoc -Isystem/pb=proto --python_out=. --grpc_python_out=. --pyi_out=. $(PROTOS)

build: proto ## build the wheel, with the stubs generated anew
	$(BIN)/python -m build --wheel --no-isolation

clean: ## remove what was built and every kept run
	rm -rf dist build reports/runs .mypy_cache .ruff_cache .pytest_cache
