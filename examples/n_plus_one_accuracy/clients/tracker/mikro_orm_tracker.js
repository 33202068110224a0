// The tracker's pages with MikroORM.
"use strict";
const { EntitySchema, MikroORM, QueryFlag, raw } = require("@mikro-orm/postgresql");
const { URL, expectLoop, main, scenario, version } = require("../labels.js");

const whole = { type: "integer" };
const id = { type: "integer", primary: true };
const one = (entity, column) => ({ kind: "m:1", entity, fieldName: column, ref: true, nullable: true });
const Team = new EntitySchema({ name: "Team", tableName: "teams", properties: { id, name: { type: "text" } } });
const Member = new EntitySchema({
  name: "Member", tableName: "members",
  properties: { id, handle: { type: "text" }, team: one("Team", "team_id") },
});
const Project = new EntitySchema({
  name: "Project", tableName: "projects",
  properties: { slug: { type: "text", primary: true }, title: { type: "text" }, owner: one("Member", "owner_id") },
});
const Ticket = new EntitySchema({
  name: "Ticket", tableName: "tickets",
  properties: {
    id, title: { type: "text" }, state: { type: "text" }, points: whole,
    project: one("Project", "project_slug"), reporter: one("Member", "reporter_id"),
    files: { kind: "1:m", entity: "File", mappedBy: "ticket" },
  },
});
const File = new EntitySchema({
  name: "File", tableName: "files",
  properties: { id: { type: "uuid", primary: true }, name: { type: "text" }, ticket: one("Ticket", "ticket_id") },
});
const Job = new EntitySchema({
  name: "Job", tableName: "jobs",
  properties: {
    id: { ...id, autoincrement: true }, kind: { type: "text" }, ticketId: { ...whole, fieldName: "ticket_id" },
    state: { type: "text" },
  },
});
const Option = new EntitySchema({
  name: "Option", tableName: "options", properties: { name: { type: "text", primary: true }, value: { type: "text" } },
});

const page = (name, body, more = {}) => scenario(name, async () => {
  const orm = await MikroORM.init({
    clientUrl: URL, dbName: decodeURIComponent(new globalThis.URL(URL).pathname.slice(1)),
    entities: [Team, Member, Project, Ticket, File, Job, Option], pool: { min: 0, max: 4 }, ...more,
  });
  try {
    await body(orm.em.fork(), orm);
  } finally {
    await orm.close();
  }
});

const tickets = (em, limit = 20, more = {}) => em.find("Ticket", {}, { orderBy: { id: "asc" }, limit, ...more });

page("references loaded one by one", async (em) => {
  const rows = await tickets(em, 52);
  for (const row of rows) (await row.reporter.load()).handle;
  // The identity map knows those that were loaded.
  expectLoop("from tickets", "from members", new Set(rows.map((row) => row.reporter.id)).size);
});

page("collections loaded one by one", async (em) => {
  const rows = await tickets(em, 21);
  for (const row of rows) await row.files.init();
  expectLoop("from tickets", "from files", rows.length);
});

page("collections counted one by one", async (em) => {
  const rows = await tickets(em, 17);
  for (const row of rows) await row.files.loadCount();
  expectLoop("from tickets", "count(*)", rows.length);
});

page("projects and their owners", async (em) => {
  const rows = await tickets(em, 16);
  const owners = new Set();
  for (const row of rows) {
    const project = await row.project.load();
    await project.owner.load();
    owners.add(project.owner.id);
  }
  expectLoop("from tickets", "from projects", new Set(rows.map((row) => row.project.slug)).size);
  expectLoop("from projects", "from members", owners.size);
});

page("a fork per job", async (em, orm) => {
  const jobs = await em.find("Job", { state: "queued" }, { orderBy: { ticketId: "asc" } });
  for (const job of jobs) {
    await orm.em.fork().transactional(async (inner) => {
      await inner.findOne("Ticket", job.ticketId);
    });
  }
  expectLoop("from jobs", "from tickets", jobs.length);
});

page("parallel forks over the pool", async (em, orm) => {
  const rows = await em.find("Member", {}, { orderBy: { handle: "asc" }, limit: 24 });
  await Promise.all(rows.map((row) => orm.em.fork().count("Ticket", { reporter: row.id })));
  expectLoop("from members", "count(*)", rows.length);
});

page("a query builder per team", async (em) => {
  const teams = await em.find("Team", {}, { orderBy: { name: "desc" } });
  for (const team of teams) await em.qb("Member").select(raw("max(handle) as last")).where({ team: team.id }).execute("get");
  expectLoop("from teams", "max(handle)", teams.length);
});

page("populated by queries", async (em) => {
  await tickets(em, 40, { populate: ["reporter.team", "files"], strategy: "select-in" });
});

page("populated by joins", async (em) => {
  await tickets(em, 40, { populate: ["reporter.team", "files"], strategy: "joined", flags: [QueryFlag.PAGINATE] });
});

page("references loaded by its data loader", async (em) => {
  const rows = await tickets(em, 30);
  await Promise.all(rows.map((row) => row.reporter.load({ dataloader: true })));
  await Promise.all(rows.map((row) => row.files.load({ dataloader: true })));
});

page("the schema compared", async (em, orm) => {
  await orm.schema.getUpdateSchemaSQL();
});

page("made and flushed together", async (em) => {
  for (let at = 0; at < 14; at += 1) em.create("Job", { kind: "mail", ticketId: at + 1, state: "new" });
  await em.flush();
});

page("populated afterwards", async (em) => {
  const rows = await tickets(em, 35);
  await em.populate(rows, ["reporter.team", "project.owner", "files"]);
});

page("flushed together", async (em) => {
  const rows = await tickets(em, 30);
  for (const row of rows) row.points += 1;
  await em.flush();
});

page("upserted together", async (em) => {
  await em.upsertMany("Option", Array.from({ length: 40 }, (_, at) => ({ name: `option_${at}`, value: "x" })));
});

page("cursors of pages", async (em) => {
  let after;
  for (let number = 0; number < 6; number += 1) {
    const found = await em.fork().findByCursor("Ticket", {}, { first: 20, after, orderBy: { id: "asc" } });
    after = found.endCursor;
    await new Promise((done) => setTimeout(done, 100));
  }
});

main(`${version("@mikro-orm/postgresql")}, ${version("pg")}`);
