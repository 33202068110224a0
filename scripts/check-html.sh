#!/usr/bin/env bash
# Opens HTML reports in headless Chromium: console errors, requests, overflow,
# keyboard, first screen, print, accessibility, at 400 and 1400 px, dark and light.
#
#   scripts/check-html.sh FILE.html…
#
# Needs node, npm and a Chromium (CHROMIUM=/path, default /usr/bin/chromium).
# The two packages it uses are installed into a cache outside the repository.
set -euo pipefail
[ $# -gt 0 ] || { sed -n '2,8p' "$0" | cut -c3-; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/plimsoll-check-html
if [ ! -d "$cache/node_modules/playwright-core" ] || [ ! -d "$cache/node_modules/axe-core" ]; then
  mkdir -p "$cache"
  npm install --silent --no-audit --no-fund --prefix "$cache" playwright-core@1 axe-core@4
fi
cp "$here/check-html.mjs" "$cache/check-html.mjs"
CHROMIUM=${CHROMIUM:-/usr/bin/chromium} exec node "$cache/check-html.mjs" "$@"
