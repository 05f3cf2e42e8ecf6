# `make` shows what there is. Only Python 3.11+, make and git are needed; uv is used where it is present.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROTOS := $(wildcard proto/*.proto)

.PHONY: help setup nemesis nemesis-docker baseline bench-checkers bench-sim bench-shrink bench-failover test mutate-judges lint proto wheel engine build clean \
	sim-up sim-down sim-reset sim-ps sim-logs sim-sizes sim-ping

help: ## show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/.done ## make .venv with everything

$(VENV)/.done: pyproject.toml constraints.txt scripts/setup.sh
	@PYTHON="$(PYTHON)" VENV="$(VENV)" sh scripts/setup.sh
	@touch $@

nemesis: setup ## run the default matrix of workloads and faults on a local cluster
	$(BIN)/pytest -m nemesis

nemesis-docker: setup ## the same on the cluster in containers (needs a Docker engine: make engine build)
	$(BIN)/pytest --cluster=docker --workload=append,register --nemesis=partition --nemesis=pause --nemesis=kill \
		--nemesis=latency

baseline: setup ## measure elections and replication at several distances, into docs/baseline.md
	$(BIN)/python benchmarks/baseline.py

bench-checkers: setup ## measure how fast histories are judged, beside Porcupine where Go is installed
	$(BIN)/python -m benchmarks.checkers $(BENCH)

bench-sim: setup ## measure how fast the simulator is, every check included
	$(BIN)/python -m benchmarks.simulator $(BENCH)

bench-shrink: setup ## measure how small failing schedules get
	$(BIN)/python -m benchmarks.shrinking $(BENCH)

bench-failover: setup ## measure failover in the simulator beside the local cluster's (some minutes)
	$(BIN)/python -m benchmarks.failover $(BENCH)

test: setup ## run the project's own tests
	$(BIN)/pytest

mutate-judges: setup ## break the judges in every way that is known, and see that the tests notice (some minutes)
	$(BIN)/python -m tests.mutation

lint: setup ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

proto: setup ## generate system/pb from proto/
	$(BIN)/python -m grpc_tools.protoc -Isystem/pb=proto --python_out=. --grpc_python_out=. --pyi_out=. $(PROTOS)

wheel: proto ## build the wheel, with the stubs generated anew
	$(BIN)/python -m build --wheel --no-isolation

engine: ## get a Docker engine and Compose where there is none (Debian, as root)
	@sh scripts/docker-engine.sh

# What is given to make, such as MINIO_CONSOLE_PORT=19001, is in the commands' environment.
SIM := $(PYTHON) -m compose.sim

build: ## build the images of the nine-container cluster
	@$(SIM) build

sim-up: ## start the nine-container cluster and wait until it is healthy
	@$(SIM) up

sim-down: ## end it; its data stays
	@$(SIM) down

sim-reset: ## end it and remove its data
	@$(SIM) reset

sim-ps: ## what its containers do
	@$(SIM) ps

sim-logs: ## follow its logs
	@$(SIM) logs

sim-sizes: ## how large its images are, compressed
	@$(SIM) sizes

sim-ping: ## measure the round trip between two clouds, and within one
	@$(SIM) ping

clean: ## remove what was built and every kept run
	rm -rf dist build reports/runs .mypy_cache .ruff_cache .pytest_cache
