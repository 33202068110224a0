// The tracker's pages with Knex, DataLoader and Objection.
"use strict";
const DataLoader = require("dataloader");
const { Model } = require("objection");
const { URL, expectLoop, main, scenario, version } = require("../labels.js");

let knex;
const page = (name, body) => scenario(name, async () => {
  knex = require("knex")({ client: "pg", connection: URL, pool: { min: 0, max: 4 } });
  Model.knex(knex);
  try {
    await body();
  } finally {
    await knex.destroy();
  }
});

class Member extends Model {
  static tableName = "members";
}
class File extends Model {
  static tableName = "files";
}
class Label extends Model {
  static tableName = "labels";
}
class Ticket extends Model {
  static tableName = "tickets";
  static relationMappings = {
    reporter: {
      relation: Model.BelongsToOneRelation, modelClass: Member, join: { from: "tickets.reporter_id", to: "members.id" },
    },
    files: { relation: Model.HasManyRelation, modelClass: File, join: { from: "tickets.id", to: "files.ticket_id" } },
    labels: {
      relation: Model.ManyToManyRelation, modelClass: Label,
      join: { from: "tickets.id", through: { from: "ticket_labels.ticket_id", to: "ticket_labels.label_id" }, to: "labels.id" },
    },
  };
}

const tickets = (count = 20) => knex("tickets").orderBy("id").limit(count);

page("the first of each", async () => {
  const rows = await tickets(22);
  for (const row of rows) row.reporter = await knex("members").where({ id: row.reporter_id }).first();
  expectLoop("from tickets", "from members", rows.length);
});

page("counted per ticket over the pool", async () => {
  const rows = await tickets(26);
  await Promise.all(rows.map((row) => knex("files").where("ticket_id", row.id).count("* as files").first()));
  expectLoop("from tickets", "count(*)", rows.length);
});

page("a data loader for everybody", async () => {
  const members = new DataLoader(async (keys) => {
    const rows = new Map((await knex("members").whereIn("id", keys)).map((row) => [row.id, row]));
    return keys.map((key) => rows.get(key));
  });
  const rows = await tickets(50);
  await Promise.all(rows.map((row) => members.load(row.reporter_id)));
});

page("a data loader made anew in each resolver", async () => {
  const rows = await tickets(21);
  await Promise.all(rows.map((row) =>
    new DataLoader((keys) => knex("members").select("id", "handle").whereIn("id", keys).then((found) =>
      keys.map((key) => found.find((one) => one.id === key)))).load(row.reporter_id)));
  expectLoop("from tickets", "from members", rows.length);
});

page("a data loader awaited row by row", async () => {
  // The loader never gets two keys in one tick, but remembers those it had.
  const members = new DataLoader((keys) => knex("members").select("id", "handle").whereIn("id", keys).then((found) =>
    keys.map((key) => found.find((one) => one.id === key))));
  const rows = await tickets(64);
  for (const row of rows) await members.load(row.reporter_id);
  expectLoop("from tickets", "from members", new Set(rows.map((row) => row.reporter_id)).size);
});

page("related queries of each model", async () => {
  const rows = await Ticket.query().orderBy("id", "desc").limit(15);
  for (const row of rows) {
    await row.$relatedQuery("files");
    await row.$relatedQuery("labels");
  }
  expectLoop("from tickets", "from files", rows.length);
  expectLoop("from tickets", "from labels", rows.length);
});

page("a graph fetched per ticket", async () => {
  const rows = await tickets(12);
  for (const row of rows) await Ticket.query().findById(row.id).withGraphJoined("reporter");
  expectLoop("from tickets", "left join members", rows.length);
});

page("streamed", async () => {
  let count = 0;
  for await (const row of tickets(38).stream({ highWaterMark: 6 })) {
    await knex("projects").select("title").where("slug", row.project_slug);
    count += 1;
  }
  expectLoop("from tickets", "from projects", count);
});

page("a transaction per job", async () => {
  const jobs = await knex("jobs").select("id", "ticket_id").where({ state: "queued" }).orderBy("ticket_id");
  for (const job of jobs) {
    await knex.transaction(async (one) => {
      const ticket = await one("tickets").select("state").where("id", job.ticket_id).forUpdate().first();
      await one("jobs").where("id", job.id).update({ state: ticket.state });
    });
  }
  expectLoop("from jobs", "from tickets", jobs.length);
});

page("details of a few tickets of a list", async () => {
  // Somebody reads the list and opens three of its tickets.
  const rows = await tickets(20);
  for (const at of [2, 11, 5]) {
    await new Promise((done) => setTimeout(done, 120));
    const ticket = await knex("tickets").where("id", rows[at].id).first();
    await knex("members").where("id", ticket.reporter_id).first();
    await knex("files").where("ticket_id", ticket.id);
  }
});

page("a subquery per row of a grouped list", async () => {
  const rows = await knex("tickets").select("project_slug").count("* as tickets").groupBy("project_slug").orderBy("project_slug");
  for (const row of rows) await knex("tickets").max("points as most").where({ project_slug: row.project_slug, state: "open" });
  expectLoop("group by", "max(", rows.length);
});

page("a graph fetched for all", async () => {
  await Ticket.query().orderBy("id").limit(40).withGraphFetched("[reporter, files, labels]");
});

page("a graph joined", async () => {
  await Ticket.query().where("tickets.id", "<", 30).withGraphJoined("[reporter, files]");
});

page("migrations", async () => {
  const names = ["one", "two", "three", "four", "five", "six", "seven"];
  const migrationSource = {
    getMigrations: async () => names,
    getMigrationName: (name) => name,
    getMigration: async (name) => ({
      up: (db) => db.schema.createTable(`made_${name}`, (table) => table.increments()),
      down: (db) => db.schema.dropTable(`made_${name}`),
    }),
  };
  await knex.migrate.latest({ migrationSource });
  await knex.migrate.rollback({ migrationSource });
});

page("data loaders on two levels", async () => {
  const load = (table, key) => new DataLoader(async (keys) => {
    const rows = await knex(table).whereIn(key, keys);
    return keys.map((one) => rows.find((row) => row[key] === one));
  });
  const projects = load("projects", "slug");
  const members = load("members", "id");
  const rows = await tickets(35);
  await Promise.all(rows.map(async (row) => members.load((await projects.load(row.project_slug)).owner_id)));
});

page("a graph upserted", async () => {
  await Label.query().upsertGraph(Array.from({ length: 8 }, (_, at) => ({ id: at + 1, name: `renamed ${at}` })));
});

page("chunks of keys", async () => {
  const keys = (await tickets(120)).map((row) => row.id);
  for (let at = 0; at < keys.length; at += 15) await knex("files").whereIn("ticket_id", keys.slice(at, at + 15));
});

page("merged in batches", async () => {
  const rows = Array.from({ length: 60 }, (_, at) => ({ name: `option_${at}`, value: "x" }));
  await knex.batchInsert("labels", Array.from({ length: 30 }, (_, at) => ({ id: 100 + at, name: "new" })), 10);
  for (let at = 0; at < 60; at += 10) await knex("options").insert(rows.slice(at, at + 10)).onConflict("name").merge();
});

page("a page and its count", async () => {
  for (let number = 0; number < 6; number += 1) {
    await Promise.all([
      knex("tickets").count("id as tickets").first(),
      knex("tickets").orderBy("id").limit(20).offset(number * 20),
    ]);
    await new Promise((done) => setTimeout(done, 90));
  }
});

main(`${version("knex")}, ${version("objection")}, ${version("pg")}`);
