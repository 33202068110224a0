// A forwarder's edge functions with postgres.js: tagged templates, helpers, cursors, transactions.
"use strict";
const postgres = require("postgres");
const { URL, scenario, expectLoop, expectRepeat, main, version } = require("../labels.js");

const withSql = (max, page) => async () => {
  const sql = postgres(URL, { max, onnotice: () => {} });
  try {
    await page(sql);
  } finally {
    await sql.end();
  }
};

// The tariffs of each line of some invoices, shown as the user opens them one by one.
scenario(
  "invoice_details",
  withSql(2, async (sql) => {
    const asked = { lines: 0, tariffs: 0 };
    const invoices =
      await sql`select id, number from invoices where shipment_id is null order by id limit 14`;
    for (const invoice of invoices) {
      asked.lines += 1;
      const lines =
        await sql`select line_no, tariff_code, quantity from invoice_lines where invoice_id = ${invoice.id}`;
      for (const line of lines) {
        asked.tariffs += 1;
        await sql`select label, unit_price from tariffs where code = ${line.tariff_code}`;
      }
    }
    expectLoop("from invoices", "from invoice_lines", asked.lines);
    expectLoop("from invoice_lines", "from tariffs", asked.tariffs);
  }),
);

// Memoised lookups: promises are cached by key, so each country is asked for once.
scenario(
  "memoised_countries",
  withSql(4, async (sql) => {
    const known = new Map();
    const country = (code) => {
      if (!known.has(code)) known.set(code, sql`select name, currency from countries where code = ${code}`);
      return known.get(code);
    };
    const ports = await sql`select code, country_code from ports order by name`;
    await Promise.all(ports.map((port) => country(port.country_code)));
    expectLoop("from ports", "from countries", known.size);
  }),
);

// A cursor over containers without a depot; the last event of each is read beside it.
scenario(
  "lost_boxes",
  withSql(2, async (sql) => {
    let asked = 0;
    for await (const boxes of sql`select id, kind from containers where depot_id is null order by id`.cursor(
      30,
    )) {
      for (const box of boxes) {
        asked += 1;
        await sql`select kind, port_code from tracking_events
          where container_id = ${box.id} order by happened_at desc limit 1`;
      }
    }
    expectLoop("from containers", "from tracking_events", asked);
  }),
);

// A health endpoint that is called every now and then, and a poll for news by the last key seen.
scenario(
  "health_and_poll",
  withSql(1, async (sql) => {
    let last = 2080;
    for (let round = 0; round < 4; round += 1) {
      await sql`select 1 as alive`;
      const news = await sql`select id, kind from tracking_events where id > ${last} order by id limit 6`;
      if (news.length) last = news.at(-1).id;
    }
  }),
);

// A booking in one transaction: insert helper, several rows at a time, then rolled back by an error.
scenario(
  "booking_rolled_back",
  withSql(1, async (sql) => {
    const entries = Array.from({ length: 25 }, (_, n) => ({
      actor: "booking",
      subject: `step ${n}`,
      note: n % 2 ? "odd" : null,
    }));
    await sql
      .begin(async (tx) => {
        await tx`insert into audit_log ${tx(entries, "actor", "subject", "note")}`;
        await tx`update customers set credit_limit = credit_limit - 100 where id = ${7}`;
        const [{ limit }] = await tx`select credit_limit as limit from customers where id = ${7}`;
        if (limit) throw new Error("over limit");
      })
      .catch((error) => {
        if (error.message !== "over limit") throw error;
      });
  }),
);

// Gate moves that a terminal sent: each stored by a statement of its own.
scenario(
  "gate_moves",
  withSql(1, async (sql) => {
    let written = 0;
    const moves = ["in", "out", "in", "in", "out", "in", "out", "out", "in", "out", "in"].map((kind, n) => ({
      id: 50000 + n,
      kind: `gate_${kind}`,
    }));
    for (const move of moves) {
      await sql`insert into tracking_events (id, container_id, kind, happened_at)
        values (${move.id}, 'FRTU007919', ${move.kind}, now())`;
      written += 1;
    }
    expectRepeat("row-by-row-writes", written);
  }),
);

// Three workers take shipments from one list and ask for the customer and the voyage of each.
scenario(
  "shared_list_workers",
  withSql(3, async (sql) => {
    const asked = { contacts: 0, voyages: 0 };
    const list = [
      ...(await sql`select id, customer_id, voyage_id from shipments
        where status = 'booked' and weight_kg > 9000 order by reference limit 30`),
    ];
    const worker = async () => {
      for (let shipment = list.shift(); shipment; shipment = list.shift()) {
        asked.contacts += 1;
        await sql`select name, phone from contacts
          where customer_id = ${shipment.customer_id} order by id limit 1`;
        if (shipment.voyage_id !== null) {
          asked.voyages += 1;
          await sql`select number, departs_on from voyages where id = ${shipment.voyage_id}`;
        }
      }
    };
    await Promise.all([worker(), worker(), worker()]);
    expectLoop("from shipments", "from contacts", asked.contacts);
    expectLoop("from shipments", "from voyages", asked.voyages);
  }),
);

// Seals of the boxes of two voyages, in one read-only transaction: a key of two columns.
scenario(
  "seals",
  withSql(1, async (sql) => {
    let asked = 0;
    await sql.begin("read only", async (tx) => {
      const boxes = await tx`select sc.shipment_id, sc.container_id from shipments s
      join shipment_containers sc on sc.shipment_id = s.id where s.voyage_id in (11, 12) order by 1, 2`;
      for (const { shipment_id: shipment, container_id: container } of boxes) {
        asked += 1;
        await tx`select sealed_by from shipment_containers
          where shipment_id = ${shipment} and container_id = ${container}`;
      }
    });
    expectLoop("join shipment_containers", "select sealed_by from shipment_containers", asked);
  }),
);

main(version("postgres"));
