"""The tracker's pages with psycopg2, which writes every value into the text."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg2
import psycopg2.extras
import psycopg2.pool
from labels import URL, expect_loop, expect_repeat, main, scenario


@contextmanager
def cursor(**more):
    connection = psycopg2.connect(URL)
    try:
        with connection, connection.cursor(**more) as opened:
            yield opened
    finally:
        connection.close()


def fetch(opened, text, *values):
    opened.execute(text, values)
    return opened.fetchall()


def tickets(opened, count=20):
    return fetch(opened, "SELECT id, title, reporter_id, assignee_id, state FROM tickets ORDER BY id LIMIT %s", count)


def member(opened, key):
    return fetch(opened, "SELECT id, handle FROM members WHERE id = %s", key)[0]


@scenario
def a_list_drawn_from_its_end():
    with cursor() as opened:
        rows = tickets(opened, 25)
        for row in reversed(rows):
            member(opened, row[2])
        expect_loop("from tickets", "from members", len(rows))


@scenario
def open_tickets_with_somebody_only():
    with cursor(cursor_factory=psycopg2.extras.RealDictCursor) as opened:
        rows, asked = tickets(opened, 60), 0
        for row in rows:
            if row["state"] == "open" and row["assignee_id"] is not None:
                fetch(
                    opened, "SELECT handle FROM members WHERE id = %s", row["assignee_id"]
                )
                asked += 1
        expect_loop("from tickets", "from members", asked)


@scenario
def searched_until_found():
    with cursor() as opened:
        rows, asked = tickets(opened, 100), 0
        for row in rows:
            asked += 1
            if fetch(opened, "SELECT team_id FROM members WHERE id = %s", row[2])[0][0] == 9 and asked > 8:
                break
        expect_loop("from tickets", "from members", asked)


@scenario
def sorted_by_the_application():
    with cursor() as opened:
        rows = sorted(tickets(opened, 30), key=lambda row: row[1])
        for row in rows:
            fetch(opened, "SELECT count(*) FROM files WHERE ticket_id = %s", row[0])
        expect_loop("from tickets", "from files", len(rows))


@scenario
def uuid_keys_of_files():
    with cursor() as opened:
        psycopg2.extras.register_uuid()
        rows = fetch(opened, "SELECT id, name FROM files ORDER BY name LIMIT 22")
        for key, _ in rows:
            fetch(opened, "SELECT verdict FROM scans WHERE file_id = %s", key)
        expect_loop("from files", "from scans", len(rows))


@scenario
def five_thousand_readings():
    with cursor() as opened:
        rows = fetch(opened, "SELECT id, probe_id FROM readings ORDER BY id LIMIT 5000")
        for _, probe in rows:
            fetch(opened, "SELECT place FROM probes WHERE id = %s", probe)
        expect_loop("from readings", "from probes", len(rows))


@scenario
def a_transaction_per_job():
    connection = psycopg2.connect(URL)
    with connection, connection.cursor() as opened:
        jobs = fetch(opened, "SELECT id, ticket_id FROM jobs WHERE state = 'queued' ORDER BY id")
    for job, ticket in jobs:
        with connection, connection.cursor() as opened:
            fetch(opened, "SELECT id, title FROM tickets WHERE id = %s FOR UPDATE", ticket)
            opened.execute("UPDATE jobs SET state = 'done' WHERE id = %s", [job])
    connection.close()
    expect_loop("from jobs", "from tickets", len(jobs))


@scenario
def a_queue_that_hands_out_one_job_at_a_time():
    # Each job is a unit of work of its own: no list is walked.
    connection = psycopg2.connect(URL)
    for _ in range(8):
        with connection, connection.cursor() as opened:
            (job,) = fetch(
                opened,
                "UPDATE jobs SET state = 'taken' WHERE id = (SELECT id FROM jobs WHERE state = 'queued'"
                " ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id, ticket_id",
            )
            fetch(opened, "SELECT id, title FROM tickets WHERE id = %s", job[1])
    connection.close()


@scenario
def a_named_cursor_with_children_beside_it():
    connection = psycopg2.connect(URL)
    with connection, connection.cursor("export") as export, connection.cursor() as opened:
        export.itersize = 12
        export.execute("SELECT id, project_slug FROM tickets ORDER BY id LIMIT 40")
        count = 0
        for _, slug in export:
            fetch(opened, "SELECT title FROM projects WHERE slug = %s", slug)
            count += 1
    connection.close()
    expect_loop("from tickets", "from projects", count)


@scenario
def five_and_nine_and_four():
    with cursor() as opened:
        for row in tickets(opened, 5):
            member(opened, row[2])
        expect_loop("from tickets", "from members", 5)
        milestones = fetch(opened, "SELECT id FROM milestones ORDER BY id DESC LIMIT 9")
        for (key,) in milestones:
            fetch(opened, "SELECT sum(points) FROM tickets WHERE milestone_id = %s", key)
        expect_loop("from milestones", "sum(points)", 9)
        for (key,) in fetch(opened, "SELECT id FROM labels ORDER BY name LIMIT 4"):
            fetch(opened, "SELECT count(*) FROM ticket_labels WHERE label_id = %s", key)


@scenario
def threads_that_share_a_pool():
    pool = psycopg2.pool.ThreadedConnectionPool(3, 3, URL)
    first = pool.getconn()
    with first, first.cursor() as opened:
        rows = tickets(opened, 36)
    pool.putconn(first)

    def load(key):
        connection = pool.getconn()
        try:
            with connection, connection.cursor() as opened:
                return member(opened, key)
        finally:
            pool.putconn(connection)

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(load, [row[2] for row in rows]))
    pool.closeall()
    expect_loop("from tickets", "from members", len(rows))


@scenario
def two_lists_that_ask_for_members():
    with cursor() as opened:
        rows = tickets(opened, 17)
        for row in rows:
            member(opened, row[2])
        remarks = fetch(opened, "SELECT id, author_id FROM remarks ORDER BY id LIMIT 13")
        for _, author in remarks:
            member(opened, author)
        expect_loop("from tickets", "from members", len(rows))
        expect_loop("from remarks", "from members", len(remarks))


def served(pool, serve, requests):
    """Each request on a connection of its own, three at a time."""

    def handle(request):
        connection = pool.getconn()
        try:
            with connection, connection.cursor() as opened:
                return serve(opened, request)
        finally:
            pool.putconn(connection)

    with ThreadPoolExecutor(3) as threads:
        return list(threads.map(handle, requests))


@scenario
def the_same_page_for_six_visitors():
    pool = psycopg2.pool.ThreadedConnectionPool(3, 3, URL)

    def serve(opened, page):
        rows = fetch(opened, "SELECT id, reporter_id FROM tickets ORDER BY id LIMIT 10 OFFSET %s", page * 10)
        for _, reporter in rows:
            member(opened, reporter)
        return len(rows)

    for count in served(pool, serve, range(6)):
        expect_loop("from tickets", "from members", count)
    pool.closeall()


@scenario
def three_pages_at_once():
    pool = psycopg2.pool.ThreadedConnectionPool(3, 3, URL)
    pages = [
        ("SELECT id, reporter_id FROM tickets ORDER BY id LIMIT 14", "SELECT handle FROM members WHERE id = %s", 1),
        ("SELECT id, milestone_id FROM tickets WHERE points = 2 LIMIT 9", "SELECT count(*) FROM files WHERE ticket_id = %s", 0),
        ("SELECT id, author_id FROM remarks ORDER BY id LIMIT 17", "SELECT handle FROM members WHERE id = %s", 1),
    ]

    def serve(opened, page):
        rows = fetch(opened, page[0])
        for row in rows:
            fetch(opened, page[1], row[page[2]])
        return len(rows)

    counts = served(pool, serve, pages)
    pool.closeall()
    expect_loop("reporter_id from tickets", "from members", counts[0])
    expect_loop("milestone_id from tickets", "from files", counts[1])
    expect_loop("from remarks", "from members", counts[2])


@scenario
def written_and_read_again_per_ticket():
    with cursor() as opened:
        rows = tickets(opened, 16)
        for row in rows:
            opened.execute(
                "INSERT INTO remarks (subject_type, subject_id, author_id, body) VALUES ('Ticket', %s, %s, 'seen')",
                [row[0], row[2]],
            )
            fetch(
                opened, "SELECT id, body FROM remarks WHERE subject_type = 'Ticket' AND subject_id = %s ORDER BY id", row[0]
            )
        expect_loop("from tickets", "from remarks", len(rows))


@scenario
def managers_of_members():
    # Six managers for all of them, asked for again and again.
    with cursor() as opened:
        rows = fetch(opened, "SELECT id, handle, manager_id FROM members WHERE manager_id IS NOT NULL ORDER BY id")
        for row in rows:
            member(opened, row[2])
        expect_loop("manager_id from members", "handle from members where id", len(rows))


@scenario
def upserted_in_batches():
    with cursor() as opened:
        rows = [(f"option_{number}", "new") for number in range(50)]
        psycopg2.extras.execute_values(
            opened,
            "INSERT INTO options (name, value) VALUES %s ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            rows,
            page_size=10,
        )


@scenario
def chunks_of_pairs():
    with cursor() as opened:
        rows = fetch(opened, "SELECT member_id, day FROM entries ORDER BY id LIMIT 60")
        for at in range(0, 60, 10):
            opened.execute("SELECT hours FROM shifts WHERE (member_id, day) IN %s", [tuple(rows[at : at + 10])])


@scenario
def checked_before_each_use():
    pool = psycopg2.pool.SimpleConnectionPool(1, 1, URL)
    for number in range(9):
        connection = pool.getconn()
        with connection, connection.cursor() as opened:
            opened.execute("SELECT 1")
            opened.execute("UPDATE options SET value = %s WHERE name = 'option_3'", [str(number)])
        pool.putconn(connection)
    pool.closeall()


@scenario
def tried_again_after_a_conflict():
    connection = psycopg2.connect(URL)
    for attempt in range(4):
        try:
            with connection, connection.cursor() as opened:
                points = fetch(opened, "SELECT points FROM tickets WHERE id = %s FOR UPDATE", 7)
                opened.execute("UPDATE tickets SET points = %s WHERE id = %s", [points[0][0] + 1, 7])
                if attempt < 3:
                    raise psycopg2.extensions.TransactionRollbackError
        except psycopg2.extensions.TransactionRollbackError:
            time.sleep(0.06)
    connection.close()


@scenario
def a_session_per_request():
    # Twelve visitors, each with a cookie of their own and a page of two statements.
    pool = psycopg2.pool.SimpleConnectionPool(1, 1, URL)
    cookies = ["0b2a5b6f%d" % number for number in range(12)]
    for number, cookie in enumerate(cookies):
        connection = pool.getconn()
        with connection, connection.cursor() as opened:
            fetch(opened, "SELECT member_id FROM sessions WHERE token = %s", cookie)
            fetch(opened, "SELECT id, title FROM tickets ORDER BY id LIMIT 10 OFFSET %s", number * 10)
        pool.putconn(connection)
        time.sleep(0.08)
    pool.closeall()


@scenario
def numbers_drawn_from_a_sequence():
    with cursor() as opened:
        for _ in range(12):
            fetch(opened, "SELECT nextval('receipt_numbers')")


@scenario
def named_options_of_the_code():
    with cursor() as opened:
        for number in range(1, 13):
            fetch(opened, "SELECT value FROM options WHERE name = %s", f"option_{number}")
        expect_repeat("repeated-query-without-visible-parent", 12)


@scenario
def the_choices_of_a_form():
    with cursor() as opened:
        for table in ("teams", "labels", "milestones", "members"):
            fetch(opened, f"SELECT id FROM {table} ORDER BY id")
        fetch(opened, "SELECT slug, title FROM projects ORDER BY title")


@scenario
def an_import_that_links_what_it_writes():
    # Each line of the file is written, and what hangs on it with the key that came back.
    with cursor() as opened:
        for number in range(9):
            (key,) = fetch(
                opened,
                "INSERT INTO tickets (project_slug, reporter_id, title, state, points)"
                " VALUES ('project-1', 1, %s, 'new', 1) RETURNING id",
                f"line {number}",
            )[0]
            opened.execute("INSERT INTO files (ticket_id, name, bytes) VALUES (%s, 'f', 1)", [key])


@scenario
def the_way_up_from_a_leaf():
    with cursor() as opened:
        key = 42
        while key is not None:
            key = fetch(opened, "SELECT parent_id FROM categories WHERE id = %s", key)[0][0]


@scenario
def the_days_of_a_week():
    with cursor() as opened:
        fetch(opened, "SELECT id, day FROM entries ORDER BY id LIMIT 3")
        for day in range(1, 8):
            fetch(opened, "SELECT sum(minutes) FROM entries WHERE day = %s", f"2025-03-{day:02}")


@scenario
def logins_of_three_people():
    with cursor() as opened:
        for number in (4, 9, 23):
            opened.execute("SELECT member_id FROM sessions WHERE token = md5('token' || %s)", [number])
            key = opened.fetchone()[0]
            member(opened, key)
            fetch(opened, "SELECT id, title FROM tickets WHERE reporter_id = %s ORDER BY id LIMIT 5", key)


main(f"psycopg2 {psycopg2.__version__.split()[0]}")
