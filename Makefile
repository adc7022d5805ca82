# Each command makes its own environment in .venv; Python 3.11 to 3.13 and make are all it needs.

PYTHON ?= python3
BIN := .venv/bin

# PROFILE= a name in data/profiles/ or a path to a YAML file; DATE= an as-of date; FROM= and TO= a range.
ifdef PROFILE
export WINBACK_PROFILE := $(PROFILE)
endif
# The size of the demo shop.
ifdef CUSTOMERS
export WINBACK_CUSTOMERS := $(CUSTOMERS)
endif
WORK_DIR := $(if $(WORK),--work $(WORK))
DATES := $(if $(DATE),--date $(DATE)) $(if $(FROM),--from $(FROM)) $(if $(TO),--to $(TO))

.PHONY: help run backfill rebuild scrub refresh spark ui test chromium java drill fuzz bench bench-full bench-peers evaluate-identity evaluate-dormancy evaluate-recommendations evaluate-effects evaluate-learning lint format dictionary pictures requirements clean
.DEFAULT_GOAL := help

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

run: .venv/run ## run daily_recall (PROFILE=, DATE= or FROM= and TO=, CUSTOMERS= of the demo shop)
	@$(BIN)/winback run $(DATES)

backfill: .venv/run ## compute past dates in consecutive runs; nothing is sent (FROM=, TO=, CHUNK=31)
	@$(BIN)/winback backfill $(DATES) $(if $(CHUNK),--chunk $(CHUNK))

rebuild: .venv/run ## make the warehouse and the published copy anew from the lake
	@$(BIN)/winback rebuild

scrub: .venv/run ## write whom to take off the lists that went out: who has bought, complained or opted out since
	@$(BIN)/winback scrub

refresh: .venv/run ## measure anew what the contacts have brought by now
	@$(BIN)/winback refresh

spark: .venv/dev java ## compute a date's tables on Spark and compare them with the published copy (DATE=)
	@$(BIN)/winback spark $(if $(DATE),--date $(DATE)) --compare

ui: .venv/run ## open the Dagster UI on loopback (PORT=3000; READ_ONLY=1 to look at only)
	@$(BIN)/winback ui $(if $(PORT),--port $(PORT)) $(if $(READ_ONLY),--read-only)

test: .venv/dev chromium java lint ## lint, then run all tests
	@$(BIN)/pytest -n 2 --dist loadgroup

chromium: ## install Chromium for the test of the report, where there is none (by apt-get, as root or with sudo)
	@$(chromium)

java: ## install Java for Spark, where there is none (by apt-get, as root or with sudo)
	@$(java)

drill: .venv/dev ## long forms: kills, readers, orders of arrival, identity worlds, policies (KILLS=30, ORDERS=20, EXAMPLES=2000, POLICIES=200)
	@WINBACK_KILLS=$(or $(KILLS),30) WINBACK_ORDERS=$(or $(ORDERS),20) \
		$(BIN)/pytest tests/pipeline/test_killed_runs.py tests/pipeline/test_readers.py \
		tests/pipeline/test_ways_in.py -k "kill or five_runs or order"
	@WINBACK_EXAMPLES=$(or $(EXAMPLES),2000) $(BIN)/pytest tests/unit/identity
	@WINBACK_EXAMPLES=$(or $(POLICIES),200) $(BIN)/pytest tests/integration/test_decision_rules.py

fuzz: .venv/dev ## thousands of generated files and profiles (INPUTS=10500, SEED=0)
	@WINBACK_FUZZ=$(or $(INPUTS),10500) WINBACK_SEED=$(or $(SEED),0) $(BIN)/pytest -s tests/fuzz

bench: .venv/dev ## some minutes: memory, the identity graph, decisions, a daily job (GIGABYTES=1, PEOPLE=200000, SIZES=20000)
	@$(BIN)/python benchmarks/extract_memory.py --gigabytes $(or $(GIGABYTES),1)
	@$(BIN)/python benchmarks/identity_components.py --people $(or $(PEOPLE),200000)
	@$(BIN)/python benchmarks/decision_speed.py --customers $(or $(PEOPLE),200000)
	@$(BIN)/python benchmarks/daily_run.py --customers $(or $(SIZES),20000) --only floor full $(WORK_DIR)

bench-full: .venv/dev ## hours: the daily job at 100k, 1M and 5M customers against its targets (SIZES=, REPEATS=5, WORK=a folder with room)
	@mkdir -p data/reports
	@$(BIN)/python benchmarks/daily_run.py --customers $(or $(SIZES),100000 1000000 5000000) \
		--repeats $(or $(REPEATS),5) $(WORK_DIR) --json data/reports/bench.json --chart data/reports/bench.svg

bench-peers: .venv/dev .venv/peers/installed ## RFM and dormancy beside pandas with lifetimes, Polars and PySpark (PEOPLE=1000000, JSON=)
	@$(BIN)/python benchmarks/peers.py --customers $(or $(PEOPLE),1000000) $(if $(JSON),--json $(JSON)) \
		--lifetimes-python .venv/peers/bin/python --pyspark-python .venv/peers/bin/python

evaluate-identity: .venv/dev ## how right the customers are, on demo shops and reference data (WINBACK_REFERENCE_DATA=)
	@$(BIN)/python benchmarks/evaluate_identity.py

evaluate-dormancy: .venv/dev ## how well sleep is foretold and explained, against targets (WINBACK_REFERENCE_DATA=)
	@$(BIN)/python benchmarks/evaluate_dormancy.py

evaluate-recommendations: .venv/dev ## how well purchases are foretold, against targets, and speed (WINBACK_REFERENCE_DATA=)
	@$(BIN)/python benchmarks/evaluate_recommendations.py

evaluate-effects: .venv/dev ## whether effects are judged rightly: 2,000 redraws of campaigns with known truth, against targets
	@$(BIN)/python benchmarks/effect_redraws.py

evaluate-learning: .venv/dev ## what trying things out is worth: 20 synthetic shops over 90 days, with and without (SEEDS=20)
	@$(BIN)/python benchmarks/evaluate_learning.py --seeds $(or $(SEEDS),20)

lint: .venv/dev ## check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/sqlfluff lint -p 0 --disable-progress-bar dbt_project/models dbt_project/tests

format: .venv/dev ## mend what can be mended of style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/sqlfluff fix -p 0 --disable-progress-bar dbt_project/models dbt_project/tests

dictionary: .venv/dev ## write the data dictionary and the lineage of the columns anew, after a change of a model
	@$(BIN)/python -m pipelines.dictionary

pictures: .venv/dev chromium ## take the pictures of the docs, from the UI of a data home in which dates were run
	@$(BIN)/python tests/ui/take_pictures.py

requirements: ## compile the pinned requirements anew (needs uv)
	@for set in run: dev:--extra=dev production:--extra=production; do \
		UV_CUSTOM_COMPILE_COMMAND="make requirements" uv pip compile -q --upgrade --universal \
			--python-version 3.11 --generate-hashes --no-strip-extras --extra=samples $${set#*:} \
			pyproject.toml requirements/build.in -o requirements/$${set%%:*}.txt; \
	done

clean: ## remove the environment and what tools left; data stay
	rm -rf .venv .pytest_cache .ruff_cache .mypy_cache dbt_project/target

# The markers stand for "installed as the requirements say"; a changed list installs again.
.venv/run: requirements/run.txt pyproject.toml
	@$(call install,requirements/run.txt)
	@touch $@

.venv/dev: requirements/dev.txt pyproject.toml
	@$(call install,requirements/dev.txt)
	@touch .venv/run $@

# What Winback is compared with has its own environment: it shall not decide which pandas everybody gets.
.venv/peers/installed: benchmarks/peers-requirements.txt .venv/dev
	@echo "installing lifetimes and PySpark into .venv/peers (once) ..."
	@$(BIN)/python -m venv --clear .venv/peers
	@.venv/peers/bin/python -m pip install -qq --disable-pip-version-check -r $<
	@touch $@

# Without a browser its test is skipped, and says so; nothing else needs one.
define chromium
	for name in chromium chromium-browser google-chrome; do command -v $$name > /dev/null && exit; done; \
	echo "installing Chromium for the test of the report (once) ..."; \
	test "$$(id -u)" = 0 || as_root="sudo -n"; \
	{ $$as_root apt-get -qq update && $$as_root apt-get -qq install -y --no-install-recommends chromium; } > /dev/null || \
	echo "Chromium could not be installed. Install chromium or google-chrome, so that it is on the PATH; until" \
		"then the report is not tested in a browser."
endef

define install
	$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(not (3, 11) <= v[:2] < (3, 14) and f"Winback needs Python 3.11 to 3.13; {sys.executable} is {v.major}.{v.minor}. Set PYTHON=")' && \
	echo "installing the environment into .venv (once) ..." && \
	{ test -x $(BIN)/python || $(PYTHON) -m venv .venv; } && \
	$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r $(1) && \
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
endef

# Without Java the comparison of the engines is skipped, and says so; nothing else needs it.
define java
	if command -v java > /dev/null || test -n "$$JAVA_HOME"; then exit; fi; \
	echo "installing Java for the test of Spark (once) ..."; \
	test "$$(id -u)" = 0 || as_root="sudo -n"; \
	{ $$as_root apt-get -qq update && $$as_root apt-get -qq install -y --no-install-recommends openjdk-17-jre-headless; } > /dev/null || \
	echo "Java could not be installed. Install Java 17 or newer, so that it is on the PATH; until then nothing is" \
		"tested on Spark."
endef
