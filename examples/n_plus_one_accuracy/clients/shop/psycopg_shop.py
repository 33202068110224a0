"""The shop's pages with psycopg 3."""

import io
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
from labels import URL, expect_loop, expect_repeat, main, scenario
from psycopg_pool import ConnectionPool

ORDERS = "SELECT id, user_id, address_id FROM orders ORDER BY id LIMIT %s"
USER = "SELECT id, email FROM users WHERE id = %s"
ITEMS = "SELECT id, product_id, warehouse_id FROM order_items WHERE order_id = %s"
PRODUCT = "SELECT id, name, maker_id FROM products WHERE id = %s"


def orders(connection, count=20):
    return connection.execute(ORDERS, [count]).fetchall()


@scenario
def a_user_per_order():
    # Crosses psycopg's threshold of five: unnamed at first, then named.
    with psycopg.connect(URL) as connection:
        rows = orders(connection)
        for _, user, _ in rows:
            connection.execute(USER, [user]).fetchone()
        expect_loop("from orders", "from users", len(rows))


@scenario
def a_user_per_order_always_prepared_in_autocommit():
    with psycopg.connect(URL, autocommit=True, prepare_threshold=0) as connection:
        rows = orders(connection, 30)
        for _, user, _ in rows:
            connection.execute(USER, [user]).fetchone()
        expect_loop("from orders", "from users", len(rows))


@scenario
def a_user_per_order_with_literals():
    with psycopg.connect(URL, cursor_factory=psycopg.ClientCursor) as connection:
        rows = orders(connection)
        for _, user, _ in rows:
            connection.execute(USER, [user]).fetchone()
        expect_loop("from orders", "from users", len(rows))


@scenario
def a_user_per_order_binary():
    with psycopg.connect(URL) as connection:
        rows = connection.cursor(binary=True).execute(ORDERS, [20]).fetchall()
        for _, user, _ in rows:
            connection.cursor(binary=True).execute(USER, [user]).fetchone()
        expect_loop("from orders", "from users", len(rows))


@scenario
def users_kept_in_a_dictionary():
    known = {}
    with psycopg.connect(URL) as connection:
        for _, user, _ in orders(connection, 120):
            if user not in known:
                known[user] = connection.execute(USER, [user]).fetchone()
        expect_loop("from orders", "from users", len(known))


@scenario
def streamed_from_a_cursor_with_children_elsewhere():
    with psycopg.connect(URL) as reader, psycopg.connect(URL) as other:
        with reader.cursor("listing") as cursor:
            cursor.itersize = 10
            count = 0
            for _, user, _ in cursor.execute(ORDERS, [35]):
                other.execute(USER, [user]).fetchone()
                count += 1
        expect_loop("from orders", "from users", count)


@scenario
def pipelined():
    with psycopg.connect(URL) as connection:
        rows = orders(connection, 15)
        with connection.pipeline():
            cursors = [connection.execute(USER, [user]) for _, user, _ in rows]
            for cursor in cursors:
                cursor.fetchone()
        expect_loop("from orders", "from users", len(rows))


@scenario
def items_of_orders_and_their_products():
    with psycopg.connect(URL) as connection:
        rows = orders(connection)
        asked = 0
        for order, _, _ in rows:
            for _, product, _ in connection.execute(ITEMS, [order]).fetchall():
                connection.execute(PRODUCT, [product]).fetchone()
                asked += 1
        expect_loop("from orders", "from order_items", len(rows))
        expect_loop("from order_items", "from products", asked)


@scenario
def threads_over_a_pool():
    with ConnectionPool(URL, min_size=4, max_size=4) as pool:
        with pool.connection() as connection:
            rows = orders(connection, 24)

        def load(user):
            with pool.connection() as connection:
                return connection.execute(USER, [user]).fetchone()

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(load, [user for _, user, _ in rows]))
        expect_loop("from orders", "from users", len(rows))


@scenario
def two_workers_with_the_same_code():
    def work(count):
        with psycopg.connect(URL) as connection:
            rows = orders(connection, count)
            for _, user, _ in rows:
                connection.execute(USER, [user]).fetchone()
            return len(rows)

    with ThreadPoolExecutor(2) as threads:
        for count in threads.map(work, [15, 18]):
            expect_loop("from orders", "from users", count)


@scenario
def a_composite_key_per_item():
    with psycopg.connect(URL) as connection:
        items = connection.execute(
            "SELECT product_id, warehouse_id FROM order_items WHERE order_id BETWEEN 21 AND 32 ORDER BY id"
        ).fetchall()
        for item in items:
            connection.execute(
                "SELECT amount FROM stock WHERE product_id = %s AND warehouse_id = %s", item
            ).fetchone()
        expect_loop("from order_items", "from stock", len(items))


@scenario
def existence_and_a_function_per_order():
    with psycopg.connect(URL) as connection:
        rows = orders(connection, 12)
        for order, _, _ in rows:
            connection.execute("SELECT EXISTS (SELECT 1 FROM order_items WHERE order_id = %s)", [order])
            connection.execute("SELECT order_total(%s)", [order]).fetchone()
        expect_loop("from orders", "exists", len(rows))
        expect_loop("from orders", "order_total", len(rows))


@scenario
def children_that_fail():
    with psycopg.connect(URL, autocommit=True) as connection:
        rows = orders(connection, 9)
        for _, _, address in rows:
            try:
                connection.execute("SELECT 1 / (id - id) FROM addresses WHERE id = %s", [address])
            except psycopg.errors.DivisionByZero:
                pass
        expect_loop("from orders", "from addresses", len(rows))


@scenario
def joined():
    with psycopg.connect(URL) as connection:
        connection.execute(
            "SELECT o.id, u.email FROM orders o JOIN users u ON u.id = o.user_id ORDER BY o.id LIMIT 30"
        ).fetchall()


@scenario
def batched_in_chunks():
    with psycopg.connect(URL) as connection:
        users = sorted({user for _, user, _ in orders(connection, 200)})
        for at in range(0, len(users), 4):
            connection.execute("SELECT id, email FROM users WHERE id = ANY(%s)", [users[at : at + 4]])


@scenario
def keyset_pagination():
    with psycopg.connect(URL) as connection:
        last = 0
        for _ in range(9):
            page = connection.execute(
                "SELECT id, status FROM orders WHERE id > %s ORDER BY id LIMIT 20", [last]
            ).fetchall()
            last = page[-1][0]


@scenario
def offset_pagination():
    with psycopg.connect(URL) as connection:
        for page in range(9):
            connection.execute("SELECT id FROM orders ORDER BY id LIMIT %s OFFSET %s", [20, page * 20])


@scenario
def bulk_writes():
    with psycopg.connect(URL) as connection:
        rows = orders(connection, 60)
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO events (kind, subject_id) VALUES ('seen', %s)", [[row[0]] for row in rows]
            )
            with cursor.copy("COPY events (kind, subject_id) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(("copied", row[0]))
            with cursor.copy("COPY events TO STDOUT") as copy:
                io.BytesIO(b"".join(bytes(part) for part in copy))


@scenario
def a_savepoint_and_a_write_per_order():
    with psycopg.connect(URL) as connection:
        for order, _, _ in orders(connection, 12):
            with connection.transaction():
                connection.execute("UPDATE orders SET status = 'seen' WHERE id = %s", [order])
        connection.rollback()


@scenario
def polling():
    with psycopg.connect(URL, autocommit=True) as connection:
        for _ in range(7):
            connection.execute("SELECT id FROM events WHERE kind = %s LIMIT 1", ["new"]).fetchall()
            time.sleep(0.25)


@scenario
def a_fixed_set_of_counts():
    with psycopg.connect(URL) as connection:
        orders(connection)
        for status in ("paid", "shipped", "pending", "returned"):
            connection.execute("SELECT count(*) FROM orders WHERE status = %s", [status]).fetchone()


@scenario
def the_same_setting_again_and_again():
    with psycopg.connect(URL) as connection:
        for _ in range(8):
            connection.execute("SELECT value FROM settings WHERE name = %s", ["currency"]).fetchone()
        expect_repeat("redundant-query", 8)


@scenario
def keys_out_of_a_file():
    with psycopg.connect(URL) as connection:
        keys = [f"user{number}@example.com" for number in range(12, 30)]
        for key in keys:
            connection.execute("SELECT id FROM users WHERE email = %s", [key]).fetchone()
        expect_repeat("repeated-query-without-visible-parent", len(keys))


main(f"psycopg {psycopg.__version__}")
