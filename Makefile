# Hearth: the commands. They need Python 3.11 or newer, and keep all that they install in .venv.

PIP := .venv/bin/python -m pip install --quiet --disable-pip-version-check
FOR_RUNNING := .venv/.for-running
FOR_DEVELOPING := .venv/.for-developing
.NOTPARALLEL:

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' Makefile

run: $(FOR_RUNNING) ## the service with a demonstration district, at http://127.0.0.1:8080
	@.venv/bin/python -m solver compile & .venv/bin/hearth demo

test: lint ## everything that must hold: lint, types, import rules, tests
	.venv/bin/pytest -n 2

lint: $(FOR_DEVELOPING) ## style, types, import rules
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

setup: $(FOR_DEVELOPING) ## .venv with everything for developing

bench: $(FOR_DEVELOPING) ## the measurements of the README; FOLDER=… for those over a folder of files
	.venv/bin/python -m benchmarks.tiny_problems
	.venv/bin/python -m benchmarks.solver 300/5
ifdef FOLDER
	.venv/bin/python -m benchmarks.importing "$(FOLDER)"
	.venv/bin/python -m benchmarks.allocation "$(FOLDER)"
endif

sbom: $(FOR_DEVELOPING) ## a bill of what is installed for running, as CycloneDX, in var/sbom.json
	@mkdir -p var
	.venv/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible -o var/sbom.json requirements.txt

LOCK := .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
lock: $(FOR_DEVELOPING) ## write the lock files from pyproject.toml; ARGS=--upgrade for the newest of everything
	$(LOCK) $(ARGS) pyproject.toml -o requirements.txt
	$(LOCK) $(ARGS) --extra dev -c requirements.txt pyproject.toml -o requirements-dev.txt

.PHONY: help run test lint setup bench sbom lock

# The environment. `.venv/.made-in` is written last and names this folder: without it an installation was cut short, and
# with another name in it the folder was moved, which leaves scripts that point elsewhere. Either way it is made anew.
usable = .venv/bin/python -c pass 2>/dev/null && [ "$$(cat .venv/.made-in 2>/dev/null)" = "$$(pwd -P)" ]

ifneq ($(shell $(usable) && echo yes),yes)
.PHONY: $(FOR_RUNNING) $(FOR_DEVELOPING)
endif

define install
	@for folder in . .venv; do \
	  [ ! -e $$folder ] || [ -w $$folder ] || { \
	    echo "Hearth keeps what it installs in $$(pwd)/.venv, and you may not write there." >&2; exit 1; }; \
	done
	@$(usable) && exit; \
	if [ "$$PYTHON" ]; then set -- "$$PYTHON"; \
	else set -- python3.14 python3.13 python3.12 python3.11 python3 python; fi; \
	found=; \
	for python in "$$@"; do \
	  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  found=$$python; \
	  "$$python" -c 'import ensurepip, venv' 2>/dev/null || continue; \
	  echo "Making .venv with $$("$$python" --version)."; \
	  exec "$$python" -m venv --clear .venv; \
	done; \
	if [ "$$found" ]; \
	then echo "Hearth needs the venv module of $$found, which is missing (Debian: apt install python3-venv)." >&2; \
	else echo "Hearth needs Python 3.11 or newer, and none of these is: $$*." >&2; fi; \
	exit 1
	@rm -f .venv/.made-in
	@echo "Installing $(1)."
	@$(PIP) --require-hashes -r $(1)
	@$(PIP) --no-build-isolation --no-deps -e .
	@pwd -P > .venv/.made-in
endef

$(FOR_RUNNING): requirements.txt pyproject.toml
	$(call install,requirements.txt)
	@touch $@

# What is there for developing is enough for running.
$(FOR_DEVELOPING): requirements-dev.txt pyproject.toml
	$(call install,requirements-dev.txt)
	@touch $(FOR_RUNNING) $@
