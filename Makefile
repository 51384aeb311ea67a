# Thin on purpose: everything is done by the `keybeam` command and by pytest.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
OUT    ?= out/pass

.PHONY: help pass rtl test faults lint format docs bench bitstreams benchmark clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

$(READY): pyproject.toml native/CMakeLists.txt $(wildcard native/*.cpp native/*.hpp)
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Keybeam needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

pass: $(READY) ## set up, then run the satellite pass of 25 September 2022 from random numbers to key
	$(BIN)/keybeam pass --out $(OUT)

rtl: $(READY) ## set up, then run some tens of frames through the co-simulated boards
	$(BIN)/keybeam pass --rtl

test: $(READY) ## set up, then run every test
	$(BIN)/pytest -n 2 --dist worksteal

bench: $(READY) ## print all that is aimed at in the distillation beside what is measured
	$(BIN)/python benchmarks/targets.py

faults: $(READY) ## break the line and the link of the co-simulated boards, and account for all that is lost
	$(BIN)/python -m keybeam_sim.line_faults
	$(BIN)/python -m keybeam_sim.fault_campaign

lint: $(READY) ## formatter, linter and type checker
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(READY) ## format the sources
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(READY) ## write again the tables of docs/ that are generated
	$(BIN)/python -m keybeam_gateware.registers
	$(BIN)/keybeam registers --write-docs docs/registers.md >/dev/null
	$(BIN)/keybeam instruments models --write-docs docs/instruments.md >/dev/null
	$(BIN)/python -m keybeam.protocol > docs/wire-formats.md
	$(BIN)/python -m keybeam.report > docs/result.md
	$(BIN)/keybeam boards --write-docs docs/boards

bitstreams: $(READY) ## build every board in every role, what is not built yet, and write the table of docs/boards/
	$(BIN)/keybeam bitstreams --out out/bitstreams --write-docs docs/boards/bitstreams.md

clean: ## remove everything that is built
	rm -rf $(VENV) build out
