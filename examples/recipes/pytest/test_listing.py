"""Run with: plimsoll n-plus-one --findings -- pytest"""

import pytest
from conftest import findings, setting


@pytest.fixture(autouse=True)
def orders(db):
    setting(db, "plimsoll.scope", "")
    db.execute("CREATE TEMP TABLE users AS SELECT n AS id, 'user ' || n AS name FROM generate_series(101, 120) n")
    db.execute("CREATE TEMP TABLE orders AS SELECT n AS id, 101 + n * 7 % 20 AS user_id FROM generate_series(1, 12) n")
    setting(db, "plimsoll.scope", "listing")


def test_a_loop_is_found_while_the_test_runs(db):
    setting(db, "plimsoll.scope", "one query per row")
    setting(db, "plimsoll.max_statements", 5)
    # More than five times, after which psycopg prepares what it is asked.
    assert [findings(db) for _ in range(8)] == [[]] * 8
    for _, user_id in db.execute("SELECT id, user_id FROM orders ORDER BY id").fetchall():
        db.execute("SELECT id, name FROM users WHERE id = %s", [user_id]).fetchone()
    found = {finding["code"]: finding for finding in findings(db)}
    assert "n-plus-one" in found, found
    assert "13 statements" in found["too-many-statements"]["message"]
    # So that this test itself passes.
    setting(db, "plimsoll.scope", "after it")


def test_a_join_is_not(db):
    setting(db, "plimsoll.scope", "one join")
    rows = db.execute("SELECT orders.id, name FROM orders JOIN users ON users.id = user_id").fetchall()
    assert len(rows) == 12
    assert findings(db) == []


def test_a_session_without_a_scope_is_told(db):
    setting(db, "plimsoll.scope", "")
    with pytest.raises(Exception, match="plimsoll.findings needs a scope"):
        db.execute("SHOW plimsoll.findings")
    setting(db, "plimsoll.scope", "after it")
