# Everything a developer runs. `make demo` and `make test` each work as the first command on a
# machine that has Python 3.11 or newer, make and git.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
WORKERS ?= 2
# What the suite reads; a test whose asset is not there says so and is skipped.
TEST_ASSETS := smollm2-135m-instruct all-minilm-l6-v2 dreaddit bbq-gender discrim-eval diversity-medqa \
	tweets-sentiment

.PHONY: demo test lint types docs bench acceptance format clean
.DEFAULT_GOAL := test

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[all,dev]'
	@touch $@

demo: $(STAMP)  ## run every method's quick preset on real weights and write one report
	$(BIN)/burnish assets pull
	$(BIN)/burnish run all --preset quick --resume

test: $(STAMP)  ## the whole default suite
	$(BIN)/burnish assets pull $(TEST_ASSETS)
	HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1 TOKENIZERS_PARALLELISM=false OMP_NUM_THREADS=1 \
		$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadgroup --durations 8

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

docs: $(STAMP)  ## the documentation site, strictly, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(STAMP)  ## every benchmark: ours, the baseline and the ratio from one run
	@for script in $(filter-out benchmarks/acceptance.py,$(wildcard benchmarks/[a-z]*.py)); do \
		echo "== $$script"; $(BIN)/python $$script || exit 1; done

acceptance: $(STAMP)  ## make acceptance METHOD=structext: the paper's claims at full scale, resumable
	@test -n "$(METHOD)" || { echo "usage: make acceptance METHOD=name" >&2; exit 2; }
	$(BIN)/burnish assets pull --all || echo "going on with the assets that are here" >&2
	$(BIN)/python benchmarks/acceptance.py $(METHOD)

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) site build dist .pytest_cache .mypy_cache .ruff_cache
