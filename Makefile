# Everything runs from .venv and .cairn in this folder; see README.md.
PORT ?= 8000
export PORT
# Some images set it; then each of the many processes compiles a thousand modules again.
unexport PYTHONDONTWRITEBYTECODE
PY := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help demo demo-reset test check bench bootstrap

help: ## What can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: bootstrap ## A small living programme on http://localhost:8000 (PORT, DATABASE_URL, BROKER_URL)
	@$(PY) -m config.demo run --stop-with-parent

demo-reset: bootstrap ## Stop the demo and drop its data
	@$(PY) -m config.demo reset

test: bootstrap ## The whole test suite on a real PostgreSQL (ARGS="-k ledger")
	@$(PY) -m pytest -n 2 $(ARGS)

check: bootstrap ## Format, lint, types, import contract, migrations, deployment, audit
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy .
	$(PY) -m pytest -q tests/test_architecture.py
	$(PY) manage.py makemigrations --check --dry-run
	CAIRN_ENV=production DEBUG=off ALLOWED_HOSTS=cairn.example PUBLIC_URL=https://cairn.example \
		EMAIL_URL=smtp://127.0.0.1:25 CACHE_URL=rediscache://127.0.0.1:6379/0 \
		SECRET_KEY="$$($(PY) -c 'import secrets; print(secrets.token_urlsafe(60))')" \
		$(PY) manage.py check --deploy --fail-level WARNING
	@$(PY) .ci/audit.py

bench: bootstrap ## The benchmarks: prints ratios, writes benchmarks.json (ARGS="--only earn")
	@$(PY) config/bootstrap.py bench
	@$(PY) -m tests.benchmarks.run $(ARGS)

# The first Python that works: a pyenv shim may exist and yet not run.
bootstrap:
	@for python in $(PY) python3 /usr/bin/python3 python; do \
		if $$python -c 'import sys; sys.exit(sys.version_info < (3, 8))' 2>/dev/null; then \
			exec $$python config/bootstrap.py; \
		fi; \
	done; \
	echo 'cairn: Python 3.8 or newer is needed to begin with. Install it, then run this again.'; \
	exit 1
