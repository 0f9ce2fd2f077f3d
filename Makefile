# What a newcomer, a developer and CI type. `make` alone lists the targets.

VENV = .venv
BIN = $(VENV)/bin
STAMP = $(VENV)/.setup-stamp
# Extras that the tests need; the other SDKs are optional.
EXTRAS = shots,clip,s3,bundle,bench,explore,volcengine,ark,milvus,qdrant,twelvelabs,tos
TYPES = build/types
# As many processes as there are processors; a file's tests stay together, for they share servers and collections.
PARALLEL = --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
PYTEST_ARGS =

.NOTPARALLEL:
.PHONY: help setup servers demo test test-with check lint format format-check types docs docs-tables build bench-stores bench-figures lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(STAMP) ## make .venv with polyreel and its tools (PYTHON=... chooses the Python)
	@:

# The first Python that runs, is supported, and can make a venv: a shim may exist and fail.
$(STAMP): pyproject.toml requirements/constraints.txt
	@probe='import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))'; \
	if ! $(BIN)/python -c "$$probe" 2>/dev/null || ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	  for python in $(if $(PYTHON),"$(PYTHON)",python3.13 python3.12 python3.11 python3); do \
	    if "$$python" -c "$$probe" 2>/dev/null; then found=$$python; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "No Python 3.11, 3.12 or 3.13 with venv was found. Install one (on Debian: python3 and python3-venv)," >&2; \
	    echo "or name it: make setup PYTHON=path" >&2; \
	    exit 1; \
	  fi; \
	  echo "Making $(VENV) with $$("$$found" --version)"; \
	  rm -rf $(VENV); "$$found" -m venv $(VENV) || exit 1; \
	fi
	@echo "Installing polyreel and its tools into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements/constraints.txt --group dev
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint requirements/constraints.txt --no-build-isolation --editable '.[$(EXTRAS)]'
	@touch $@

servers: setup $(patsubst requirements/servers/%.txt,.servers/%/.stamp,$(wildcard requirements/servers/*.txt)) ## install the real servers that more tests use
	@:

# A server has an environment of its own: what it needs would not go with what polyreel needs.
.servers/%/.stamp: requirements/servers/%.txt
	@echo "Installing the server $* into .servers/$*"
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .servers/$*
	@$(BIN)/uv pip install --quiet --python .servers/$*/bin/python --requirement $<
	@touch $@

demo: setup ## ingest and search sample clips, or your own: make demo VIDEOS=folder
	@$(BIN)/polyreel demo $(if $(VIDEOS),"$(VIDEOS)")

test: setup ## run the tests (PYTEST_ARGS="-k word" chooses, "-n 0" takes one process)
	@$(BIN)/python -P -m pytest $(PARALLEL) $(PYTEST_ARGS)

test-with: ## run the quick tests with another Python: make test-with PYTHON=path
	@version=$$("$(PYTHON)" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || \
	  { echo "Name a Python that runs: make test-with PYTHON=path" >&2; exit 1; }; \
	$(MAKE) --no-print-directory test VENV=.venv-$$version PYTHON="$(PYTHON)" PYTEST_ARGS='-m "not slow" --hypothesis-profile quick $(PYTEST_ARGS)'

check: format-check lint types docs build test ## all that CI checks

format: setup ## format the code, and mend what can be mended
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

format-check: setup
	@echo "== format"
	@$(BIN)/ruff format --check .

lint: setup ## look for mistakes
	@echo "== lint"
	@$(BIN)/ruff check .

# A link gives the root its import name; the tests are named from `tests/` on, so that two may be called conftest.
types: setup ## check the types of code and tests
	@echo "== types"
	@mkdir -p $(TYPES) && ln -sfn ../.. $(TYPES)/polyreel
	@MYPYPATH=$(TYPES) $(BIN)/mypy -p polyreel
	@MYPYPATH=$(TYPES) $(BIN)/mypy --namespace-packages --explicit-package-bases --cache-dir .mypy_cache/tests tests tools examples

# The site must work without a network: no page may load anything from another host.
docs: setup ## build the documentation site into site/
	@echo "== docs"
	@mkdir -p build; NO_MKDOCS_2_WARNING=1 $(BIN)/python -P -m mkdocs build --strict > build/docs.log 2>&1 || \
	  { cat build/docs.log >&2; exit 1; }
	@! grep -rE '<(script|link|img|iframe)[^>]* (src|href)="?(https?:)?//' site --include='*.html'

docs-tables: setup ## write the parts of README.md and docs/ that are made from the code
	@$(BIN)/python -P tools/generate_docs.py

# Leftovers of an earlier build would be packed again.
build: setup ## build the source archive, and from it the wheel, into dist/
	@echo "== build"
	@rm -rf dist build/lib build/bdist.*; mkdir -p build
	@$(BIN)/python -P -m build --no-isolation --outdir dist . > build/build.log 2>&1 || { cat build/build.log >&2; exit 1; }
	@ls dist

# The peers bring much that polyreel doesn't need, so they get an environment of their own.
bench-stores: servers ## measure the stores, their engines, tutorials, LangChain and Haystack (BENCH_ARGS and PEER_ARGS: "--records 2000")
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-bench
	@$(BIN)/uv pip install --quiet --python .venv-bench/bin/python --constraint requirements/constraints.txt --group peers --editable '.[milvus,qdrant]'
	@.venv-bench/bin/polyreel bench $(BENCH_ARGS)
	@.venv-bench/bin/python -P -m polyreel.bench.peers $(PEER_ARGS)

bench-figures: setup ## write figures into docs/benchmarks.md: make bench-figures FIGURES="10k=folder" PICTURE=10k
	@$(BIN)/python -P tools/bench_figures.py $(FIGURES) $(if $(PICTURE),--picture $(PICTURE))

lock: setup ## pin every dependency anew in requirements/constraints.txt
	@$(BIN)/uv pip compile --quiet --universal --upgrade --no-annotate --no-header --python-version 3.11 \
	  --all-extras --group dev --group peers pyproject.toml --output-file requirements/constraints.txt
	@echo "Wrote requirements/constraints.txt"

clean: ## remove what the other targets made
	@rm -rf $(VENV) .venv-* .servers build dist site *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
