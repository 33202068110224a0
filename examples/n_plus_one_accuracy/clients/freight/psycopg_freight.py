"""Background jobs and endpoints of a forwarder with psycopg 3, sync and async, pooled."""

import asyncio
import datetime
import random
from concurrent.futures import ThreadPoolExecutor

import psycopg
from labels import URL, expect_loop, main, scenario
from psycopg.rows import dict_row, namedtuple_row
from psycopg_pool import AsyncConnectionPool, ConnectionPool


@scenario
def customs_worker_pool():
    """Four workers share a pool; each declares the shipments that are handed to it."""
    with ConnectionPool(URL, min_size=4, max_size=4) as pool:
        with pool.connection() as db:
            queue = db.execute(
                "SELECT id, reference FROM shipments WHERE status = 'booked' ORDER BY booked_at LIMIT 60"
            ).fetchall()

        def declare(job):
            with pool.connection() as db:
                boxes = db.execute(
                    "SELECT container_id FROM shipment_containers WHERE shipment_id = %s", (job[0],)
                ).fetchall()
            return job[1], len(boxes)

        with ThreadPoolExecutor(4) as workers:
            declared = list(workers.map(declare, queue))
    expect_loop("from shipments", "from shipment_containers", len(declared))


@scenario
def billing_run():
    """Each unpaid invoice in a transaction of its own: locked, priced; totals are stored at the end."""
    priced = []
    with psycopg.connect(URL, autocommit=True, row_factory=namedtuple_row) as db:
        unpaid = db.execute(
            "SELECT id FROM invoices WHERE total IS NULL AND paid_on IS NULL AND customer_id < 40 ORDER BY id"
        ).fetchall()
        for invoice in unpaid:
            with db.transaction():
                lines = db.execute(
                    "SELECT l.quantity * t.unit_price AS amount FROM invoice_lines AS l"
                    " JOIN tariffs AS t ON t.code = l.tariff_code"
                    " WHERE l.invoice_id = %s FOR UPDATE OF l",
                    (invoice.id,),
                ).fetchall()
                priced.append((invoice.id, sum(line.amount for line in lines)))
        with db.transaction():
            db.execute(
                "UPDATE invoices AS i SET total = p.total"
                " FROM unnest(%s::int[], %s::numeric[]) AS p (id, total) WHERE i.id = p.id",
                ([invoice for invoice, _ in priced], [total for _, total in priced]),
            )
    expect_loop("from invoices", "from invoice_lines", len(priced))


@scenario
def claim_jobs():
    """A queue's consumer: claims a few jobs, one at a time."""
    with psycopg.connect(URL, autocommit=True) as db:
        for _ in range(4):
            with db.transaction():
                job = db.execute(
                    "UPDATE jobs SET state = 'done', attempts = attempts + 1 WHERE id = ("
                    "SELECT id FROM jobs WHERE queue = 'mail' AND state = 'queued'"
                    " ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
                    ") RETURNING id, payload"
                ).fetchone()
            if job is None:
                break


@scenario
async def fleet_positions():
    """Where every vessel is: one query for the fleet, all others at once."""
    async with AsyncConnectionPool(URL, min_size=5, max_size=5, open=False) as pool:
        async with pool.connection() as db:
            cursor = await db.execute("SELECT imo, name FROM vessels ORDER BY name")
            fleet = await cursor.fetchall()

        asked = 0

        async def position(imo):
            nonlocal asked
            async with pool.connection() as db:
                asked += 1
                cursor = await db.execute(
                    "SELECT number, departs_on FROM voyages WHERE vessel_imo = %s"
                    " ORDER BY departs_on DESC LIMIT 1",
                    (imo,),
                )
                return await cursor.fetchone()

        await asyncio.gather(*(position(imo) for imo, _ in fleet))
    expect_loop("from vessels", "from voyages", asked)


@scenario
async def two_pages_at_once():
    """Two requests at once through one pool of two: depots with drivers, ports with calls."""
    counts = {"drivers": 0, "calls": 0}
    async with AsyncConnectionPool(URL, min_size=2, max_size=2, open=False) as pool:

        async def fetch(query, *values):
            async with pool.connection() as db:
                cursor = await db.execute(query, values)
                return await cursor.fetchall()

        async def depots():
            for depot, _ in await fetch("SELECT id, name FROM depots ORDER BY id"):
                await fetch("SELECT name, licence FROM drivers WHERE depot_id = %s", depot)
                counts["drivers"] += 1

        async def ports():
            for code, _ in await fetch(
                "SELECT code, name FROM ports WHERE timezone IS NOT NULL ORDER BY code"
            ):
                await fetch("SELECT count(*) FROM port_calls WHERE port_code = %s", code)
                counts["calls"] += 1

        await asyncio.gather(depots(), ports())
    expect_loop("from depots", "from drivers", counts["drivers"])
    expect_loop("from ports", "from port_calls", counts["calls"])


@scenario
def region_breadcrumb():
    """The path to a district: up the tree, at most four levels."""
    with psycopg.connect(URL, row_factory=dict_row) as db:
        path = []
        region = 35
        while region is not None:
            found = db.execute("SELECT id, parent_id, name FROM regions WHERE id = %s", (region,)).fetchone()
            path.append(found["name"])
            region = found["parent_id"]


@scenario
def keyset_export():
    """All tracking events by keyset pages, written out as they come."""
    with psycopg.connect(URL) as db:
        last = 0
        while True:
            page = db.execute(
                "SELECT id, container_id, kind, happened_at FROM tracking_events WHERE id > %s"
                " ORDER BY id LIMIT 250",
                (last,),
            ).fetchall()
            if not page:
                break
            last = page[-1][0]


@scenario
def copy_and_pipeline():
    """A day's events: copied in; then one pipeline with the checks of the import."""
    start = datetime.datetime(2025, 3, 1, tzinfo=datetime.UTC)
    draw = random.Random(7)
    with psycopg.connect(URL) as db:
        with db.cursor().copy(
            "COPY tracking_events (id, container_id, kind, happened_at) FROM STDIN"
        ) as copy:
            for n in range(120):
                copy.write_row(
                    (
                        10_000 + n,
                        "FRTU007919",
                        "ping",
                        start + datetime.timedelta(minutes=draw.randint(0, 1439)),
                    )
                )
        with db.pipeline():
            pings = db.execute("SELECT count(*) FROM tracking_events WHERE kind = 'ping'")
            orphans = db.execute("SELECT count(*) FROM tracking_events WHERE port_code IS NULL")
            newest = db.execute(
                "SELECT max(happened_at) FROM tracking_events WHERE container_id = %s", ("FRTU007919",)
            )
            for cursor in (pings, orphans, newest):
                cursor.fetchone()


@scenario
def rate_of_invoice():
    """Invoices abroad in their own currency: the rate by a key of two columns, currency and day."""
    asked = 0
    abroad = (
        "SELECT i.number, i.issued_on, c.currency FROM invoices AS i"
        " JOIN customers AS d ON d.id = i.customer_id"
        " JOIN countries AS c ON c.code = d.country_code WHERE c.currency <> 'EUR'"
        " AND i.issued_on < '2025-02-01'"
    )
    with psycopg.connect(URL, row_factory=namedtuple_row) as db, db.cursor() as lookup:
        for invoice in db.execute(abroad + " ORDER BY i.number"):
            lookup.execute(
                "SELECT rate FROM exchange_rates WHERE currency = %(currency)s AND valid_on = %(day)s",
                {"currency": invoice.currency, "day": invoice.issued_on},
            )
            asked += 1
            assert lookup.fetchone().rate > 0
    expect_loop("from invoices", "from exchange_rates", asked)


@scenario
async def poll_for_voyage():
    """A task polls a voyage until it has waited long enough; meanwhile another prints the sheet of one."""
    asked = 0
    async with AsyncConnectionPool(URL, min_size=2, max_size=2, open=False) as pool:

        async def poll():
            for _ in range(4):
                async with pool.connection() as db:
                    await db.execute("SELECT arrives_on FROM voyages WHERE id = 88")
                await asyncio.sleep(0.02)

        async def sheet():
            nonlocal asked
            async with pool.connection() as db:
                shipments = await (
                    await db.execute(
                        "SELECT id FROM shipments WHERE voyage_id IN (40, 41, 42) ORDER BY reference"
                    )
                ).fetchall()
                for shipment in shipments:
                    asked += 1
                    await db.execute(
                        "SELECT mode, km FROM legs WHERE shipment_id = %s ORDER BY seq", shipment
                    )

        await asyncio.gather(poll(), sheet())
    expect_loop("from shipments", "from legs", asked)


if __name__ == "__main__":
    main("psycopg " + psycopg.__version__)
