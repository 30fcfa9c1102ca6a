# One way in for everything. `make` alone lists what there is.
PYTHON ?= python3
VENV := .venv/bin/python
export PORT HOST
# Tests start hundreds of processes: each would compile everything anew, which takes most of its time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help set-up set-up-dev run demo demo-code test check schema bench browser-all pictures mutants lock clean

help: ## List what there is
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

set-up:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing. Install it: apt install python3-venv make git" >&2; exit 1; }
	@$(PYTHON) -m tools.setup

set-up-dev:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing. Install it: apt install python3-venv make git" >&2; exit 1; }
	@$(PYTHON) -m tools.setup --dev

run: set-up ## Start Consentry here (PORT=8000, HOST=127.0.0.1); Ctrl-C stops it
	@$(VENV) -m tools.supervise

demo: set-up ## Walk one photograph through everything, in a temporary folder
	@$(VENV) -m tools.demo

demo-code: set-up ## Print the demo operators' current one-time codes
	@CONSENTRY_DEMO=1 $(VENV) manage.py demo_code

test: set-up-dev ## Run all tests, on SQLite and on what else answers (PostgreSQL, RabbitMQ)
	@$(VENV) -m tools.test $(ARGS)

check: set-up-dev ## Lint, types, import rules, migrations, deployment checks, checksums
	@$(VENV) -m tools.check

schema: set-up-dev ## Write docs/openapi.json anew; refuses what breaks clients (ARGS=--breaking)
	@$(VENV) -m tools.openapi $(ARGS)

bench: set-up-dev ## Measure against floors and peers
	@$(VENV) -m tools.bench

browser-all: set-up-dev ## Look at every page in every language, in a real browser
	@CONSENTRY_LANGUAGES=all $(VENV) -m pytest -q -n 2 --timeout 1800 -m browser tests/browser $(ARGS)

pictures: set-up-dev ## Take the pictures of the docs anew, in a real browser
	@$(VENV) -m tools.pictures

mutants: set-up-dev ## Break the code on purpose; the named tests must notice (ARGS=--turn for a part)
	@$(VENV) -m tools.mutants $(ARGS)

lock: set-up-dev ## Recompile the lock files (ARGS=--upgrade for the newest versions)
	@$(VENV) -m tools.lock $(ARGS)

clean: ## Remove what tools made; never data or keys
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
