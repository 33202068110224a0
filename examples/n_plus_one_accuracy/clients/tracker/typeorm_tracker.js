// The tracker's pages with TypeORM.
"use strict";
const { DataSource, EntitySchema, In, LessThan } = require("typeorm");
const { URL, expectLoop, main, scenario, version } = require("../labels.js");

const key = { type: "bigint", primary: true };
const Team = new EntitySchema({ name: "Team", tableName: "teams", columns: { id: key, name: { type: "text" } } });
const Member = new EntitySchema({
  name: "Member", tableName: "members",
  columns: { id: key, handle: { type: "text" }, teamId: { type: "bigint", name: "team_id" } },
  relations: { team: { type: "many-to-one", target: "Team", joinColumn: { name: "team_id" } } },
});
const Ticket = new EntitySchema({
  name: "Ticket", tableName: "tickets",
  columns: {
    id: key, title: { type: "text" }, state: { type: "text" }, points: { type: "int" },
    projectSlug: { type: "text", name: "project_slug" }, reporterId: { type: "bigint", name: "reporter_id" },
  },
  relations: {
    reporter: { type: "many-to-one", target: "Member", joinColumn: { name: "reporter_id" }, lazy: true },
    files: { type: "one-to-many", target: "File", inverseSide: "ticket", lazy: true },
    labels: {
      type: "many-to-many", target: "Label",
      joinTable: { name: "ticket_labels", joinColumn: { name: "ticket_id" }, inverseJoinColumn: { name: "label_id" } },
    },
  },
});
const File = new EntitySchema({
  name: "File", tableName: "files",
  columns: { id: { type: "uuid", primary: true }, name: { type: "text" }, ticketId: { type: "bigint", name: "ticket_id" } },
  relations: { ticket: { type: "many-to-one", target: "Ticket", inverseSide: "files", joinColumn: { name: "ticket_id" } } },
});
const Label = new EntitySchema({ name: "Label", tableName: "labels", columns: { id: key, name: { type: "text" } } });
const Option = new EntitySchema({
  name: "Option", tableName: "options", columns: { name: { type: "text", primary: true }, value: { type: "text" } },
});
const Job = new EntitySchema({
  name: "Job", tableName: "jobs",
  columns: { id: key, ticketId: { type: "bigint", name: "ticket_id" }, kind: { type: "text" }, state: { type: "text" } },
});

const page = (name, body) => scenario(name, async () => {
  const source = await new DataSource({
    type: "postgres", url: URL, poolSize: 4, entities: [Team, Member, Ticket, File, Label, Option, Job],
  }).initialize();
  try {
    await body(source.manager);
  } finally {
    await source.destroy();
  }
});

const tickets = (db, take = 20) => db.find("Ticket", { order: { id: "ASC" }, take });

page("lazy relations", async (db) => {
  const rows = await tickets(db, 19);
  for (const row of rows) (await row.reporter).handle;
  expectLoop("from tickets", "members", rows.length);
});

page("lazy files of all at once", async (db) => {
  const rows = await tickets(db, 23);
  await Promise.all(rows.map((row) => row.files));
  expectLoop("from tickets", "files", rows.length);
});

page("found one by one, backwards", async (db) => {
  const rows = await tickets(db, 26);
  for (const row of rows.reverse()) await db.findOneBy("Member", { id: row.reporterId });
  expectLoop("from tickets", "from members", rows.length);
});

page("labels loaded by the query builder", async (db) => {
  const rows = await tickets(db, 14);
  for (const row of rows) row.labels = await db.createQueryBuilder().relation(Ticket, "labels").of(row).loadMany();
  expectLoop("from tickets", "labels", rows.length);
});

page("counted and asked for existence", async (db) => {
  const rows = await db.find("Member", { order: { handle: "ASC" }, take: 13 });
  for (const row of rows) {
    await db.countBy("Ticket", { reporterId: row.id });
    await db.existsBy("Ticket", { reporterId: row.id, state: "review" });
  }
  expectLoop("from members", "count(", rows.length);
  expectLoop("from members", "row_exists", rows.length);
});

page("saved one by one", async (db) => {
  // save() reads each row again before it writes it.
  const rows = await db.find("Job", { order: { id: "ASC" }, take: 16 });
  for (const row of rows) await db.save("Job", { ...row, state: "done" });
  expectLoop("order by", "from jobs", rows.length);
});

page("a transaction per job", async (db) => {
  const rows = await db.find("Job", { where: { kind: "mail" }, order: { id: "DESC" } });
  for (const row of rows) {
    await db.transaction(async (one) => {
      const ticket = await one.findOneOrFail("Ticket", { where: { id: row.ticketId }, lock: { mode: "pessimistic_write" } });
      await one.update("Job", { id: row.id }, { state: ticket.state });
    });
  }
  expectLoop("from jobs", "from tickets", rows.length);
});

page("tests that are rolled back", async (db) => {
  // Each test makes its rows, lists them and looks at each.
  for (const count of [7, 9, 6]) {
    const runner = db.connection.createQueryRunner();
    await runner.startTransaction();
    const made = Array.from({ length: count }, (_, at) => ({
      id: 4000 + at, title: "made", state: "made", points: 1, projectSlug: "project-1", reporterId: at * 3 + 1,
    }));
    await runner.manager.insert("Ticket", made);
    const rows = await runner.manager.find("Ticket", { where: { state: "made" }, order: { id: "ASC" } });
    for (const row of rows) await runner.manager.findOneBy("Member", { id: row.reporterId });
    await runner.rollbackTransaction();
    await runner.release();
    expectLoop("from tickets", "from members", rows.length);
  }
});

page("with relations, by joins", async (db) => {
  await db.find("Ticket", { relations: { reporter: { team: true }, labels: true }, take: 30, order: { id: "ASC" } });
});

page("with relations, by queries", async (db) => {
  await db.find("Ticket", { relations: { files: true, labels: true }, relationLoadStrategy: "query", where: { id: LessThan(40) } });
});

page("the schema compared", async (db) => {
  await db.connection.driver.createSchemaBuilder().log();
});

page("many saved in one call", async (db) => {
  await db.save("Label", Array.from({ length: 15 }, (_, at) => ({ id: 500 + at, name: "new" })));
  await db.remove("Label", await db.find("Label", { where: { name: "new" } }));
});

page("read in pages by the builder", async (db) => {
  for (let number = 0; number < 7; number += 1) {
    await db.createQueryBuilder("Ticket", "t").leftJoinAndSelect("t.labels", "l").orderBy("t.id").skip(number * 10).take(10).getMany();
  }
});

page("in a list of keys", async (db) => {
  const rows = await tickets(db, 60);
  await db.findBy("Member", { id: In(rows.map((row) => row.reporterId)) });
});

page("upserted and inserted together", async (db) => {
  await db.upsert("Option", Array.from({ length: 40 }, (_, at) => ({ name: `option_${at}`, value: "x" })), ["name"]);
  await db.insert("Label", Array.from({ length: 20 }, (_, at) => ({ id: 100 + at, name: "new" })));
});

page("found and counted, page by page", async (db) => {
  for (let number = 0; number < 6; number += 1) {
    await db.findAndCount("Ticket", { order: { id: "ASC" }, skip: number * 20, take: 20 });
    await new Promise((done) => setTimeout(done, 100));
  }
});

main(`${version("typeorm")}, ${version("pg")}`);
