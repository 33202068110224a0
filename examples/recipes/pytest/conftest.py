"""A database session per test, judged at the end of the test."""

import json
import os

import psycopg
import pytest
from psycopg import sql


def setting(connection, name, value):
    connection.execute(sql.SQL("SET {} = {}").format(sql.SQL(name), sql.Literal(value)))


def findings(connection):
    """What Plimsoll found so far in this test; nothing without its recorder."""
    try:
        return json.loads(connection.execute("SHOW plimsoll.findings").fetchone()[0])
    except psycopg.errors.UndefinedObject:
        return []


@pytest.fixture
def db(request):
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        setting(connection, "plimsoll.scope", request.node.nodeid)
        setting(connection, "plimsoll.max_statements", 20)
        yield connection
        failures = [f for f in findings(connection) if f["severity"] == "failure"]
        assert not failures, failures[0]["message"]
