# Everything runs in .venv; PYTHON chooses the interpreter it is made from (3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MODEL := smollm2-135m
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: demo test check fix bench eval soak clean

demo: $(VENV)/.demo
	@$(BIN)/midfill models pull --if-missing $(MODEL)
	@$(BIN)/midfill demo $(DEMO)

test: $(VENV)/.test
	$(BIN)/python -m pytest $(TEST)

soak: $(VENV)/.test
	MIDFILL_SOAK=1 $(BIN)/python -m pytest -m soak --timeout=1800 $(TEST)

check: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m tests.support.clients_check

# Some 15 minutes on two cores; FULL=1 takes an hour and a half and fills in the documentation's tables and charts.
# RESUME=1 takes up the replays of a run that was interrupted.
bench: $(VENV)/.bench
	$(BIN)/python -m bench.smoke
	$(BIN)/python -m bench.growth
	$(BIN)/python -m bench.replay --matrix $(if $(FULL),full,reduced) $(if $(RESUME),--resume)
	$(BIN)/python -m bench.charts $(if $(FULL),full growth,reduced growth --into bench/out/charts)
	$(if $(FULL),$(BIN)/python -m bench.tables)

eval: $(VENV)/.demo
	@$(BIN)/midfill models pull --if-missing $(MODEL)
	$(BIN)/midfill eval run $(EVAL)

fix: $(VENV)/.dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

$(VENV)/.created:
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.created pyproject.toml
	$(PIP) -e '.[embedded]'
	@touch $@

$(VENV)/.test: $(VENV)/.created pyproject.toml
	$(PIP) -e '.[embedded,test]'
	@touch $@ $(VENV)/.demo

$(VENV)/.dev: $(VENV)/.created pyproject.toml
	$(PIP) -e '.[embedded,test,dev]'
	@touch $@ $(VENV)/.test $(VENV)/.demo

$(VENV)/.bench: $(VENV)/.created pyproject.toml
	$(PIP) -e '.[embedded,test,bench]'
	@touch $@ $(VENV)/.test $(VENV)/.demo

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
