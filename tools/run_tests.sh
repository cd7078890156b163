#!/usr/bin/env bash
# Run the test suite on a fresh machine: bash tools/run_tests.sh [pytest arguments]
# Makes .venv (or $FLORENCE_VENV) and installs what the tests need, once. Real test data: $FLORENCE_TEST_DATA, else skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/environment.sh
prepare_environment tests
"$PYTHON_ENV" -m ruff check florence tools tests configs benchmarks setup.py
"$PYTHON_ENV" -m mypy
exec "$PYTHON_ENV" -m pytest -n "${FLORENCE_TEST_WORKERS:-2}" --dist loadfile "$@"
