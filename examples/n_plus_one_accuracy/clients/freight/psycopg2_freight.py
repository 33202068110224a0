"""A forwarder's back office with psycopg2: pages, reports and a few scripts."""

import csv
import datetime
import io
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg2
import psycopg2.extras
from labels import URL, expect_loop, expect_repeat, main, scenario
from psycopg2.pool import ThreadedConnectionPool

MANIFEST = """container,kind,weight
FRTU007919,20GP,8100
FRTU015838,40GP,12900
FRTU023757,40HC,15500
FRTU031676,20RF,9900
FRTU039595,20GP,7300
FRTU047514,40GP,11800
FRTU055433,40HC,14100
FRTU063352,20RF,10200
FRTU071271,20GP,6600
"""


def connect(**options):
    return psycopg2.connect(URL, **options)


@scenario
def customer_page():
    """A customer's open shipments, each with its legs and its documents."""
    legs = documents = 0
    with closing(connect(cursor_factory=psycopg2.extras.RealDictCursor)) as db, db.cursor() as cur:
        cur.execute(
            "SELECT id, name FROM customers WHERE id IN (SELECT customer_id FROM grants"
            " WHERE staff_id = 3) ORDER BY id LIMIT 40"
        )
        customers = [row["id"] for row in cur]
        cur.execute(
            "SELECT id, reference, status FROM shipments WHERE customer_id = ANY(%s) AND status = %s"
            " ORDER BY booked_at",
            (customers, "in_transit"),
        )
        page = []
        for shipment in cur.fetchall():
            cur.execute(
                "SELECT seq, mode, from_port, to_port FROM legs WHERE shipment_id = %s ORDER BY seq",
                (shipment["id"],),
            )
            legs += 1
            shipment["legs"] = cur.fetchall()
            cur.execute(
                "SELECT title, pages FROM documents WHERE owner_type = 'shipment' AND owner_id = %s",
                (shipment["id"],),
            )
            documents += 1
            shipment["documents"] = cur.fetchall()
            page.append(shipment)
    expect_loop("from shipments", "from legs", legs)
    expect_loop("from shipments", "from documents", documents)


@scenario
def voyage_sheet():
    """One voyage with everything its sheet shows: a query for each box."""
    with closing(connect()) as db, db.cursor() as cur:
        cur.execute("SELECT id, vessel_imo, number, departs_on FROM voyages WHERE number = %s", ("V0031",))
        voyage, imo, _number, _departs = cur.fetchone()
        cur.execute("SELECT name, flag, built FROM vessels WHERE imo = %s", (imo,))
        _name, flag, _built = cur.fetchone()
        cur.execute("SELECT name FROM countries WHERE code = %s", (flag,))
        cur.fetchone()
        cur.execute(
            "SELECT seq, port_code, berth FROM port_calls WHERE voyage_id = %s ORDER BY seq", (voyage,)
        )
        cur.fetchall()
        cur.execute("SELECT count(*), sum(weight_kg) FROM shipments WHERE voyage_id = %s", (voyage,))
        cur.fetchone()
        cur.execute(
            "SELECT c.kind, count(*) FROM shipment_containers sc JOIN containers c ON c.id = sc.container_id"
            " JOIN shipments s ON s.id = sc.shipment_id WHERE s.voyage_id = %s GROUP BY c.kind",
            (voyage,),
        )
        cur.fetchall()


@scenario
def dunning_report():
    """Overdue invoices; the debtor of each is looked up once and then remembered."""
    asked = 0
    debtors = {}
    with closing(connect()) as db, db.cursor() as cur:
        cur.execute(
            "SELECT number, customer_id, issued_on FROM invoices WHERE paid_on IS NULL AND issued_on < %s"
            " ORDER BY number",
            (datetime.date(2025, 6, 1),),
        )
        out = io.StringIO()
        report = csv.writer(out)
        for number, customer, issued in cur.fetchall():
            if customer not in debtors:
                with db.cursor() as lookup:
                    lookup.execute("SELECT name, country_code FROM customers WHERE id = %s", (customer,))
                    debtors[customer] = lookup.fetchone()
                asked += 1
            report.writerow([number, issued, *debtors[customer]])
    expect_loop("from invoices", "from customers", asked)


@scenario
def manifest_check():
    """Containers of a manifest that came by mail, checked one by one."""
    asked = 0
    missing = []
    with closing(connect()) as db, db.cursor() as cur:
        for row in csv.DictReader(io.StringIO(MANIFEST)):
            cur.execute("SELECT kind, tare_kg FROM containers WHERE id = %s", (row["container"],))
            asked += 1
            if cur.fetchone() is None:
                missing.append(row["container"])
    expect_repeat("repeated-query-without-visible-parent", asked)


@scenario
def export_with_server_cursor():
    """A streamed export: batches of a named cursor, and the lines of each invoice."""
    asked = 0
    total = 0
    with closing(connect()) as db, db.cursor(name="unpaid_export") as stream, db.cursor() as cur:
        stream.itersize = 25
        stream.execute("SELECT id, number FROM invoices WHERE paid_on IS NULL ORDER BY id LIMIT 110")
        for invoice, _number in stream:
            cur.execute(
                "SELECT l.line_no, l.quantity, t.unit_price FROM invoice_lines l"
                " JOIN tariffs t ON t.code = l.tariff_code WHERE l.invoice_id = %s",
                (invoice,),
            )
            asked += 1
            total += sum(quantity * price for _, quantity, price in cur.fetchall())
    expect_loop("from invoices", "from invoice_lines", asked)


@scenario
def import_rates():
    """Rates of a day upserted in one statement, and a log line for the run."""
    rates = [("USD", 1.08), ("GBP", 0.85), ("CNY", 7.8), ("SGD", 1.45), ("JPY", 161.2), ("DKK", 7.46)]
    day = datetime.date(2025, 4, 15)
    with closing(connect()) as db, db, db.cursor() as cur:
        psycopg2.extras.execute_values(
            cur,
            "INSERT INTO exchange_rates (currency, valid_on, rate) VALUES %s"
            " ON CONFLICT (currency, valid_on) DO UPDATE SET rate = excluded.rate",
            [(currency, day, rate) for currency, rate in rates],
        )
        cur.execute(
            "INSERT INTO audit_log (actor, subject, note) VALUES ('rates', 'import', %s)", (str(len(rates)),)
        )


@scenario
def depot_stock():
    """Some depots with their stock, and the newest event of each container."""
    stock = events = 0
    with closing(connect()) as db, db.cursor() as cur:
        cur.execute("SELECT id, name FROM depots WHERE id % 3 <> 1 AND id < 10 ORDER BY name")
        for depot, _name in cur.fetchall():
            cur.execute("SELECT id, kind FROM containers WHERE depot_id = %s ORDER BY id", (depot,))
            stock += 1
            for container, _kind in cur.fetchall():
                cur.execute(
                    "SELECT kind, happened_at FROM tracking_events WHERE container_id = %s"
                    " ORDER BY happened_at DESC LIMIT 1",
                    (container,),
                )
                events += 1
                cur.fetchone()
    expect_loop("from depots", "from containers", stock)
    expect_loop("from containers", "from tracking_events", events)


@scenario
def threads_with_pool():
    """Letters to customers: three threads over a connection pool, each letter reads its contacts."""

    def contacts(customer):
        db = pool.getconn()
        try:
            with db.cursor() as cur:
                cur.execute(
                    "SELECT name, phone FROM contacts WHERE customer_id = %s AND phone IS NOT NULL", customer
                )
                return cur.fetchall()
        finally:
            db.commit()
            pool.putconn(db)

    pool = ThreadedConnectionPool(3, 3, URL)
    db = pool.getconn()
    with db.cursor() as cur:
        cur.execute("SELECT id FROM customers WHERE credit_limit > 25000 ORDER BY id")
        customers = cur.fetchall()
    db.commit()
    pool.putconn(db)
    with ThreadPoolExecutor(3) as threads:
        letters = list(threads.map(contacts, customers))
    pool.closeall()
    expect_loop("from customers", "from contacts", len(letters))


if __name__ == "__main__":
    main("psycopg2-binary " + psycopg2.__version__.split()[0])
