// A forwarder's admin with Knex: repositories that build queries, reports, seeds and transactions.
"use strict";
const knexFor = require("knex");
const { URL, scenario, expectLoop, expectRepeat, main, version } = require("../labels.js");

const withKnex = (max, page) => async () => {
  const knex = knexFor({ client: "pg", connection: URL, pool: { min: 1, max } });
  try {
    await page(knex);
  } finally {
    await knex.destroy();
  }
};

// Repositories that know one table each: the service puts customers, contacts and manager together.
scenario(
  "customer_cards",
  withKnex(2, async (knex) => {
    const asked = { contacts: 0, staff: 0 };
    const contactsOf = (id) => {
      asked.contacts += 1;
      return knex("contacts").where({ customer_id: id }).orderBy("name");
    };
    const person = (id) => {
      asked.staff += 1;
      return knex("staff").where({ id }).first("email");
    };
    const customers = await knex("customers").where("created_at", "<", "2024-02-10").orderBy("id");
    for (const customer of customers) {
      customer.contacts = await contactsOf(customer.id);
      if (customer.account_manager_id) customer.manager = await person(customer.account_manager_id);
    }
    expectLoop('from "customers"', 'from "contacts"', asked.contacts);
    expectLoop('from "customers"', 'from "staff"', asked.staff);
  }),
);

// Utilisation of each depot: a count of boxes against its capacity, all depots at once.
scenario(
  "depot_utilisation",
  withKnex(6, async (knex) => {
    let asked = 0;
    const depots = await knex.select("id", "name", "capacity").from("depots").orderBy("capacity", "desc");
    await Promise.all(
      depots.map(async (depot) => {
        asked += 1;
        const [{ count }] = await knex("containers").where("depot_id", depot.id).count();
        depot.used = Number(count) / depot.capacity;
      }),
    );
    expectLoop('from "depots"', 'from "containers"', asked);
  }),
);

// A table of rates: the days of two weeks.
scenario(
  "rate_calendar",
  withKnex(1, async (knex) => {
    for (let day = 1; day <= 14; day += 1) {
      await knex("exchange_rates")
        .where({ valid_on: `2025-02-${String(day).padStart(2, "0")}` })
        .select("currency", "rate");
    }
  }),
);

// A transaction per voyage with its sealed boxes; closing is one update for all of them.
scenario(
  "close_voyages",
  withKnex(2, async (knex) => {
    let asked = 0;
    const closed = [];
    const voyages = await knex("voyages").whereBetween("id", [20, 44]).select("id");
    for (const voyage of voyages) {
      await knex.transaction(async (trx) => {
        asked += 1;
        const open = await trx("shipments as s")
          .join("shipment_containers as sc", "sc.shipment_id", "s.id")
          .where("s.voyage_id", voyage.id)
          .whereNull("sc.sealed_by")
          .select("s.reference");
        if (open.length) closed.push(voyage.id);
      });
    }
    await knex("voyages").whereIn("id", closed).update({ arrives_on: "2025-09-01" });
    expectLoop('from "voyages"', 'from "shipments" as "s"', asked);
  }),
);

// Every cell of a sheet asks for the locale, all of them at once.
scenario(
  "setting_per_cell",
  withKnex(3, async (knex) => {
    let asked = 0;
    const cells = Array.from({ length: 20 }, (_, n) => n);
    await Promise.all(
      cells.map(async (cell) => {
        asked += 1;
        const locale = await knex("settings").where("name", "ui.locale").first("value");
        return Number(cell).toLocaleString(locale.value);
      }),
    );
    expectRepeat("redundant-query", asked);
  }),
);

// A migration's look around, a batch insert, and an upsert.
scenario(
  "migrate_and_seed",
  withKnex(1, async (knex) => {
    for (const table of ["jobs", "audit_log", "carriers"]) await knex.schema.hasTable(table);
    await knex.schema.createTable("carriers", (table) => {
      table.text("code").primary();
      table.text("name");
    });
    const carriers = Array.from({ length: 60 }, (_, n) => ({ code: `C${n}`, name: `Carrier ${n}` }));
    await knex.batchInsert("carriers", carriers, 20);
    await knex("carriers").insert({ code: "C1", name: "First Carrier" }).onConflict("code").merge();
    await knex.schema.dropTable("carriers");
  }),
);

// Two lists with the same range of ids, one after the other: invoices of customers, calls of voyages.
scenario(
  "same_ids_two_lists",
  withKnex(2, async (knex) => {
    const asked = { invoices: 0, calls: 0 };
    const [customers, voyages] = await Promise.all([
      knex("customers").where("id", "<=", 30).orderBy("id").select("id"),
      knex("voyages").where("id", "<=", 30).orderBy("id", "desc").select("id"),
    ]);
    for (const customer of customers) {
      asked.invoices += 1;
      await knex("invoices").where("customer_id", customer.id).max("issued_on");
    }
    for (const voyage of voyages) {
      asked.calls += 1;
      await knex("port_calls").where("voyage_id", voyage.id).min("arrives_at");
    }
    expectLoop('from "customers"', 'from "invoices"', asked.invoices);
    expectLoop('from "voyages"', 'from "port_calls"', asked.calls);
  }),
);

// Queued jobs carry their shipment's reference in a JSON payload.
scenario(
  "jobs_with_payload",
  withKnex(2, async (knex) => {
    let asked = 0;
    const jobs = await knex("jobs")
      .where({ state: "queued", queue: "customs" })
      .orderBy("id")
      .select("id", "payload");
    for (const job of jobs) {
      asked += 1;
      await knex("shipments").where("reference", job.payload.shipment).first("id", "status");
    }
    await knex("jobs")
      .whereIn(
        "id",
        jobs.map((job) => job.id),
      )
      .update({ state: "done" });
    expectLoop('from "jobs"', 'from "shipments"', asked);
  }),
);

main(version("knex"));
