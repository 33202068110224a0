#!/bin/sh
# Runs the recipes of docs/n-plus-one.md ("From test code") under the recorder:
#   scripts/check-recipes.sh path/to/plimsoll
# Downloads psycopg, pytest, pg, jest, JUnit and the JDBC driver into a temporary
# folder. A language whose interpreter is missing is skipped, and said; Ruby has
# to have pg, activerecord and rspec (gem install, or Debian's ruby-pg,
# ruby-activerecord and ruby-rspec), as pg is compiled where it is installed.
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
    echo "ok: $(basename "$(pwd)")"
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
# JUnit as Debian packages it (junit5, libpostgresql-jdbc-java), else by Maven.
jars=/usr/share/java
if [ -e $jars/junit-platform-console.jar ] && [ -e $jars/postgresql.jar ]; then
    classes="$work/classes:$(echo $jars/junit-jupiter*.jar $jars/junit-platform-*.jar $jars/opentest4j*.jar \
        $jars/apiguardian-api.jar $jars/picocli.jar $jars/postgresql.jar | tr ' ' ':')"
    mkdir "$work/classes"
    javac -cp "$classes" -d "$work/classes" "$work/junit/src/test/java/ListingTest.java"
    (cd "$work/junit" && judged java -cp "$classes" org.junit.platform.console.ConsoleLauncher --scan-classpath "$work/classes")
elif command -v mvn >/dev/null; then
    (cd "$work/junit" && judged mvn -q -B "-Dmaven.repo.local=$work/m2" test)
else
    echo "SKIPPED: neither junit5 nor mvn is installed"
fi
if ruby -e 'require "pg"; require "active_record"; require "rspec"' 2>/dev/null; then
    (cd "$work/rspec" && judged rspec listing_spec.rb)
else
    echo "SKIPPED: ruby with pg, activerecord and rspec is not installed"
fi
