# `make up` and `make test` are all that is needed; `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := help

# Debian's own interpreter: kernels run under other users' ids, who cannot read a private one.
PYTHON ?= $(or $(wildcard /usr/bin/python3.11),$(shell command -v python3.11),/usr/bin/python3.11)

ENVS := .envs
TOOLS := $(ENVS)/tools
LAB := $(ENVS)/lab
GATEWAY := $(ENVS)/gateway
KERNEL := $(ENVS)/kernel
LOCKS := deploy/requirements
STAMPS := $(ENVS)/stamps

# Where the kernels' environment really is: other users must be able to read it.
CHECKOUT := $(shell printf %s '$(CURDIR)' | sha256sum | cut -c1-8)
IS_ROOT := $(filter 0,$(shell id -u))
KERNEL_HOME := $(if $(IS_ROOT),/opt/jupyter-fleet/$(CHECKOUT)/kernel,$(CURDIR)/$(ENVS)/kernel-home)

UV := $(TOOLS)/bin/uv
UV_INSTALL = $(UV) pip install --quiet --python

# Never another interpreter than ours; certificates as the system knows them.
export UV_PYTHON_DOWNLOADS := never
export UV_NATIVE_TLS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
NODE_EXTRA_CA_CERTS ?= $(wildcard /etc/ssl/certs/ca-certificates.crt)
export NODE_EXTRA_CA_CERTS

# Tests and fleets start hundreds of processes, each of which would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

# Interpreters, for tests.
export FLEET_LAB_PYTHON := $(CURDIR)/$(LAB)/bin/python
export FLEET_GATEWAY_PYTHON := $(CURDIR)/$(GATEWAY)/bin/python
export FLEET_KERNEL_PYTHON := $(KERNEL_HOME)/bin/python

SOURCES_package := $(shell find jupyter_ext gateway_ext kernelspecs deploy/nginx deploy/kubernetes -type f \
	-not -name '*.pyc') pyproject.toml README.md LICENSE
SOURCES_page := $(shell find labextension \( -name node_modules -o -name lib -o -name dist \
	-o -name .yarn \) -prune -o -type f -not -name '*.tsbuildinfo' -print)

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: up
up: install ## install what is missing, start the fleet, print its URL
	@$(LAB)/bin/jupyter-fleet up --detach $(UP)

.PHONY: down
down: ## stop the fleet that `make up` with the same UP started; kernels go on
	@set -- $(UP); where=(); \
	while [ $$# -gt 0 ]; do \
		case $$1 in \
			--data-dir) where=("$$1" "$${2:?--data-dir needs a folder}"); shift;; \
			--data-dir=*) where=("$$1");; \
		esac; \
		shift; \
	done; \
	$(LAB)/bin/jupyter-fleet down "$${where[@]}"

.PHONY: install
install: $(STAMPS)/programs $(STAMPS)/lab-package $(STAMPS)/gateway-package $(STAMPS)/kernel-compiled ## build the three environments

# --- what the machine must have

$(STAMPS):
	@mkdir -p $@

# Without passt kernels with walls have no way to the internet, and `up` says so.
$(STAMPS)/programs: deploy/debian-packages Makefile | $(STAMPS)
	@deploy/debian-packages nginx-light:nginx
	@deploy/debian-packages passt:pasta || true
	@touch $@

$(STAMPS)/node: deploy/debian-packages | $(STAMPS)
	@deploy/debian-packages nodejs:node
	@touch $@

$(STAMPS)/test-programs: deploy/debian-packages Makefile | $(STAMPS)
	@deploy/debian-packages chromium-headless-shell:chromium-headless-shell fonts-dejavu-core mariadb-server-core:mariadbd \
		mariadb-client-core:mariadb iproute2:ip
	@touch $@

# --- the environments

$(STAMPS)/tools: $(LOCKS)/tools.txt | $(STAMPS)
	@[ -x $(PYTHON) ] || deploy/debian-packages python3.11
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || deploy/debian-packages python3.11-venv
	@echo "installing uv"
	@$(PYTHON) -m venv --clear $(TOOLS)
	@$(TOOLS)/bin/pip install --quiet --require-hashes -r $(LOCKS)/tools.txt
	@touch $@

# $(call environment,name,folder,lock): an environment with exactly what its lock says. One that is
# there is brought up to date rather than made anew: a fleet may run from it.
define environment
	@echo "building the $(1) environment"
	@umask 022 && $(UV) venv --quiet --allow-existing --python $(PYTHON) $(2)
	@umask 022 && $(UV) pip sync --quiet --require-hashes --python $(2)/bin/python $(3)
	@touch $@
endef

$(STAMPS)/lab: $(LOCKS)/fleet.txt $(STAMPS)/tools
	$(call environment,lab,$(LAB),$<)

$(STAMPS)/gateway: $(LOCKS)/gateway.txt $(STAMPS)/tools
	$(call environment,gateway,$(GATEWAY),$<)

$(STAMPS)/kernel: $(LOCKS)/kernel.txt $(STAMPS)/tools
	@umask 022 && mkdir -p $(dir $(KERNEL_HOME))
	$(call environment,kernel,$(KERNEL_HOME),$<)
	@ln -sfn $(KERNEL_HOME) $(KERNEL)

# Without --no-deps, what a lock leaves out would be missed, and pyspark be built again each time.
$(STAMPS)/%-dev: $(LOCKS)/%-dev.txt $(STAMPS)/%
	@echo "adding what tests need to the $* environment"
	@umask 022 && $(UV_INSTALL) $(ENVS)/$*/bin/python --no-deps --require-hashes -r $<
	@touch $@

# --- the package: one wheel, in all three

.PHONY: labextension
labextension: $(STAMPS)/labextension ## build the page's half

# Lists of what is built from what, renewed only when a file's content changes, comes or goes.
.PHONY: FORCE
$(STAMPS)/%.sources: FORCE | $(STAMPS)
	@sha256sum $(SOURCES_$*) >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(STAMPS)/labextension: $(STAMPS)/page.sources $(STAMPS)/lab $(STAMPS)/node
	@echo "building the labextension"
	@cd labextension && PATH="$(CURDIR)/$(LAB)/bin:$$PATH" && jlpm install --immutable >$(CURDIR)/$(STAMPS)/labextension.log 2>&1 \
		&& jlpm build:prod >>$(CURDIR)/$(STAMPS)/labextension.log 2>&1 \
		|| { tail -n 40 $(CURDIR)/$(STAMPS)/labextension.log >&2; exit 1; }
	@touch $@

$(STAMPS)/wheel: $(STAMPS)/package.sources $(STAMPS)/labextension $(STAMPS)/tools
	@echo "building the wheel"
	@rm -rf dist
	@umask 022 && $(TOOLS)/bin/python -m hatchling build -t wheel >/dev/null 2>$@.log \
		|| { cat $@.log >&2; exit 1; }
	@touch $@

$(STAMPS)/%-package: $(STAMPS)/wheel $(STAMPS)/%
	@echo "installing jupyter-fleet in the $* environment"
	@umask 022 && $(UV_INSTALL) $(ENVS)/$*/bin/python --no-deps --reinstall dist/*.whl
	@touch $@

# uv compiles nothing, and kernels of other users cannot keep what they compile: without this, each
# would compile again what it and its cells import (a second for pandas).
COMPILED := gateway_ext.agent.__main__ gateway_ext.agent.fork_server gateway_ext.agent.python_kernel \
	gateway_ext.kernel_tools.fleet_magic gateway_ext.kernel_tools.pip_magic \
	altair anywidget bokeh.plotting boto3 duckdb ipympl.backend_nbagg ipywidgets matplotlib.pyplot \
	matplotlib_inline.backend_inline pandas \
	plotly.express polars pyarrow.parquet scipy.stats sklearn.ensemble tqdm.auto
empty :=
comma := ,
$(STAMPS)/kernel-compiled: $(STAMPS)/kernel-package
	@echo "compiling what kernels import"
	@umask 022 && $(KERNEL)/bin/python -c 'import $(subst $(empty) ,$(comma) ,$(strip $(COMPILED)))'
	@touch $@

# --- checks

DEV := $(STAMPS)/lab-dev $(STAMPS)/gateway-dev $(STAMPS)/kernel-dev

# Three at a time on two processors, since they wait for half of their time; the longest first, so
# that none runs alone at the end. Of the two with a browser one begins later than the other.
SUITES := test-fleet test-gateway test-e2e-pages test-lab test-e2e-output test-proxies test-xgb-ray \
	test-agent test-chaos lint test-labextension
PYTEST := -m pytest -q -m "not long and not chaos"

# Without the plugins that start databases and stores, a test that needs one fails.
UNIT := -m pytest -q -p no:tests.servers.mariadb -p no:tests.servers.seaweedfs

.PHONY: unit unit-lab unit-gateway unit-kernel
unit: install $(DEV) ## the unit tests: a minute, without servers and browsers
	@$(MAKE) --jobs 2 --keep-going --output-sync=target unit-kernel unit-lab unit-gateway

unit-lab: install $(DEV)
	@echo "== $@"; $(FLEET_LAB_PYTHON) $(UNIT) tests/unit/jupyter_ext

unit-gateway: install $(DEV)
	@echo "== $@"; $(FLEET_GATEWAY_PYTHON) $(UNIT) tests/unit/gateway_ext

unit-kernel: install $(DEV)
	@echo "== $@"; $(FLEET_KERNEL_PYTHON) $(UNIT) -m "not long" \
		tests/unit/agent tests/unit/kernel_tools tests/unit/protocol tests/unit/xgb_ray

.PHONY: test
test: ## install what tests need and run every check
	@$(MAKE) --jobs 3 test-install
	@said=$$(mktemp); trap 'rm -f "$$said"' EXIT; \
	if ! $(MAKE) --jobs 3 --keep-going --output-sync=target $(SUITES) 2>&1 | tee "$$said"; then \
		printf '\nwhat failed:\n'; \
		grep -aE '^(FAILED|ERROR) |^ *✖ |: error: |\*\*\* \[' "$$said" | cut -c1-300 | sort -u | head -n 50; \
		exit 1; fi; \
	echo; echo "everything passed"

# The lab's tests in two suites: `test-fleet` has those with kernels and whole fleets. A test of the
# rolling restart makes the environments look changed: never beside those that compare them.
WITH_FLEETS := $(addprefix tests/integration/jupyter_ext/,fleet kernels)
CHANGES_BUILDS := tests/e2e/test_rolling_restart.py

.PHONY: test-lab
test-lab: test-install
	@echo "== $@"; time $(FLEET_LAB_PYTHON) $(PYTEST) tests/unit/jupyter_ext tests/integration/jupyter_ext \
		$(addprefix --ignore=,$(WITH_FLEETS))

.PHONY: test-fleet
test-fleet: test-install
	@echo "== $@"; time $(FLEET_LAB_PYTHON) $(PYTEST) $(WITH_FLEETS) $(CHANGES_BUILDS)

# The gateway's tests in two suites: `test-gateway` has those of what gateways do together.
OF_ONE_GATEWAY := $(addprefix tests/integration/gateway_ext/,ownership process_proxies)

.PHONY: test-gateway
test-gateway: test-install
	@echo "== $@"; time $(FLEET_GATEWAY_PYTHON) $(PYTEST) tests/integration/gateway_ext \
		$(addprefix --ignore=,$(OF_ONE_GATEWAY))

.PHONY: test-proxies
test-proxies: test-install
	@echo "== $@"; time $(FLEET_GATEWAY_PYTHON) $(PYTEST) tests/unit/gateway_ext $(OF_ONE_GATEWAY) tests/peers

.PHONY: test-agent
test-agent: test-install
	@echo "== $@"; time $(FLEET_KERNEL_PYTHON) $(PYTEST) tests/unit/agent tests/unit/kernel_tools tests/unit/protocol \
		tests/integration/agent

.PHONY: test-xgb-ray
test-xgb-ray: test-install
	@echo "== $@"; time $(FLEET_KERNEL_PYTHON) $(PYTEST) tests/unit/xgb_ray tests/integration/xgb_ray

.PHONY: test-chaos
test-chaos: test-install
	@echo "== $@"; time $(FLEET_LAB_PYTHON) $(PYTEST) tests/chaos tests/bench

# The browser's tests in two suites, each with a fleet of its own: `test-e2e-output` has those of how
# what kernels say reaches pages.
OF_OUTPUT := $(patsubst %,tests/e2e/test_%.py,connection_words earlier_kernels hostile_kernel \
	killed_process last_words missing_messages output_flood page_stream replaced_cells replay replay_rich \
	two_pages widgets)

.PHONY: test-e2e-output
test-e2e-output: test-install
	@echo "== $@"; time $(FLEET_LAB_PYTHON) $(PYTEST) $(OF_OUTPUT)

.PHONY: test-e2e-pages
test-e2e-pages: test-install
	@echo "== $@"; time $(FLEET_LAB_PYTHON) $(PYTEST) tests/e2e \
		$(addprefix --ignore=,$(OF_OUTPUT) $(CHANGES_BUILDS))

.PHONY: test-e2e
test-e2e:
	@$(MAKE) test-e2e-output test-e2e-pages

.PHONY: test-install
test-install: install $(STAMPS)/test-programs $(DEV)

.PHONY: test-long
test-long: test-install ## the tests that take too long for every change (Spark's need Java 17)
	@$(FLEET_KERNEL_PYTHON) -m pytest -q -m long tests/unit/agent tests/unit/protocol tests/integration/xgb_ray tests/integration/agent
	@$(FLEET_GATEWAY_PYTHON) -m pytest -q -m long tests/integration/gateway_ext
	@$(FLEET_LAB_PYTHON) -m pytest -q -m long tests/integration/jupyter_ext tests/e2e

.PHONY: test-clusters
test-clusters: test-install ## kernels on a real Kubernetes and YARN, built at the first run (FULL=1 for all of it)
	@echo "== $@"; time $(FLEET_GATEWAY_PYTHON) -m tests.clusters $(if $(FULL),--full) $(CLUSTERS)

.PHONY: test-clusters-yarn
test-clusters-yarn: test-install ## those on YARN alone (they need Java 17 and Maven)
	@$(MAKE) test-clusters CLUSTERS="--only yarn $(CLUSTERS)"

# XGBoost 3.3 and later need Python 3.12, Debian 12 has 3.11: this takes what is newest, unlocked.
NEWER_PYTHON ?= $(firstword $(wildcard $(foreach v,3.13 3.12,/usr/bin/python$(v) \
	$(HOME)/.pyenv/versions/$(v).*/bin/python)))

.PHONY: test-newest
test-newest: $(STAMPS)/tools ## distributed XGBoost with the newest release, where Python 3.12 or 3.13 is installed
	@if [ -z "$(NEWER_PYTHON)" ]; then \
		echo "skipped: neither Python 3.12 nor 3.13 is installed (NEWER_PYTHON=… names one)"; exit 0; fi; \
	newest=$$(mktemp -d); trap 'rm -rf "$$newest"' EXIT; \
	$(UV) venv --quiet --python $(NEWER_PYTHON) $$newest/env; \
	$(UV_INSTALL) $$newest/env/bin/python '.[kernel,xgb-ray,xgb-ray-dev,dev]'; \
	$$newest/env/bin/python -c 'import sys, ray, xgboost; \
		print("Python", sys.version.split()[0], "Ray", ray.__version__, "XGBoost", xgboost.__version__)'; \
	$$newest/env/bin/python -m pytest -q -p no:cacheprovider -m "not long and not chaos" \
		tests/unit/xgb_ray tests/integration/xgb_ray

.PHONY: test-labextension
test-labextension: $(STAMPS)/labextension
	@echo "== $@"; cd labextension && PATH="$(CURDIR)/$(LAB)/bin:$$PATH" && jlpm test

.PHONY: lint
lint: $(DEV) $(STAMPS)/labextension ## linters, types, and the rules of our own (tests/lint)
	@echo "== $@"; failed=0; \
	$(LAB)/bin/ruff check . || failed=1; \
	$(LAB)/bin/ruff format --check . || failed=1; \
	$(LAB)/bin/lint-imports --no-cache || failed=1; \
	git ls-files -z | xargs -0 $(LAB)/bin/codespell || failed=1; \
	$(LAB)/bin/python -m pytest -q tests/lint || failed=1; \
	(cd labextension && PATH="$(CURDIR)/$(LAB)/bin:$$PATH" jlpm lint) || failed=1; \
	$(MAKE) types || failed=1; \
	for name in lab gateway kernel; do $(UV) pip check --python $(ENVS)/$$name/bin/python || failed=1; done; \
	exit $$failed

.PHONY: types
types: $(DEV)
	@failed=0; \
	$(LAB)/bin/mypy jupyter_ext || failed=1; \
	$(GATEWAY)/bin/mypy gateway_ext --exclude '^gateway_ext/(agent|kernel_tools|xgb_ray)/' --follow-imports silent || failed=1; \
	$(KERNEL)/bin/mypy gateway_ext/agent gateway_ext/kernel_tools gateway_ext/xgb_ray || failed=1; \
	exit $$failed

# JupyterLab without this project, and with the extension that runs cells on the server.
PEERS := $(STAMPS)/peer-jupyterlab $(STAMPS)/peer-nbmodel
$(STAMPS)/peer-%: $(LOCKS)/peer-%.txt $(STAMPS)/tools
	$(call environment,peer-$*,$(ENVS)/peer-$*,$<)

.PHONY: bench
bench: test-install $(PEERS) ## measure against peers, side by side
	@XGB_RAY_PYTHON=$(FLEET_KERNEL_PYTHON) $(FLEET_LAB_PYTHON) -m tests.bench $(ROWS)

$(STAMPS)/mutants: $(LOCKS)/mutants.txt $(STAMPS)/tools
	$(call environment,mutants,$(ENVS)/mutants,$<)

.PHONY: mutants
mutants: $(DEV) $(STAMPS)/mutants ## change the code that decides and see whether unit tests notice (MUTANTS=lab for one part)
	@$(LAB)/bin/python -m tests.mutants $(ENVS)/mutants/bin/mutmut $(MUTANTS)

.PHONY: chaos
chaos: test-install ## 300 random faults and more (CHAOS="--seed S" to make them again, or to go on)
	@$(FLEET_LAB_PYTHON) -m tests.chaos $(CHAOS)
	@$(FLEET_KERNEL_PYTHON) -m pytest -q -m chaos tests/integration/xgb_ray

.PHONY: chaos-pages
chaos-pages: test-install $(PEERS) ## faults around a notebook's page, ours and peers' (PAGES="lines --full")
	@$(FLEET_LAB_PYTHON) -m tests.chaos.pages $(PAGES)

$(STAMPS)/release: $(LOCKS)/release.txt $(STAMPS)/tools
	$(call environment,release,$(ENVS)/release,$<)

.PHONY: release
release: $(STAMPS)/wheel $(STAMPS)/release ## the wheel and the sdist in dist/, checked (docs/releasing.md)
	@umask 022 && $(TOOLS)/bin/python -m hatchling build -t sdist >/dev/null 2>&1
	@$(ENVS)/release/bin/twine check --strict dist/*

# --- locks

.PHONY: lock
lock: $(STAMPS)/tools ## bring the locked requirements in line with pyproject.toml (LOCK=--upgrade for newer ones)
	@lock() { echo "locking $$1"; $(UV) pip compile --quiet --generate-hashes --python-version 3.11 \
		--no-emit-index-url --custom-compile-command "make lock" $(LOCK) "$${@:2}" -o $(LOCKS)/$$1.txt; }; \
	lock tools $(LOCKS)/tools.in; \
	lock release $(LOCKS)/release.in; \
	lock mutants $(LOCKS)/mutants.in; \
	lock lab pyproject.toml --extra lab --excludes $(LOCKS)/lab-without.txt; \
	lock peer-jupyterlab $(LOCKS)/peer-jupyterlab.in -c $(LOCKS)/lab.txt; \
	lock peer-nbmodel $(LOCKS)/peer-nbmodel.in -c $(LOCKS)/lab.txt; \
	lock fleet pyproject.toml --extra lab --extra fleet -c $(LOCKS)/lab.txt \
		--excludes $(LOCKS)/lab-without.txt; \
	lock gateway pyproject.toml --extra gateway --excludes $(LOCKS)/gateway-without.txt; \
	lock kernel pyproject.toml --extra kernel --extra xgb-ray; \
	lock lab-dev pyproject.toml --extra lab --extra dev --extra lab-dev -c $(LOCKS)/lab.txt \
		--excludes $(LOCKS)/lab-without.txt; \
	lock gateway-dev pyproject.toml --extra gateway --extra dev -c $(LOCKS)/gateway.txt \
		--excludes $(LOCKS)/gateway-without.txt; \
	lock kernel-dev pyproject.toml --extra kernel --extra xgb-ray --extra dev --extra xgb-ray-dev \
		-c $(LOCKS)/kernel.txt

.PHONY: clean
clean: ## remove what was built (not a fleet's data)
	@rm -rf $(STAMPS) $(ENVS) dist build labextension/node_modules labextension/lib labextension/dist
	@$(if $(IS_ROOT),rm -rf /opt/jupyter-fleet/$(CHECKOUT))
