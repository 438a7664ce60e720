# Every target works on a fresh machine with Python >= 3.11, make and pip; nothing else is assumed.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
SDSAFE := $(BIN)/sdsafe
DEMO   := demo

.DEFAULT_GOAL := help
.PHONY: help venv weights nudenet system-packages demo test check fuzz fix bench docs clean

help:  ## show these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[generate,dev]'
	@touch $@

venv: $(STAMP)  ## .venv with everything the tests need

weights: $(STAMP)  ## pull the output classifier (24 MB, hash-pinned) into the model cache
	@$(SDSAFE) models verify open-nsfw >/dev/null 2>&1 || $(SDSAFE) models pull open-nsfw

system-packages:  ## Debian packages that the cross-checks of the tests need
	@ldconfig -p | grep -q libGL.so.1 && command -v openssl >/dev/null && command -v exiftool >/dev/null \
	  && command -v softhsm2-util >/dev/null \
	  || (apt-get update -qq && apt-get install -y -qq --no-install-recommends \
	    libgl1 libglib2.0-0 openssl libimage-exiftool-perl softhsm2)

# The demo keeps its keys, ledger and repository in ./demo, so that trying it out leaves no trace elsewhere.
demo: export SDSAFE_HOME = $(CURDIR)/$(DEMO)/state
demo: weights  ## generate a signed picture, prove where it comes from, say where it is
	@mkdir -p $(DEMO)
	@test -f $(DEMO)/state/keys/leaf.key || $(SDSAFE) keys init
	$(SDSAFE) generate "a red house on green hills at sunset" --seed 7 -o $(DEMO)/house.png --force
	@echo; echo "-- without a trust list: intact, signer unknown"
	$(SDSAFE) verify $(DEMO)/house.png
	@echo; echo "-- with the development root as trust anchor"
	$(SDSAFE) verify $(DEMO)/house.png --trust $(DEMO)/state/keys/root.pem
	@echo; echo "The signed picture is $(CURDIR)/$(DEMO)/house.png"

# The network in this wheel is AGPL-3.0, so no target of a user installs it; its adapter's tests skip without it.
nudenet: $(STAMP)  ## the wheel that the tests of the nudenet adapter run over
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -c constraints.txt nudenet

test: weights  ## the whole test suite
	$(BIN)/python -m pytest

check: $(STAMP)  ## format, lint, types, layers, and the fast tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy sdsafe cli/sdsafe_cli policies/sdsafe_policies models/sdsafe_scenes benchmarks tests/typing
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q -m "not slow and not weights" tests/unit tests/property tests/architecture

SECONDS_EACH ?= 50

fuzz: $(STAMP)  ## fuzz everything that reads files of strangers: ten minutes, no network (SECONDS_EACH=50)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -c constraints.txt atheris
	@for target in $$($(BIN)/python tests/fuzz/run.py --list); do echo "== $$target"; \
	  $(BIN)/python tests/fuzz/run.py $$target --seconds $(SECONDS_EACH) >.fuzz.log 2>&1 \
	    || { tail -30 .fuzz.log; exit 1; }; tail -1 .fuzz.log; done

fix: $(STAMP)  ## format, and repair what the linter can repair
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: weights  ## every benchmark; results in benchmarks/results
	@for f in benchmarks/[a-z]*.py; do echo "== $$f"; $(BIN)/python $$f; done

docs: $(STAMP)  ## write the pages that are printed from the code
	$(BIN)/python docs/build.py

clean:  ## remove what was built; keeps the model cache
	rm -rf $(VENV) $(DEMO) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .fuzz .fuzz.log dist
