"""The shop's pages with asyncpg."""

import asyncio

import asyncpg
from labels import URL, expect_loop, expect_repeat, main, scenario

ORDERS = "SELECT id, user_id, address_id FROM orders ORDER BY id LIMIT $1"
USER = "SELECT id, email FROM users WHERE id = $1"
ITEMS = "SELECT id, product_id FROM order_items WHERE order_id = $1"
PRODUCT = "SELECT id, name FROM products WHERE id = $1"


@scenario
async def a_user_per_order():
    connection = await asyncpg.connect(URL)
    rows = await connection.fetch(ORDERS, 20)
    for row in rows:
        await connection.fetchrow(USER, row["user_id"])
    expect_loop("from orders", "from users", len(rows))


@scenario
async def a_user_per_order_without_a_statement_cache():
    connection = await asyncpg.connect(URL, statement_cache_size=0)
    rows = await connection.fetch(ORDERS, 20)
    for row in rows:
        await connection.fetchrow(USER, row["user_id"])
    expect_loop("from orders", "from users", len(rows))


@scenario
async def gathered_over_a_pool():
    async with asyncpg.create_pool(URL, min_size=5, max_size=5) as pool:
        rows = await pool.fetch(ORDERS, 40)
        await asyncio.gather(*(pool.fetchrow(USER, row["user_id"]) for row in rows))
        expect_loop("from orders", "from users", len(rows))


@scenario
async def two_requests_over_one_pool():
    async with asyncpg.create_pool(URL, min_size=4, max_size=4) as pool:

        async def request(text, child, count):
            rows = await pool.fetch(text, count)
            for row in rows:
                await pool.fetchrow(child, row[1])
            return len(rows)

        reviews = "SELECT id, product_id FROM order_items ORDER BY id LIMIT $1"
        one, other = await asyncio.gather(request(ORDERS, USER, 18), request(reviews, PRODUCT, 22))
        expect_loop("from orders", "from users", one)
        expect_loop("from order_items", "from products", other)


@scenario
async def two_workers_with_the_same_code():
    async def work(count):
        connection = await asyncpg.connect(URL)
        rows = await connection.fetch(ORDERS, count)
        for row in rows:
            await connection.fetchrow(USER, row["user_id"])
        await connection.close()
        return len(rows)

    for count in await asyncio.gather(work(14), work(17)):
        expect_loop("from orders", "from users", count)


@scenario
async def streamed_from_a_cursor():
    connection = await asyncpg.connect(URL)
    other = await asyncpg.connect(URL)
    count = 0
    async with connection.transaction():
        async for row in connection.cursor(ORDERS, 33, prefetch=8):
            await other.fetchrow(USER, row["user_id"])
            count += 1
    expect_loop("from orders", "from users", count)


@scenario
async def items_of_orders_and_their_products():
    connection = await asyncpg.connect(URL)
    asked = 0
    rows = await connection.fetch(ORDERS, 18)
    for row in rows:
        for item in await connection.fetch(ITEMS, row["id"]):
            await connection.fetchrow(PRODUCT, item["product_id"])
            asked += 1
    expect_loop("from orders", "from order_items", len(rows))
    expect_loop("from order_items", "from products", asked)


@scenario
async def revisions_by_uuid():
    connection = await asyncpg.connect(URL)
    rows = await connection.fetch("SELECT id, title FROM documents ORDER BY title LIMIT 16")
    for row in rows:
        await connection.fetch("SELECT id, body FROM revisions WHERE document_id = $1", row["id"])
    expect_loop("from documents", "from revisions", len(rows))


@scenario
async def attachments_of_several_kinds():
    connection = await asyncpg.connect(URL)
    rows = await connection.fetch("SELECT id, subject_type, subject_id FROM attachments ORDER BY id")
    tables = {"user": "users", "product": "products", "address": "addresses"}
    for row in rows:
        table = tables[row["subject_type"]]
        await connection.fetchrow(f"SELECT * FROM {table} WHERE id = $1", row["subject_id"])
    for kind, table in tables.items():
        asked = sum(row["subject_type"] == kind for row in rows)
        expect_loop("from attachments", f"from {table}", asked)


@scenario
async def a_transaction_per_child():
    connection = await asyncpg.connect(URL)
    async with connection.transaction():
        rows = await connection.fetch(ORDERS, 15)
    for row in rows:
        async with connection.transaction(readonly=True):
            await connection.fetchrow(USER, row["user_id"])
    expect_loop("from orders", "from users", len(rows))


@scenario
async def a_country_per_user_by_code():
    connection = await asyncpg.connect(URL)
    rows = await connection.fetch("SELECT id, country_code FROM users ORDER BY id LIMIT 26")
    for row in rows:
        await connection.fetchval("SELECT name FROM countries WHERE code = $1", row["country_code"])
    expect_loop("from users", "from countries", len(rows))


@scenario
async def batched():
    connection = await asyncpg.connect(URL)
    rows = await connection.fetch(ORDERS, 50)
    await connection.fetch("SELECT id, email FROM users WHERE id = ANY($1)", [row["user_id"] for row in rows])


@scenario
async def copied_and_written_in_bulk():
    connection = await asyncpg.connect(URL)
    rows = await connection.fetch(ORDERS, 50)
    records = [("seen", row["id"]) for row in rows]
    await connection.copy_records_to_table("events", records=records, columns=["kind", "subject_id"])
    await connection.executemany("INSERT INTO events (kind, subject_id) VALUES ($1, $2)", records)


@scenario
async def pages_by_key():
    connection = await asyncpg.connect(URL)
    last = 0
    while True:
        page = await connection.fetch("SELECT id FROM orders WHERE id > $1 ORDER BY id LIMIT 25", last)
        if not page:
            return
        last = page[-1]["id"]


@scenario
async def health_checks_of_a_pool():
    async def check(connection):
        await connection.fetchval("SELECT 1")

    async with asyncpg.create_pool(URL, min_size=2, max_size=2, setup=check) as pool:
        for _ in range(9):
            await pool.fetch("SELECT count(*) FROM orders WHERE status = 'paid' AND now() IS NOT NULL")
            await asyncio.sleep(0.25)


@scenario
async def types_looked_up_by_the_driver():
    connection = await asyncpg.connect(URL)
    for name in ("int4range", "numrange", "tsrange", "daterange", "int8range", "tstzrange"):
        await connection.fetchval(f"SELECT NULL::{name}[]")


@scenario
async def keys_out_of_a_queue():
    connection = await asyncpg.connect(URL)
    keys = [f"user{number}@example.com" for number in range(3, 17)]
    for key in keys:
        await connection.fetchrow("SELECT id FROM users WHERE email = $1", key)
    expect_repeat("repeated-query-without-visible-parent", len(keys))


main(f"asyncpg {asyncpg.__version__}")
