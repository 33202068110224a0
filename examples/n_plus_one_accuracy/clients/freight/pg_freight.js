// An Express-like service of a forwarder with node-postgres: handlers, workers, exports.
"use strict";
const Cursor = require("pg-cursor");
const QueryStream = require("pg-query-stream");
const { Client, Pool } = require("pg");
const { URL, scenario, expectLoop, expectRepeat, main, version } = require("../labels.js");

const withPool = (max, page) => async () => {
  const pool = new Pool({ connectionString: URL, max });
  try {
    await page(pool);
  } finally {
    await pool.end();
  }
};

const withClient = (page) => async () => {
  const client = new Client({ connectionString: URL });
  await client.connect();
  try {
    await page(client);
  } finally {
    await client.end();
  }
};

// The orders of a customer portal: rows first, then all boxes of all rows at once.
scenario(
  "portal_shipments",
  withPool(5, async (pool) => {
    let asked = 0;
    const { rows } = await pool.query(
      "SELECT id, reference FROM shipments WHERE customer_id BETWEEN $1 AND $2 ORDER BY reference",
      [10, 15],
    );
    await Promise.all(
      rows.map(async (shipment) => {
        asked += 1;
        const boxes = await pool.query(
          "SELECT container_id, sealed_by FROM shipment_containers WHERE shipment_id = $1",
          [shipment.id],
        );
        shipment.boxes = boxes.rows;
      }),
    );
    expectLoop("from shipments", "from shipment_containers", asked);
  }),
);

// A middleware on every request asks for the same session user, then the handler does its work.
scenario(
  "session_user_per_request",
  withPool(2, async (pool) => {
    let asked = 0;
    const handlers = [
      "SELECT count(*) FROM shipments WHERE status = 'held'",
      "SELECT name FROM depots ORDER BY name",
      "SELECT code, label FROM tariffs WHERE surcharge_code IS NULL",
      "SELECT number FROM voyages WHERE arrives_on IS NULL",
      "SELECT currency, max(rate) FROM exchange_rates GROUP BY currency",
      "SELECT title FROM documents WHERE pages IS NULL LIMIT 10",
    ];
    for (const handler of handlers) {
      asked += 1;
      const user = await pool.query("SELECT id, role FROM staff WHERE email = $1", [
        "staff14@freight.example",
      ]);
      if (user.rows.length) await pool.query(handler);
    }
    expectRepeat("redundant-query", asked);
  }),
);

// A worker reads voyages by a cursor, forty at a time, and asks for the weight of each.
scenario(
  "cursor_worker",
  withClient(async (client) => {
    const other = new Client({ connectionString: URL });
    await other.connect();
    let asked = 0;
    const cursor = client.query(new Cursor("SELECT id, number FROM voyages ORDER BY departs_on"));
    for (;;) {
      const voyages = await cursor.read(40);
      if (!voyages.length) break;
      for (const voyage of voyages) {
        await other.query("SELECT sum(weight_kg) FROM shipments WHERE voyage_id = $1", [voyage.id]);
        asked += 1;
      }
    }
    await cursor.close();
    await other.end();
    expectLoop("from voyages", "from shipments", asked);
  }),
);

// A CSV export from a stream; nothing else is asked.
scenario(
  "stream_export",
  withClient(async (client) => {
    const stream = client.query(
      new QueryStream(
        "SELECT s.reference, l.seq, l.mode, l.km FROM shipments s" +
          " JOIN legs l ON l.shipment_id = s.id ORDER BY s.reference, l.seq",
        [],
        { batchSize: 400 },
      ),
    );
    let size = 0;
    for await (const row of stream) size += `${row.reference};${row.seq};${row.mode};${row.km}\n`.length;
    if (!size) throw new Error("nothing exported");
  }),
);

// Who reports to whom: each manager's people by a named statement, on one client.
scenario(
  "reporting_lines",
  withClient(async (client) => {
    let asked = 0;
    const managers = await client.query(
      "SELECT DISTINCT m.id, m.email FROM staff m JOIN staff s ON s.manager_id = m.id ORDER BY m.id",
    );
    for (const manager of managers.rows) {
      await client.query({
        name: "reports",
        text: "SELECT email, role FROM staff WHERE manager_id = $1",
        values: [manager.id],
      });
      asked += 1;
    }
    expectLoop("select distinct m.id", "from staff where manager_id", asked);
  }),
);

// A transaction for each customer of three countries: read, decide; reminders go out by one insert.
scenario(
  "reminder_batch",
  withPool(3, async (pool) => {
    let asked = 0;
    const reminders = [];
    const { rows } = await pool.query(
      "SELECT id FROM customers WHERE country_code IN ('NL', 'DE', 'GB') ORDER BY id",
    );
    for (const customer of rows) {
      const client = await pool.connect();
      try {
        await client.query("BEGIN");
        asked += 1;
        const late = await client.query(
          "SELECT number FROM invoices WHERE customer_id = $1 AND paid_on IS NULL FOR UPDATE",
          [customer.id],
        );
        if (late.rows.length) reminders.push(customer.id);
        await client.query("COMMIT");
      } finally {
        client.release();
      }
    }
    await pool.query(
      "INSERT INTO audit_log (actor, subject) SELECT 'reminder', id::text FROM unnest($1::int[]) AS id",
      [reminders],
    );
    expectLoop("from customers", "from invoices", asked);
  }),
);

// Numbered pages of a table, as a user clicks through them.
scenario(
  "offset_pages",
  withPool(1, async (pool) => {
    const total = await pool.query("SELECT count(*)::int AS n FROM containers");
    for (let page = 0; page * 50 < total.rows[0].n; page += 1) {
      await pool.query("SELECT id, kind, tare_kg FROM containers ORDER BY id LIMIT 50 OFFSET $1", [
        page * 50,
      ]);
    }
  }),
);

// Two requests interleave on one client: drivers without a licence, and the first voyages.
scenario(
  "two_requests_one_client",
  withClient(async (client) => {
    const asked = { legs: 0, calls: 0 };
    const drivers = async () => {
      const { rows } = await client.query("SELECT id, name FROM drivers WHERE licence IS NULL ORDER BY id");
      for (const driver of rows) {
        asked.legs += 1;
        await client.query("SELECT count(*), sum(km) FROM legs WHERE driver_id = $1", [driver.id]);
      }
    };
    const voyages = async () => {
      const { rows } = await client.query("SELECT id, number FROM voyages WHERE id <= 12 ORDER BY id");
      for (const voyage of rows) {
        asked.calls += 1;
        await client.query("SELECT port_code FROM port_calls WHERE voyage_id = $1 AND berth IS NULL", [
          voyage.id,
        ]);
      }
    };
    await Promise.all([drivers(), voyages()]);
    expectLoop("from drivers", "from legs", asked.legs);
    expectLoop("from voyages", "from port_calls", asked.calls);
  }),
);

// Three browser tabs open the same page for different depots at the same moment.
scenario(
  "three_tabs",
  withPool(3, async (pool) => {
    let asked = 0;
    const tab = async (depot) => {
      const { rows } = await pool.query("SELECT id, kind FROM containers WHERE depot_id = $1 ORDER BY id", [
        depot,
      ]);
      for (const container of rows) {
        asked += 1;
        await pool.query(
          "SELECT kind, happened_at FROM tracking_events WHERE container_id = $1 ORDER BY happened_at",
          [container.id],
        );
      }
    };
    await Promise.all([2, 9, 15].map(tab));
    expectLoop("from containers", "from tracking_events", asked);
  }),
);

main(version("pg"));
