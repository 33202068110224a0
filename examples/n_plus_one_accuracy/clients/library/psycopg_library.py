"""The lending desk of a city library: repository classes over psycopg."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from threading import Lock

import psycopg
from psycopg.rows import class_row, dict_row
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from labels import URL, expect_loop, expect_repeat, main, scenario


@dataclass
class Work:
    id: int
    title: str
    repository: object = None

    @cached_property
    def authors(self):
        return self.repository.authors_of(self.id)

    @cached_property
    def editions(self):
        return self.repository.editions_of(self.id)


class Works:
    """Works whose relations are read when somebody looks at them."""

    def __init__(self, db):
        self.db = db
        self.authors_asked = self.editions_asked = 0

    def about(self, subject_ids):
        cursor = self.db.cursor(row_factory=class_row(Work))
        works = cursor.execute(
            "select id, title from works where subject_id = any(%s) order by title", [subject_ids]
        ).fetchall()
        for work in works:
            work.repository = self
        return works

    def authors_of(self, work_id):
        self.authors_asked += 1
        return self.db.execute(
            "select a.id, a.name from authorships s join authors a on a.id = s.author_id"
            " where s.work_id = %s order by s.position",
            [work_id],
        ).fetchall()

    def editions_of(self, work_id):
        self.editions_asked += 1
        return self.db.execute(
            "select id, isbn, published from editions where work_id = %s order by published", [work_id]
        ).fetchall()


class Copies:
    """An identity map: a copy is read once."""

    def __init__(self, db):
        self.db = db
        self.known = {}

    def get(self, barcode):
        if barcode not in self.known:
            self.known[barcode] = self.db.execute(
                "select barcode, edition_id, price from copies where barcode = %s", [barcode]
            ).fetchone()
        return self.known[barcode]


@scenario
def topic_serializer():
    """Every work is serialized with its authors; editions only where they are wanted."""
    with psycopg.connect(URL) as db:
        works = Works(db)
        page = [
            {"title": work.title, "authors": work.authors, "editions": work.editions if work.id % 100 == 0 else None}
            for work in works.about(list(range(60, 84)))
        ]
        assert page and all(entry["authors"] for entry in page)
        assert works.editions_asked < 5
    expect_loop("from works where subject_id", "from authorships s join authors", works.authors_asked)


@scenario
def patron_history():
    """What the pupils of a class ever borrowed; copies come from an identity map."""
    lists = 0
    with psycopg.connect(URL, row_factory=dict_row) as db:
        copies = Copies(db)
        pupils = db.execute("select id, name from patrons where guardian_id between 50 and 150 order by id").fetchall()
        for pupil in pupils:
            lists += 1
            loans = db.execute("select barcode, lent_on from loans where patron_id = %s", [pupil["id"]]).fetchall()
            for loan in loans:
                copies.get(loan["barcode"])
    expect_loop("from patrons where guardian_id", "from loans where patron_id", lists)
    expect_loop("from loans where patron_id", "from copies where barcode", len(copies.known))


@scenario
def event_hosts():
    """A printed programme; the driver writes the values into the statements."""
    hosts = booked = 0
    with psycopg.connect(URL, cursor_factory=psycopg.ClientCursor, autocommit=True) as db:
        for event_id, host_id in db.execute(
            "select id, host_id from events where starts_at < %s order by starts_at", [date(2025, 7, 10)]
        ).fetchall():
            db.execute("select coalesce(sum(seats), 0) from bookings where event_id = %s", [event_id]).fetchone()
            booked += 1
            if host_id is not None:
                db.execute("select name from staff where id = %s", [host_id]).fetchone()
                hosts += 1
    expect_loop("from events where starts_at", "from bookings where event_id", booked)
    expect_loop("from events where starts_at", "from staff where id", hosts)


@scenario
def overdue_export():
    """A server-side cursor streams overdue loans; each line needs the last time the copy was lent before."""
    asked = 0
    with psycopg.connect(URL) as db:
        with db.cursor(name="overdue") as overdue:
            overdue.itersize = 40
            overdue.execute(
                "select id, barcode, due_on from loans where returned_on is null and branch_id = %s order by due_on, id", [5]
            )
            for loan_id, barcode, _ in overdue:
                asked += 1
                db.execute(
                    "select max(lent_on) from loans l where l.barcode = %s and l.id <> %s", [barcode, loan_id]
                ).fetchone()
    expect_loop("from loans where returned_on is null", "select max(lent_on) from loans l", asked)


@scenario
async def branch_cards():
    """The app's home screen: each branch answers with its hours and its next events, all at once."""
    hours = events = 0
    async with AsyncConnectionPool(URL, min_size=4, max_size=4) as pool:

        async def card(branch_id):
            nonlocal hours, events

            async def opening():
                nonlocal hours
                hours += 1
                async with pool.connection() as db:
                    cursor = await db.execute(
                        "select weekday, opens, closes from opening_hours where branch_id = %s", [branch_id]
                    )
                    return await cursor.fetchall()

            async def programme():
                nonlocal events
                events += 1
                async with pool.connection() as db:
                    cursor = await db.execute(
                        "select id, title from events where branch_id = %s order by starts_at limit 3", [branch_id]
                    )
                    return await cursor.fetchall()

            return await asyncio.gather(opening(), programme())

        async with pool.connection() as db:
            branches = await (await db.execute("select id from branches order by name")).fetchall()
        await asyncio.gather(*(card(branch_id) for (branch_id,) in branches))
    expect_loop("from branches order by name", "from opening_hours where branch_id", hours)
    expect_loop("from branches order by name", "from events where branch_id", events)


@scenario
def hold_permissions():
    """Threads of a job check for each hold whether the patron may still have it."""
    checks = 0
    lock = Lock()
    with ConnectionPool(URL, min_size=3, max_size=3) as pool:

        def allowed(hold):
            nonlocal checks
            _, patron_id, work_id = hold
            with lock:
                checks += 1
            with pool.connection() as db:
                (blocked,) = db.execute(
                    "select exists (select 1 from cards c where c.patron_id = %s and c.blocked_at is not null)",
                    [patron_id],
                ).fetchone()
                return not blocked

        with pool.connection() as db:
            holds = db.execute(
                "select id, patron_id, work_id from holds where ready_at is null order by placed_at limit 120"
            ).fetchall()
        with ThreadPoolExecutor(3) as threads:
            list(threads.map(allowed, holds))
    expect_loop("from holds where ready_at is null", "from cards c where c.patron_id", checks)


@scenario
def price_update():
    """A bookseller's new prices, line by line in one transaction."""
    lines = [(f"C{3 + i * 7:06d}", 9 + i % 30 + 0.95) for i in range(150)]
    updated = 0
    with psycopg.connect(URL) as db:
        for barcode, price in lines:
            db.execute("update copies set price = %s where barcode = %s", [price, barcode])
            updated += 1
    expect_repeat("row-by-row-writes", updated)


@scenario
def loans_page():
    """A page of loans; what its rows refer to is read with one statement each."""
    with psycopg.connect(URL, row_factory=dict_row) as db:
        for page in range(5):
            loans = db.execute(
                "select id, barcode, patron_id from loans where lent_on >= %s order by id limit 30 offset %s",
                [date(2025, 1, 1), 30 * page],
            ).fetchall()
            db.execute(
                "select id, name from patrons where id = any(%s)", [[loan["patron_id"] for loan in loans]]
            ).fetchall()
            db.execute(
                "select c.barcode, w.title from copies c join editions e on e.id = c.edition_id"
                " join works w on w.id = e.work_id where c.barcode = any(%s)",
                [[loan["barcode"] for loan in loans]],
            ).fetchall()


@scenario
def calendar_month():
    """A calendar asks for every day of June what is on, whether or not there is something."""
    with psycopg.connect(URL) as db:
        db.execute("select id, name from branches where closed_on is null").fetchall()
        day = date(2025, 6, 1)
        while day.month == 6:
            db.execute(
                "select title, branch_id from events where starts_at >= %s and starts_at < %s",
                [day, day + timedelta(days=1)],
            ).fetchall()
            day += timedelta(days=1)


@scenario
def lending_rules():
    """Tests of the lending rules; each case is rolled back to where it began."""
    cases = [(21, "C000101"), (22, "C000102"), (23, "C000103"), (24, "nowhere"), (9999, "C000105")]
    with psycopg.connect(URL) as db:
        with db.transaction(force_rollback=True):
            for patron_id, barcode in cases[:3]:
                with db.transaction(force_rollback=True):
                    db.execute(
                        "insert into loans (barcode, patron_id, branch_id, lent_on, due_on) values (%s, %s, 1, %s, %s)",
                        [barcode, patron_id, date(2025, 6, 1), date(2025, 6, 29)],
                    )
                    (out,) = db.execute(
                        "select count(*) from loans where patron_id = %s and returned_on is null", [patron_id]
                    ).fetchone()
                    assert out >= 1
            for patron_id, barcode in cases[3:]:
                try:
                    with db.transaction():
                        db.execute(
                            "insert into holds (work_id, patron_id, branch_id, placed_at) values (%s, %s, 1, now())",
                            [-1 if barcode == "nowhere" else 5, patron_id],
                        )
                    raise AssertionError("held")
                except psycopg.errors.ForeignKeyViolation:
                    pass


if __name__ == "__main__":
    main(f"psycopg {psycopg.__version__}")
