#!/bin/sh
# Installs PostgreSQL's server programs through the system's package manager
# when none are found. Says what it does; changes nothing when they are there.
set -eu

found() {
    if command -v initdb >/dev/null 2>&1 && command -v postgres >/dev/null 2>&1; then
        return 0
    fi
    for programs in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql*/bin \
        /usr/local/opt/postgresql*/bin /Applications/Postgres.app/Contents/Versions/*/bin; do
        if [ -x "$programs/initdb" ] && [ -x "$programs/postgres" ]; then
            return 0
        fi
    done
    return 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo "$@"
    else
        echo "PostgreSQL's server programs are missing, and installing them needs root: $*" >&2
        exit 3
    fi
}

if found; then
    exit 0
fi

echo "PostgreSQL's server programs were not found: installing them" >&2
if command -v apt-get >/dev/null 2>&1; then
    # Plimsoll starts servers of its own; a system-wide one is neither needed nor wanted.
    if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        as_root mkdir -p /etc/postgresql-common
        echo 'create_main_cluster = false' | as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
    fi
    as_root apt-get update -q
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
        -o Dpkg::Options::=--force-confold postgresql postgresql-contrib
elif command -v dnf >/dev/null 2>&1; then
    as_root dnf install -y postgresql-server postgresql-contrib
elif command -v brew >/dev/null 2>&1; then
    brew install postgresql@17
else
    echo "no apt-get, dnf or brew here: install PostgreSQL 13 to 18 by hand, or name its folder with --postgres-bin" >&2
    exit 3
fi

if ! found; then
    echo "the package manager ended well, but initdb and postgres are still not found" >&2
    exit 3
fi
