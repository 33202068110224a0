// A graph API of a forwarder with Kysely: resolvers, loaders, field by field.
"use strict";
const DataLoader = require("dataloader");
const { Kysely, PostgresDialect } = require("kysely");
const { Pool } = require("pg");
const { URL, scenario, expectLoop, expectRepeat, main, version } = require("../labels.js");

const withDb = (max, page) => async () => {
  const db = new Kysely({ dialect: new PostgresDialect({ pool: new Pool({ connectionString: URL, max }) }) });
  try {
    await page(db);
  } finally {
    await db.destroy();
  }
};

// { vessels { voyages { calls { berth } } } }: every level of the tree at once, level by level.
scenario(
  "vessel_graph",
  withDb(4, async (db) => {
    const asked = { voyages: 0, calls: 0 };
    const calls = (voyage) => {
      asked.calls += 1;
      return db
        .selectFrom("port_calls")
        .select(["seq", "berth"])
        .where("voyage_id", "=", voyage.id)
        .execute();
    };
    const voyages = async (vessel) => {
      asked.voyages += 1;
      const found = await db
        .selectFrom("voyages")
        .select(["id", "number"])
        .where("vessel_imo", "=", vessel.imo)
        .execute();
      return Promise.all(found.map(calls));
    };
    const vessels = await db
      .selectFrom("vessels")
      .select(["imo", "name"])
      .where("flag", "in", ["DK", "SG"])
      .execute();
    await Promise.all(vessels.map(voyages));
    expectLoop('from "vessels"', 'from "voyages"', asked.voyages);
    expectLoop('from "voyages"', 'from "port_calls"', asked.calls);
  }),
);

// The same shape through loaders: one query a level.
scenario(
  "shipment_graph_loaders",
  withDb(4, async (db) => {
    const byKey = (rows, keys, key) => keys.map((wanted) => rows.filter((row) => row[key] === wanted));
    const legs = new DataLoader(async (keys) =>
      byKey(
        await db
          .selectFrom("legs")
          .select(["shipment_id", "seq", "mode"])
          .where("shipment_id", "in", keys)
          .execute(),
        keys,
        "shipment_id",
      ),
    );
    const customers = new DataLoader(async (keys) =>
      byKey(
        await db.selectFrom("customers").select(["id", "name"]).where("id", "in", keys).execute(),
        keys,
        "id",
      ),
    );
    const shipments = await db
      .selectFrom("shipments")
      .select(["id", "customer_id"])
      .where("status", "=", "held")
      .limit(40)
      .execute();
    await Promise.all(
      shipments.flatMap((shipment) => [legs.load(shipment.id), customers.load(shipment.customer_id)]),
    );
  }),
);

// A loader without batching: it only spares the keys it knows; ports are shared by the shipments.
scenario(
  "loader_without_batching",
  withDb(3, async (db) => {
    let asked = 0;
    const ports = new DataLoader(
      async ([code]) => {
        asked += 1;
        return [
          await db
            .selectFrom("ports")
            .select(["name", "timezone"])
            .where("code", "=", code)
            .executeTakeFirst(),
        ];
      },
      { batch: false },
    );
    const shipments = await db
      .selectFrom("shipments")
      .select(["reference", "destination"])
      .where("weight_kg", "<", 2200)
      .orderBy("reference")
      .execute();
    await Promise.all(shipments.map((shipment) => ports.load(shipment.destination)));
    expectLoop('from "shipments"', 'from "ports"', asked);
  }),
);

// Documents by the type and key of their owner: shipments and customers of one mixed inbox.
scenario(
  "mixed_inbox",
  withDb(2, async (db) => {
    const asked = { shipment: 0, customer: 0 };
    const inbox = await db
      .selectFrom("documents")
      .selectAll()
      .where("owner_type", "in", ["shipment", "customer"])
      .orderBy("title")
      .limit(60)
      .execute();
    for (const document of inbox) {
      asked[document.owner_type] += 1;
      if (document.owner_type === "shipment") {
        await db
          .selectFrom("shipments")
          .select("reference")
          .where("id", "=", document.owner_id)
          .executeTakeFirst();
      } else {
        await db
          .selectFrom("customers")
          .select("name")
          .where("id", "=", Number(document.owner_id))
          .executeTakeFirst();
      }
    }
    expectLoop('from "documents"', 'from "shipments"', asked.shipment);
    expectLoop('from "documents"', 'from "customers"', asked.customer);
  }),
);

// The depots' staff, each with the manager: people and managers are of the same table.
scenario(
  "staff_and_managers",
  withDb(1, async (db) => {
    let asked = 0;
    const staff = await db
      .selectFrom("staff as s")
      .select(["s.id", "s.email", "s.manager_id"])
      .where("s.role", "=", "clerk")
      .orderBy("s.email")
      .execute();
    for (const clerk of staff) {
      if (clerk.manager_id === null) continue;
      asked += 1;
      await db
        .selectFrom("staff as m")
        .select("m.email")
        .where("m.id", "=", clerk.manager_id)
        .executeTakeFirst();
    }
    expectLoop('from "staff" as "s"', 'from "staff" as "m"', asked);
  }),
);

// The statement of a quarter's weeks: shipped weight between two computed days.
scenario(
  "weekly_weights",
  withDb(1, async (db) => {
    for (let week = 0; week < 13; week += 1) {
      const day = (n) => new Date(Date.UTC(2025, 0, 1 + n)).toISOString();
      await db
        .selectFrom("shipments")
        .select((eb) => eb.fn.sum("weight_kg").as("weight"))
        .where("booked_at", ">=", day(week * 7))
        .where("booked_at", "<", day(week * 7 + 7))
        .executeTakeFirst();
    }
  }),
);

// A list typed by a user: references one by one, some unknown.
scenario(
  "typed_references",
  withDb(2, async (db) => {
    let asked = 0;
    for (const n of [4, 19, 601, 77, 78, 330, 702, 512, 99, 5, 41]) {
      asked += 1;
      await db
        .selectFrom("shipments")
        .select(["id", "status"])
        .where("reference", "=", `SHP-${String(n).padStart(5, "0")}`)
        .executeTakeFirst();
    }
    expectRepeat("repeated-query-without-visible-parent", asked);
  }),
);

// The northern port of each country: its code is made of the country's.
scenario(
  "northern_ports",
  withDb(1, async (db) => {
    let asked = 0;
    const countries = await db.selectFrom("countries").select(["code", "name"]).orderBy("name").execute();
    for (const country of countries) {
      asked += 1;
      await db.selectFrom("ports").select("name").where("code", "=", `${country.code}NTH`).executeTakeFirst();
    }
    expectLoop('from "countries"', 'from "ports"', asked);
  }),
);

main(version("kysely"));
