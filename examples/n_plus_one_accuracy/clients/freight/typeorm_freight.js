// A forwarder's API with TypeORM: repositories, lazy relations, query builders.
"use strict";
const { DataSource, EntitySchema, IsNull, LessThan, MoreThan } = require("typeorm");
const { URL, scenario, expectLoop, expectRepeat, main, version } = require("../labels.js");

const Depot = new EntitySchema({
  name: "Depot",
  tableName: "depots",
  columns: { id: { type: Number, primary: true }, name: { type: "text" }, capacity: { type: Number } },
  relations: {
    drivers: { type: "one-to-many", target: "Driver", inverseSide: "depot", lazy: true },
    staff: { type: "one-to-many", target: "Staff", inverseSide: "depot" },
  },
});
const Driver = new EntitySchema({
  name: "Driver",
  tableName: "drivers",
  columns: {
    id: { type: Number, primary: true },
    name: { type: "text" },
    licence: { type: "text", nullable: true },
  },
  relations: {
    depot: { type: "many-to-one", target: "Depot", joinColumn: { name: "depot_id" }, lazy: true },
  },
});
const Staff = new EntitySchema({
  name: "Staff",
  tableName: "staff",
  columns: { id: { type: Number, primary: true }, email: { type: "text" }, role: { type: "text" } },
  relations: {
    depot: { type: "many-to-one", target: "Depot", joinColumn: { name: "depot_id" }, nullable: true },
    manager: { type: "many-to-one", target: "Staff", joinColumn: { name: "manager_id" }, nullable: true },
  },
});
const Tariff = new EntitySchema({
  name: "Tariff",
  tableName: "tariffs",
  columns: {
    code: { type: "text", primary: true },
    label: { type: "text" },
    surchargeCode: { type: "text", name: "surcharge_code", nullable: true },
  },
});
const Invoice = new EntitySchema({
  name: "Invoice",
  tableName: "invoices",
  columns: {
    id: { type: Number, primary: true },
    customerId: { type: Number, name: "customer_id" },
    number: { type: "text" },
    issuedOn: { type: "date", name: "issued_on" },
    paidOn: { type: "date", name: "paid_on", nullable: true },
  },
});
const Line = new EntitySchema({
  name: "Line",
  tableName: "invoice_lines",
  columns: {
    invoiceId: { type: Number, name: "invoice_id", primary: true },
    lineNo: { type: Number, name: "line_no", primary: true },
    tariffCode: { type: "text", name: "tariff_code" },
    quantity: { type: Number },
  },
});
const Document = new EntitySchema({
  name: "Document",
  tableName: "documents",
  columns: {
    id: { type: Number, primary: true },
    ownerType: { type: "text", name: "owner_type" },
    ownerId: { type: "text", name: "owner_id" },
    title: { type: "text" },
  },
});

const api = (page) => async () => {
  const source = new DataSource({
    type: "postgres",
    url: URL,
    entities: [Depot, Driver, Staff, Tariff, Invoice, Line, Document],
    poolSize: 4,
  });
  await source.initialize();
  try {
    await page(source);
  } finally {
    await source.destroy();
  }
};

// Depots whose drivers are a lazy relation: awaited in the template.
scenario(
  "lazy_drivers",
  api(async (source) => {
    let asked = 0;
    for (const depot of await source.getRepository("Depot").find({ order: { name: "ASC" } })) {
      asked += 1;
      const drivers = await depot.drivers;
      drivers.map((driver) => driver.name).join(", ");
    }
    expectLoop('from "depots"', 'from "drivers"', asked);
  }),
);

// Staff with depot and manager joined in, then depots with their staff by a second list.
scenario(
  "joined_staff",
  api(async (source) => {
    await source
      .getRepository("Staff")
      .find({ relations: { depot: true, manager: true }, order: { id: "ASC" } });
    await source.getRepository("Depot").find({ relations: { staff: true }, relationLoadStrategy: "query" });
  }),
);

// Unpaid invoices with lines and documents, mapped by a serializer that asks for each.
scenario(
  "invoice_mapper",
  api(async (source) => {
    const asked = { lines: 0, documents: 0 };
    const invoices = await source
      .getRepository("Invoice")
      .find({ where: { paidOn: IsNull(), id: LessThan(130) }, order: { id: "ASC" } });
    const mapped = [];
    for (const invoice of invoices) {
      asked.lines += 1;
      const lines = await source.getRepository("Line").findBy({ invoiceId: invoice.id });
      asked.documents += 1;
      const documents = await source
        .getRepository("Document")
        .countBy({ ownerType: "invoice", ownerId: String(invoice.id) });
      mapped.push({ number: invoice.number, lines: lines.length, documents });
    }
    expectLoop('from "invoices"', 'from "invoice_lines"', asked.lines);
    expectLoop('from "invoices"', 'from "documents"', asked.documents);
  }),
);

// Tariffs and their surcharges: the same table is asked again for each that has one.
scenario(
  "tariff_surcharges",
  api(async (source) => {
    let asked = 0;
    const tariffs = source.getRepository("Tariff");
    for (const tariff of await tariffs.find({ where: { code: MoreThan("T010") } })) {
      if (!tariff.surchargeCode) continue;
      asked += 1;
      await tariffs
        .createQueryBuilder("surcharge")
        .where("surcharge.code = :code", { code: tariff.surchargeCode })
        .getOne();
    }
    expectLoop('from "tariffs" "tariff"', 'from "tariffs" "surcharge"', asked);
  }),
);

// A list of drivers, each with the name of the depot; all the depots are awaited at once.
scenario(
  "driver_depots",
  api(async (source) => {
    let asked = 0;
    const drivers = await source
      .getRepository("Driver")
      .createQueryBuilder("d")
      .where("d.licence IS NULL")
      .orWhere("d.id < 20")
      .getMany();
    await Promise.all(
      drivers.map(async (driver) => {
        asked += 1;
        return (await driver.depot).name;
      }),
    );
    expectLoop('from "drivers"', 'from "depots"', asked);
  }),
);

// Invoice numbers of a bank statement, each looked up as it is read.
scenario(
  "bank_statement",
  api(async (source) => {
    let asked = 0;
    const payments = [12, 35, 58, 81, 104, 127, 150, 173, 196, 219, 242, 265, 288].map(
      (n) => `INV-2025-${String(n).padStart(4, "0")}`,
    );
    for (const number of payments) {
      asked += 1;
      await source.getRepository("Invoice").findOneBy({ number });
    }
    expectRepeat("repeated-query-without-visible-parent", asked);
  }),
);

// A transaction with a lock, a repeated read and a savepoint; a page by skip and take.
scenario(
  "transaction_and_page",
  api(async (source) => {
    await source.transaction(async (manager) => {
      const tariff = await manager
        .getRepository("Tariff")
        .findOne({ where: { code: "T030" }, lock: { mode: "pessimistic_write" } });
      await manager.transaction(async (inner) => {
        await inner.getRepository("Tariff").update({ code: tariff.code }, { label: "Tariff thirty" });
      });
    });
    await source.getRepository("Invoice").findAndCount({ order: { id: "ASC" }, skip: 100, take: 25 });
  }),
);

main(version("typeorm"));
