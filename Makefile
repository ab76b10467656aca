# Everything the project does, one target each. `make` alone lists them.
#
# Two environments, made on first use and rebuilt when their list changes:
#   .venv      what runs the local XSOAR, the tests and the checks       requirements/dev.txt
#   .venv-sdk  demisto-sdk and others, check and pack the content        requirements/sdk.txt
# Results and logs go to dist/ (the pack) and build/ (the rest).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Only `checks` and `test` run steps side by side.
ifndef SIDE_BY_SIDE
.NOTPARALLEL:
endif

PYTHON ?= python3
# How many processes share the tests, and how many checks run side by side: more than a small machine has processors, as a test
# over HTTP often waits for another process.
WORKERS ?= 3
# What to hand on to demo, pair, serve, warroom, bench, mutants and others, for example: make serve ARGS="--port 8080".
ARGS ?=

# In CI the tests begin as a newcomer does, with no environment, even where one lies there already.
ifeq ($(CI)$(MAKELEVEL)$(filter test,$(MAKECMDGOALS)),true0test)
$(shell rm -f .venv/made-from-requirements .venv-sdk/made-from-requirements)
endif

ifneq ($(and $(findstring k,$(firstword -$(MAKEFLAGS))),$(filter demo,$(MAKECMDGOALS))),)
$(error make takes --keep for its own --keep-going: give it in ARGS, as in make demo ARGS="--keep")
endif

PACK := Packs/XSOARMirroring
ZIP := dist/XSOARMirroring.zip
DEV := .venv/made-from-requirements
SDK := .venv-sdk/made-from-requirements

# Imports are kept compiled: without that each start of demisto-sdk takes twice as long.
unexport PYTHONDONTWRITEBYTECODE
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export COVERAGE_FILE := build/coverage
# demisto-sdk: no hints about a remote it does not need, no colours or bars; its log and the linter's notes in build/
export DEMISTO_SDK_IGNORE_CONTENT_WARNING := 1
export DEMISTO_SDK_LOG_NO_COLORS := true
export TQDM_DISABLE := 1
export DEMISTO_SDK_LOG_FILE_PATH := $(CURDIR)/build
export PYLINTHOME := $(CURDIR)/build
# git otherwise refuses a clone that belongs to another user. Who runs make in it trusts it.
export GIT_CONFIG_COUNT := 1
export GIT_CONFIG_KEY_0 := safe.directory
export GIT_CONFIG_VALUE_0 := $(CURDIR)
# All tests but those beside the scripts of the pack. Many short files come last, so that no process is left alone with a long one.
TESTS := tests tools/tests benchmarks local_xsoar/tests
# The browser's tests have a step of their own, `web`: they need Chromium.
BROWSER_TESTS := local_xsoar/tests/web/browser

PYTEST := .venv/bin/python -m pytest -q
# demisto-sdk's output passes through it, and keeps all findings.
PLAIN := sed -E -f tools/plain_sdk.sed

# $(call step,name): announces a step in one line. The name holds no comma.
step = @printf '\n=== %s\n' "$(1)"


##@ See it work

.PHONY: demo pair serve warroom

demo: $(DEV)  ## Mirror incidents between two local tenants and show what crossed
	@.venv/bin/python -m local_xsoar demo $(ARGS)

pair: $(DEV)  ## Run two linked tenants that stay, each with a web page
	@.venv/bin/python -m local_xsoar pair $(ARGS)

serve: $(DEV)  ## Run one local tenant on a port, for any client to talk to
	@.venv/bin/python -m local_xsoar serve $(ARGS)

warroom: $(DEV)  ## A prompt that runs the integration's commands against any tenant
	@.venv/bin/python -m local_xsoar warroom $(ARGS)


##@ Install it in XSOAR

.PHONY: pack sbom

pack: $(SDK) | build  ## Build dist/XSOARMirroring.zip, for the Marketplace's "Upload pack"
	$(call step,Pack: demisto-sdk prepare-content)
	@rm -rf $(ZIP) build/tmp && mkdir -p dist build/tmp
	@TMPDIR="$(CURDIR)/build/tmp" .venv-sdk/bin/demisto-sdk prepare-content -i $(PACK) -o dist | $(PLAIN)
	@[ -f $(ZIP) ] && echo 'The pack is $(ZIP).'

sbom: $(DEV) pack  ## List what the zip and the environments hold, as CycloneDX, in dist/
	$(call step,Software bills of materials: CycloneDX)
	@.venv/bin/python tools/sbom.py


##@ Check a change

.PHONY: test test-real checks lint style types secrets doc-review xsoar-lint validate validate-added
.PHONY: unit suite web coverage check-pack upload

# All that CI runs: first what reads the code and the content, then what runs it. The tests over HTTP take longest, so they go
# beside all the others, one after another, that leave a processor idle. What a step prints comes when it has ended.
test: checks  ## Run all that CI runs
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target SIDE_BY_SIDE=1 \
		suite unit coverage web pack check-pack sbom upload
	@printf '\nAll checks passed.\n'

# The platform's own CommonServerPython.py and demistomock.py instead of the stand-ins. tests/content looks at files only.
test-real: $(DEV) | build  ## Run the tests on the platform's real modules: XSOAR_RUNTIME=<folder>
ifeq ($(strip $(XSOAR_RUNTIME)),)
	@echo 'Name the folder that holds the real CommonServerPython.py and demistomock.py: make test-real XSOAR_RUNTIME=<folder>' >&2; exit 2
else
	$(call step,Unit and contract and HTTP tests on the modules in $(XSOAR_RUNTIME))
	@for module in CommonServerPython.py demistomock.py; do \
		[ -f "$(XSOAR_RUNTIME)/$$module" ] || { echo "There is no $$module in $(XSOAR_RUNTIME): name the folder that holds it." >&2; exit 2; }; \
	done
	@XSOAR_RUNTIME="$(XSOAR_RUNTIME)" $(PYTEST) Packs $(TESTS) --ignore=tests/content --ignore=$(BROWSER_TESTS) \
		-n $(WORKERS) --dist loadfile
endif

lint: checks  ## Run only the checks that read the code and the content

# Side by side, the environments too when they have to be made; what each prints stays together.
checks:
	@$(MAKE) --no-print-directory --jobs=$(WORKERS) --output-sync=target SIDE_BY_SIDE=1 \
		style types validate validate-added xsoar-lint secrets doc-review

style: $(DEV)
	$(call step,Style: ruff check and ruff format --check)
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

types: $(DEV)
	$(call step,Types: mypy)
	@.venv/bin/mypy

validate: $(SDK) | build
	$(call step,Content: demisto-sdk validate)
	@.venv-sdk/bin/python tools/check_validation_codes.py
	@.venv-sdk/bin/demisto-sdk validate -a --config-path tools/validation_config.toml | $(PLAIN)

validate-added: $(SDK) | build
	$(call step,Content as if newly added and supported by XSOAR: demisto-sdk validate)
	@bash tools/validate_as_added.sh | $(PLAIN)

xsoar-lint: $(SDK) | build
	$(call step,Conventions of the scripts: XSOAR linter at its strictest level)
	@.venv-sdk/bin/python tools/xsoar_lint.py

# detect-secrets finds keys in all files. demisto-sdk looks at the pack for addresses of real systems and people; its search for
# keys is off, as it takes long names in the code for keys and passes over real ones that stand in brackets.
secrets: $(SDK) | build
	$(call step,Secrets: detect-secrets and demisto-sdk secrets)
	@.venv-sdk/bin/python tools/find_secrets.py
	@find Packs -type f ! -name '*.png' ! -path '*/__pycache__/*' -print0 | \
		xargs -0 .venv-sdk/bin/demisto-sdk secrets --ignore-entropy | $(PLAIN)

# It takes READMEs only outside packs, so each other text is one for a moment.
doc-review: $(SDK) | build
	$(call step,Spelling: demisto-sdk doc-review)
	@rm -rf build/doc-review
	@for text in README.md CHANGELOG.md SECURITY.md docs/*.md; do mkdir -p "build/doc-review/$$text" && cp "$$text" "build/doc-review/$$text/README.md"; done
	@.venv-sdk/bin/demisto-sdk doc-review -i Packs -i build/doc-review --skip-packs-known-words \
		--known-words tools/known_words.txt >build/doc-review.txt 2>&1 || { \
		{ grep -E 'were found in [^{]|  - ' build/doc-review.txt || cat build/doc-review.txt; } | $(PLAIN); \
		echo 'Correct the words above, or list those that are right in tools/known_words.txt.'; exit 1; }
	@echo "No misspelled word in $$(grep -c '^Checking' build/doc-review.txt) texts."

unit: $(DEV) | build
	$(call step,Unit tests of the pack)
	@$(PYTEST) Packs -n $(WORKERS) --cov --cov-report= --cov-fail-under=0

# A file of tests stays in one process, so its order is kept.
suite: $(DEV) | build
	$(call step,Tests over HTTP and of contracts and content)
	@$(PYTEST) $(TESTS) --ignore=$(BROWSER_TESTS) -n $(WORKERS) --dist loadfile

coverage: unit
	$(call step,Coverage of the pack by its unit tests)
	@.venv/bin/coverage report

# Without a Chromium, and without the right to install one, it says so and the other steps go on.
web: $(DEV) | build
	$(call step,The local tenant's web page in Chromium)
	@CHROMIUM=$$(bash tools/find_chromium.sh) || { [ $$? = 3 ] || exit 2; echo 'The tests in the browser were passed over.'; exit 0; }; \
		export CHROMIUM; $(PYTEST) $(BROWSER_TESTS)

check-pack: $(DEV) pack
	$(call step,The zip against its sources)
	@.venv/bin/python tools/check_pack.py $(ZIP)

upload: $(DEV) pack
	$(call step,The zip uploaded to local tenants: demisto-sdk upload)
	@PYTHONPATH=. .venv/bin/python tools/upload_pack.py


##@ Measure

.PHONY: bench mutants soak

bench: $(DEV)  ## Measure: a table, and dist/bench.json
	@.venv/bin/python -m benchmarks $(ARGS)

mutants: $(DEV) | build  ## Put small faults into the integration script and tell which of them no test notices
	@.venv/bin/python tools/mutants.py --workers $(WORKERS) $(ARGS)

# A short day runs with the tests. This one takes half an hour, and ARGS="--incidents 10000 --entries 100000" more than one.
soak: $(DEV)  ## Mirror two tenants for a simulated day with faults; a table, pictures and dist/soak.json
	@.venv/bin/python -m tests.soak.soak $(ARGS)


##@ Maintain

.PHONY: hooks newcomer docs lock clean help

hooks: $(DEV) $(SDK)  ## Run the checks a change needs before each commit (pre-commit)
	@.venv/bin/pre-commit install

# Outside `test`: it makes both environments anew in a fresh clone.
newcomer: $(DEV)  ## Follow README.md in a fresh clone: each command it names must do what it says
	@.venv/bin/python tools/follow_readme.py $(ARGS)

docs: $(DEV) $(SDK)  ## Regenerate the integration's README, its examples and the pictures of the pack
	@.venv/bin/python tools/integration_readme.py
	@.venv/bin/python tools/pack_pictures.py

lock: $(SDK)  ## Write the locks, requirements/*.txt, from requirements/*.in; ARGS=--update takes the newest versions
	@bash tools/lock_requirements.sh $(ARGS)

clean:  ## Remove the environments, the results and all caches
	rm -rf .venv .venv-sdk dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help:  ## List the targets
	@awk -F ':.*  ## ' '/^##@/ { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*  ## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\n%s\n' 'The options of a command go into ARGS: make demo ARGS="--keep"'


# The environments. A half-made one lacks the file that says it is done, so it is made again.

$(DEV): requirements/dev.txt tools/make_environment.py
	$(call make-environment,.venv)

$(SDK): requirements/sdk.txt tools/make_environment.py
	$(call make-environment,.venv-sdk)

# $(call make-environment,folder): makes it from the lock that the target depends on, and from nothing else.
define make-environment
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Python 3.11 or later is needed: name one with make PYTHON=<path of python>.' >&2; exit 1; }
	@printf '\n=== Making %s from %s\n' $(1) $<
	@"$(PYTHON)" tools/make_environment.py $(1) $<
endef

build:
	@mkdir -p $@
