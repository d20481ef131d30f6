# Everything runs in .venv; PYTHON chooses the interpreter it is made from (3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MODEL := smollm2-135m
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: demo test editors-nvim editors-vscode vsix check fix bench eval soak clean

demo: $(VENV)/.demo
	@$(BIN)/midfill models pull --if-missing $(MODEL)
	@$(BIN)/midfill demo $(DEMO)

test: $(VENV)/.test
	$(BIN)/python -m pytest $(TEST)

# The plugin in a real Neovim in tmux. PICTURES=1 makes the pictures in docs/screenshots anew.
editors-nvim: $(VENV)/.editors
	$(BIN)/nvim -l tests/editors/nvim/unit.lua
	PICTURES=$(PICTURES) $(BIN)/python -m pytest tests/editors/nvim -m 'not soak' $(TEST)

soak: $(VENV)/.editors
	MIDFILL_SOAK=1 $(BIN)/python -m pytest -m soak --timeout=1800 $(TEST)
	MIDFILL_SOAK=1 $(BIN)/python -m pytest tests/editors/nvim -m soak --timeout=1800

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

# The extension with the server's wheel in it: dist/midfill-VERSION.vsix.
vsix: $(VENV)/.created vscode-client/node_modules/.package-lock.json
	rm -rf vscode-client/server
	$(BIN)/python -m pip --disable-pip-version-check wheel --quiet --no-deps --wheel-dir vscode-client/server .
	cp LICENSE vscode-client/
	mkdir -p dist
	npm --prefix vscode-client run --silent package

# A real VS Code in a headless browser. Needs chromium, node and npm; fetches VS Code once (800 MB) into
# ~/.cache/midfill-editors, or the folder that MIDFILL_EDITORS names.
editors-vscode: $(VENV)/.editors vsix
	$(BIN)/python -m tests.editors.vscode.install
	$(BIN)/python -m pytest tests/editors/vscode --timeout=300 $(TEST)

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

$(VENV)/.editors: $(VENV)/.created pyproject.toml
	$(PIP) -e '.[embedded,test,editors]'
	@touch $@ $(VENV)/.test $(VENV)/.demo

$(VENV)/.bench: $(VENV)/.created pyproject.toml
	$(PIP) -e '.[embedded,test,bench]'
	@touch $@ $(VENV)/.test $(VENV)/.demo

# npm writes this file last, so it is missing or old after an interrupted installation too.
vscode-client/node_modules/.package-lock.json: vscode-client/package-lock.json
	cd vscode-client && npm ci --silent --no-audit --no-fund
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
