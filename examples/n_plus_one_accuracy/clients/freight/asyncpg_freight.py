"""An async API of a forwarder with asyncpg: resolvers, feeds and nightly tasks."""

import asyncio
import datetime
from collections import defaultdict

import asyncpg
from labels import URL, expect_loop, expect_repeat, main, scenario


@scenario
async def shipment_resolvers():
    """A list of shipments as a graph API resolves it: field by field, all rows at once."""
    asked = {"customer": 0, "legs": 0}
    async with asyncpg.create_pool(URL, min_size=3, max_size=3) as pool:

        async def customer(shipment):
            asked["customer"] += 1
            return await pool.fetchrow(
                "SELECT id, name FROM customers WHERE id = $1", shipment["customer_id"]
            )

        async def legs(shipment):
            asked["legs"] += 1
            return await pool.fetch(
                "SELECT seq, mode, km FROM legs WHERE shipment_id = $1 ORDER BY seq", shipment["id"]
            )

        async def resolve(shipment):
            who, path = await asyncio.gather(customer(shipment), legs(shipment))
            return {
                "reference": shipment["reference"],
                "customer": dict(who),
                "legs": [dict(leg) for leg in path],
            }

        shipments = await pool.fetch(
            "SELECT id, reference, customer_id FROM shipments WHERE status = 'held'"
            " ORDER BY reference LIMIT 35"
        )
        await asyncio.gather(*map(resolve, shipments))
    expect_loop("from shipments", "from customers", asked["customer"])
    expect_loop("from shipments", "from legs", asked["legs"])


class Loader:
    """Collects the keys of one turn of the event loop and asks for them together."""

    def __init__(self, batch):
        self.batch = batch
        self.waiting = defaultdict(list)

    def load(self, key):
        loop = asyncio.get_running_loop()
        if not self.waiting:
            loop.call_soon(lambda: asyncio.ensure_future(self.dispatch()))
        future = loop.create_future()
        self.waiting[key].append(future)
        return future

    async def dispatch(self):
        waiting, self.waiting = self.waiting, defaultdict(list)
        found = await self.batch(list(waiting))
        for key, futures in waiting.items():
            for future in futures:
                future.set_result(found.get(key))


@scenario
async def shipment_loaders():
    """The same list with loaders: one query per field."""
    async with asyncpg.create_pool(URL, min_size=3, max_size=3) as pool:

        async def customers(keys):
            rows = await pool.fetch("SELECT id, name FROM customers WHERE id = ANY($1)", keys)
            return {row["id"]: row for row in rows}

        async def legs(keys):
            grouped = defaultdict(list)
            for row in await pool.fetch(
                "SELECT shipment_id, seq, mode FROM legs WHERE shipment_id = ANY($1)", keys
            ):
                grouped[row["shipment_id"]].append(row)
            return grouped

        by_customer, by_shipment = Loader(customers), Loader(legs)
        shipments = await pool.fetch(
            "SELECT id, customer_id FROM shipments WHERE status = 'held' ORDER BY reference LIMIT 35"
        )
        await asyncio.gather(*(by_customer.load(shipment["customer_id"]) for shipment in shipments))
        await asyncio.gather(*(by_shipment.load(shipment["id"]) for shipment in shipments))


@scenario
async def port_schedule():
    """The berths of the next voyages, read with a prepared statement."""
    asked = 0
    db = await asyncpg.connect(URL)
    try:
        calls = await db.prepare(
            "SELECT seq, port_code, berth FROM port_calls WHERE voyage_id = $1 ORDER BY seq"
        )
        for voyage in await db.fetch(
            "SELECT id, number FROM voyages WHERE arrives_on IS NULL ORDER BY departs_on"
        ):
            await calls.fetch(voyage["id"])
            asked += 1
    finally:
        await db.close()
    expect_loop("from voyages", "from port_calls", asked)


@scenario
async def stream_with_cursor():
    """A cursor in a transaction, and the owner of each document by its kind."""
    asked = {"invoice": 0, "customer": 0}
    db = await asyncpg.connect(URL)
    try:
        async with db.transaction():
            documents = (
                "SELECT owner_type, owner_id, title FROM documents WHERE owner_type <> 'shipment'"
                " AND pages IS NULL ORDER BY id"
            )
            async for document in db.cursor(documents, prefetch=50):
                owner = int(document["owner_id"])
                if document["owner_type"] == "invoice":
                    await db.fetchrow("SELECT number, issued_on FROM invoices WHERE id = $1", owner)
                else:
                    await db.fetchrow("SELECT name FROM customers WHERE id = $1", owner)
                asked[document["owner_type"]] += 1
    finally:
        await db.close()
    expect_loop("from documents", "from invoices", asked["invoice"])
    expect_loop("from documents", "from customers", asked["customer"])


@scenario
async def load_by_hour():
    """A day's gate moves by the hour, for a chart."""
    db = await asyncpg.connect(URL)
    try:
        midnight = datetime.datetime(2025, 2, 3, tzinfo=datetime.UTC)
        hours = [midnight + datetime.timedelta(hours=n) for n in range(24)]
        for hour in hours:
            await db.fetchval(
                "SELECT count(*) FROM tracking_events WHERE happened_at >= $1 AND happened_at < $2",
                hour,
                hour + datetime.timedelta(hours=1),
            )
    finally:
        await db.close()


@scenario
async def settings_everywhere():
    """Every line of a rendered letter asks for the same setting again."""
    asked = 0
    async with asyncpg.create_pool(URL, min_size=1, max_size=1) as pool:

        async def setting(name):
            nonlocal asked
            asked += 1
            return await pool.fetchval("SELECT value FROM settings WHERE name = $1", name)

        letter = []
        for line in (
            "Dear customer,",
            "your shipment",
            "has arrived",
            "at our depot",
            "and waits",
            "to be collected",
            "by you.",
            "Regards",
        ):
            letter.append(f"{await setting('company.name')}: {line}")
    expect_repeat("redundant-query", asked)


@scenario
async def health_then_page():
    """A pool that checks its connections, then the start page: five figures at once."""
    async with asyncpg.create_pool(URL, min_size=2, max_size=2) as pool:
        for _ in range(3):
            await pool.fetchval("SELECT 1")
        await asyncio.gather(
            pool.fetchval("SELECT count(*) FROM shipments WHERE status = 'in_transit'"),
            pool.fetchval("SELECT count(*) FROM invoices WHERE paid_on IS NULL"),
            pool.fetchval("SELECT count(*) FROM containers WHERE depot_id IS NULL"),
            pool.fetchval("SELECT max(departs_on) FROM voyages"),
            pool.fetchval("SELECT count(*) FROM jobs WHERE state = 'queued'"),
        )


@scenario
async def credit_checks():
    """Five pages of customers; for each row what it owes, a few at a time."""
    asked = 0
    limit = asyncio.Semaphore(4)
    async with asyncpg.create_pool(URL, min_size=4, max_size=4) as pool:

        async def owed(customer):
            nonlocal asked
            async with limit:
                asked += 1
                return await pool.fetchval(
                    "SELECT count(*) FROM invoices WHERE customer_id = $1 AND paid_on IS NULL", customer["id"]
                )

        for page in range(5):
            customers = await pool.fetch(
                "SELECT id, name, credit_limit FROM customers WHERE credit_limit IS NOT NULL"
                " ORDER BY id LIMIT 12 OFFSET $1",
                page * 12,
            )
            await asyncio.gather(*map(owed, customers))
    expect_loop("from customers", "from invoices", asked)


@scenario
async def container_ledger():
    """A nightly ledger of all containers, one after the other, on a second connection."""
    asked = 0
    source, ledger = await asyncio.gather(asyncpg.connect(URL), asyncpg.connect(URL))
    try:
        moves = (
            "SELECT count(*) AS moves, min(happened_at), max(happened_at) FROM tracking_events"
            " WHERE container_id = $1"
        )
        for container in await source.fetch("SELECT id FROM containers ORDER BY tare_kg, id"):
            await ledger.fetchrow(moves, container["id"])
            asked += 1
    finally:
        await source.close()
        await ledger.close()
    expect_loop("from containers", "from tracking_events", asked)


if __name__ == "__main__":
    main("asyncpg " + asyncpg.__version__)
