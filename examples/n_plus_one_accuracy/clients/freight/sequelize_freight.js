// A forwarder's planning board with Sequelize: associations read lazily and included.
"use strict";
const { DataTypes, Op, QueryTypes, Sequelize } = require("sequelize");
const { URL, scenario, expectLoop, main, version } = require("../labels.js");

const board = (page) => async () => {
  const sequelize = new Sequelize(URL, {
    dialect: "postgres",
    logging: false,
    define: { timestamps: false, underscored: true },
    pool: { max: 4 },
  });
  const { INTEGER, TEXT, UUID, DATEONLY } = DataTypes;
  const id = { type: INTEGER, primaryKey: true };
  const Vessel = sequelize.define("vessel", {
    imo: { type: TEXT, primaryKey: true },
    name: TEXT,
    flag: TEXT,
  });
  const Voyage = sequelize.define("voyage", { id, number: TEXT, departsOn: DATEONLY });
  const Shipment = sequelize.define("shipment", {
    id: { type: UUID, primaryKey: true },
    reference: TEXT,
    status: TEXT,
    weightKg: INTEGER,
  });
  const Leg = sequelize.define("leg", { id, seq: INTEGER, mode: TEXT, km: INTEGER });
  const Driver = sequelize.define("driver", { id, name: TEXT, licence: TEXT });
  const Customer = sequelize.define("customer", { id, name: TEXT });
  const AuditEntry = sequelize.define(
    "audit_log",
    { actor: TEXT, subject: TEXT, note: TEXT },
    { freezeTableName: true },
  );
  Vessel.hasMany(Voyage, { foreignKey: "vessel_imo" });
  Voyage.belongsTo(Vessel, { foreignKey: "vessel_imo" });
  Voyage.hasMany(Shipment, { foreignKey: "voyage_id" });
  Shipment.belongsTo(Customer, { foreignKey: "customer_id" });
  Shipment.hasMany(Leg, { foreignKey: "shipment_id" });
  Leg.belongsTo(Driver, { foreignKey: "driver_id" });
  try {
    await page({ sequelize, Vessel, Voyage, Shipment, Leg, Driver, Customer, AuditEntry });
  } finally {
    await sequelize.close();
  }
};

// The board's columns: vessels, their voyages, and how many shipments each of these has.
scenario(
  "board_columns",
  board(async ({ Vessel }) => {
    const asked = { voyages: 0, shipments: 0 };
    for (const vessel of await Vessel.findAll({ where: { flag: ["PA", "SG"] }, order: ["name"] })) {
      asked.voyages += 1;
      for (const voyage of await vessel.getVoyages({ order: ["departsOn"] })) {
        asked.shipments += 1;
        await voyage.countShipments();
      }
    }
    expectLoop('from "vessels"', 'from "voyages"', asked.voyages);
    expectLoop('from "voyages"', 'from "shipments"', asked.shipments);
  }),
);

// Cards of the shipments on hold: customer and legs of all cards at once.
scenario(
  "held_cards",
  board(async ({ Shipment }) => {
    const asked = { customers: 0, legs: 0 };
    const shipments = await Shipment.findAll({
      where: { status: "held", weightKg: { [Op.gt]: 8000 } },
      order: ["reference"],
      limit: 48,
    });
    await Promise.all(
      shipments.map(async (shipment) => {
        asked.customers += 1;
        asked.legs += 1;
        const [customer, legs] = await Promise.all([shipment.getCustomer(), shipment.getLegs()]);
        return `${customer.name}: ${legs.length}`;
      }),
    );
    expectLoop('from "shipments"', 'from "customers"', asked.customers);
    expectLoop('from "shipments"', 'from "legs"', asked.legs);
  }),
);

// The truck legs of a week: drivers where there is one; legs by sea have none and ask for nothing.
scenario(
  "truck_drivers",
  board(async ({ Leg }) => {
    let asked = 0;
    for (const leg of await Leg.findAll({ where: { km: { [Op.lt]: 75 } }, order: ["id"] })) {
      if (leg.get("driver_id") === null) continue;
      asked += 1;
      await leg.getDriver();
    }
    expectLoop('from "legs"', 'from "drivers"', asked);
  }),
);

// Pages with a total, as findAndCountAll asks for them: two queries each.
scenario(
  "paged_shipments",
  board(async ({ Shipment, Customer }) => {
    for (let page = 0; page < 4; page += 1) {
      await Shipment.findAndCountAll({
        include: Customer,
        order: ["reference"],
        limit: 20,
        offset: page * 20,
      });
    }
  }),
);

// A raw report; for each line of it the invoices, by a raw query with replacements.
scenario(
  "debtor_report",
  board(async ({ sequelize }) => {
    let asked = 0;
    const debtors = await sequelize.query(
      "SELECT customer_id, count(*) AS open FROM invoices WHERE paid_on IS NULL" +
        " GROUP BY customer_id HAVING count(*) > 3 ORDER BY customer_id",
      { type: QueryTypes.SELECT },
    );
    for (const debtor of debtors) {
      asked += 1;
      await sequelize.query("SELECT name, phone FROM contacts WHERE customer_id = :id", {
        type: QueryTypes.SELECT,
        replacements: { id: debtor.customer_id },
      });
    }
    expectLoop("from invoices", "from contacts", asked);
  }),
);

// A bulk create with an update on conflict, and four vessels, each with its newest voyage.
scenario(
  "bulk_and_a_few",
  board(async ({ Vessel, AuditEntry }) => {
    await AuditEntry.bulkCreate(
      Array.from({ length: 40 }, (_, n) => ({ actor: "board", subject: `slot ${n}` })),
    );
    await Vessel.bulkCreate([{ imo: "9100013", name: "MV Renamed", flag: "NL" }], {
      updateOnDuplicate: ["name"],
    });
    for (const vessel of await Vessel.findAll({ order: ["imo"], limit: 4 }))
      await vessel.getVoyages({ order: [["departsOn", "DESC"]], limit: 1 });
  }),
);

// The newest voyage of every vessel, all at once, by a method of the row.
scenario(
  "newest_voyages",
  board(async ({ Vessel }) => {
    let asked = 0;
    const vessels = await Vessel.findAll({ order: ["imo"] });
    await Promise.all(
      vessels.map((vessel) => {
        asked += 1;
        return vessel.getVoyages({ order: [["departsOn", "DESC"]], limit: 1 });
      }),
    );
    expectLoop('from "vessels"', 'from "voyages"', asked);
  }),
);

main(version("sequelize"));
