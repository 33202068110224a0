"""The tracker's pages with pg8000: named parameters, prepared statements, no C."""

from contextlib import contextmanager
from urllib.parse import unquote, urlsplit

import pg8000
import pg8000.dbapi
import pg8000.native
from labels import URL, expect_loop, main, scenario

address = urlsplit(URL)
WHERE = {
    "user": unquote(address.username or "nobody"),
    "password": unquote(address.password or ""),
    "host": address.hostname,
    "port": address.port,
    "database": address.path.lstrip("/"),
}


@contextmanager
def native():
    connection = pg8000.native.Connection(**WHERE)
    try:
        yield connection
    finally:
        connection.close()


@scenario
def a_member_per_ticket_by_name():
    with native() as db:
        rows = db.run("SELECT id, assignee_id FROM tickets WHERE state = :state ORDER BY id LIMIT 40", state="open")
        asked = 0
        for _, assignee in rows:
            if assignee is None:
                continue
            db.run("SELECT handle FROM members WHERE id = :id", id=assignee)
            asked += 1
        expect_loop("from tickets", "from members", asked)


@scenario
def prepared_once_and_kept_in_a_cache():
    with native() as db:
        project = db.prepare("SELECT slug, title FROM projects WHERE slug = :slug")
        cache = {}
        for _, slug in db.run("SELECT id, project_slug FROM tickets ORDER BY id LIMIT 90"):
            if slug not in cache:
                cache[slug] = project.run(slug=slug)
        expect_loop("from tickets", "from projects", len(cache))


@scenario
def a_pair_of_keys_per_entry():
    with native() as db:
        rows = db.run("SELECT id, member_id, day FROM entries WHERE id <= 33 ORDER BY id")
        for _, who, day in rows:
            db.run("SELECT hours FROM shifts WHERE member_id = :who AND day = :day", who=who, day=day)
        expect_loop("from entries", "from shifts", len(rows))


@scenario
def a_tree_level_by_level():
    with native() as db:
        children = "SELECT id, name FROM categories WHERE parent_id = :parent ORDER BY id"
        roots = db.run("SELECT id, name FROM categories WHERE parent_id IS NULL ORDER BY id")
        level, walked = roots, 0
        while level:
            below = []
            for key, _ in level:
                below += db.run(children, parent=key)
            walked += len(level) if level is not roots else 0
            level = below
        expect_loop("parent_id is null", "parent_id =", len(roots))
        expect_loop("parent_id =", "parent_id =", walked)


@scenario
def scans_of_the_files_of_tickets():
    with native() as db:
        asked = 0
        found = db.run("SELECT id FROM tickets WHERE id <= 18 ORDER BY id")
        for (ticket,) in found:
            for key, _ in db.run("SELECT id, name FROM files WHERE ticket_id = :t ORDER BY name", t=ticket):
                db.run("SELECT verdict FROM scans WHERE file_id = :f", f=key)
                asked += 1
        expect_loop("from tickets", "from files", len(found))
        expect_loop("from files", "from scans", asked)


@scenario
def qmarks_of_the_dbapi_in_one_transaction():
    connection = pg8000.dbapi.connect(**WHERE)
    cursor = connection.cursor()
    cursor.execute("SELECT id, milestone_id FROM tickets WHERE milestone_id IS NOT NULL ORDER BY id DESC LIMIT 21")
    rows = cursor.fetchall()
    for _, milestone in rows:
        cursor.execute("SELECT title FROM milestones WHERE id = %s", (milestone,))
        cursor.fetchone()
    connection.rollback()
    connection.close()
    expect_loop("from tickets", "from milestones", len(rows))


@scenario
def an_array_of_keys():
    with native() as db:
        for state in ("open", "review", "closed"):
            ((keys,),) = db.run("SELECT array_agg(reporter_id) FROM tickets WHERE state = :s", s=state)
            db.run("SELECT handle FROM members WHERE id = ANY(CAST(:keys AS bigint[]))", keys=keys)


@scenario
def migrations_that_are_missing():
    with native() as db:
        applied = {version for (version,) in db.run("SELECT version FROM migrations")}
        for number in range(1, 13):
            version = f"202503{number:02}"
            if version not in applied:
                db.run("START TRANSACTION")
                db.run(f"CREATE TABLE step_{number} (id bigint PRIMARY KEY)")
                db.run("INSERT INTO migrations (version) VALUES (:version)", version=version)
                db.run("COMMIT")


@scenario
def pages_by_a_pair_of_keys():
    with native() as db:
        state, last = "", 0
        for _ in range(8):
            page = db.run(
                "SELECT state, id FROM tickets WHERE (state, id) > (:state, :last) ORDER BY state, id LIMIT 30",
                state=state,
                last=last,
            )
            state, last = page[-1]


@scenario
def locks_of_a_scheduler():
    with native() as db:
        for number in range(8):
            db.run("SELECT pg_try_advisory_lock(:key)", key=number)
            db.run("SELECT pg_advisory_unlock(:key)", key=number)


@scenario
def a_free_name_is_searched():
    with native() as db:
        for number in (3, 7, 11, 18, 25):
            if not db.run("SELECT 1 FROM options WHERE name = :name", name=f"option_{number}"):
                break


@scenario
def keys_in_chunks_of_an_array():
    with native() as db:
        keys = [key for (key,) in db.run("SELECT reporter_id FROM tickets ORDER BY id LIMIT 60")]
        for at in range(0, len(keys), 12):
            db.run("SELECT id, handle FROM members WHERE id = ANY(CAST(:keys AS bigint[]))", keys=keys[at : at + 12])


@scenario
def a_report_of_every_state():
    with native() as db:
        db.run("SELECT id, state FROM tickets ORDER BY id LIMIT 50")
        for state in ("open", "review", "closed"):
            db.run("SELECT count(*), sum(points) FROM tickets WHERE state = :state", state=state)


main(f"pg8000 {pg8000.__version__}")
