#!/bin/sh
# Runs the recipes of docs/n-plus-one.md ("From test code") under the recorder:
#   scripts/check-recipes.sh path/to/plimsoll
# Downloads psycopg, pytest, pg and jest into a temporary folder. A language
# whose interpreter is missing is skipped, and said.
set -eu
plimsoll=$(realpath "$1")
recipes=$(realpath "$(dirname "$0")/../examples/recipes")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$recipes/." "$work"

# The recipes hold loops on purpose: the tests pass, and the run's verdict (1) names them.
judged() {
    code=0
    "$plimsoll" n-plus-one --findings --without-batching -- "$@" >"$work/report" 2>"$work/log" || code=$?
    if [ "$code" != 1 ] || ! grep -q 'above the bound on statements' "$work/report"; then
        cat "$work/report" "$work/log"
        echo "FAILED ($code): $*"
        exit 1
    fi
    echo "ok: $*"
}

if python3 -m venv "$work/venv" 2>/dev/null; then
    "$work/venv/bin/pip" install -q 'psycopg[binary]' pytest
    (cd "$work/pytest" && judged "$work/venv/bin/python" -m pytest -q -p no:cacheprovider)
else
    echo "SKIPPED: python3 with venv is not installed"
fi
if command -v npm >/dev/null; then
    (cd "$work/jest" && npm install --silent --no-audit --no-fund pg jest && judged npx jest)
else
    echo "SKIPPED: npm is not installed"
fi
