// The tracker's pages with Drizzle over node-postgres.
"use strict";
const { Pool } = require("pg");
const { drizzle } = require("drizzle-orm/node-postgres");
const { and, asc, desc, eq, inArray, isNotNull, relations, sql } = require("drizzle-orm");
const { bigint, integer, pgTable, text, uuid, date } = require("drizzle-orm/pg-core");
const { URL, expectLoop, main, scenario, version } = require("../labels.js");

const whole = (name) => bigint(name, { mode: "number" });
const members = pgTable("members", { id: whole("id").primaryKey(), handle: text("handle"), teamId: whole("team_id") });
const projects = pgTable("projects", { slug: text("slug").primaryKey(), title: text("title"), ownerId: whole("owner_id") });
const tickets = pgTable("tickets", {
  id: whole("id").primaryKey(), projectSlug: text("project_slug"), reporterId: whole("reporter_id"),
  assigneeId: whole("assignee_id"), title: text("title"), state: text("state"), points: integer("points"),
});
const files = pgTable("files", { id: uuid("id").primaryKey(), ticketId: whole("ticket_id"), name: text("name") });
const entries = pgTable("entries", { id: whole("id").primaryKey(), memberId: whole("member_id"), day: date("day") });
const shifts = pgTable("shifts", { memberId: whole("member_id"), day: date("day"), hours: integer("hours") });
const options = pgTable("options", { name: text("name").primaryKey(), value: text("value") });
const schema = {
  members, projects, tickets, files, entries, shifts, options,
  ticketRelations: relations(tickets, ({ one, many }) => ({
    reporter: one(members, { fields: [tickets.reporterId], references: [members.id] }),
    project: one(projects, { fields: [tickets.projectSlug], references: [projects.slug] }),
    files: many(files),
  })),
  fileRelations: relations(files, ({ one }) => ({
    ticket: one(tickets, { fields: [files.ticketId], references: [tickets.id] }),
  })),
};

const page = (name, body) => scenario(name, async () => {
  const pool = new Pool({ connectionString: URL, max: 4 });
  try {
    await body(drizzle(pool, { schema }));
  } finally {
    await pool.end();
  }
});

const some = (db, count = 20) => db.select().from(tickets).orderBy(asc(tickets.id)).limit(count);

page("selected by key per ticket", async (db) => {
  const rows = await some(db, 24);
  for (const row of rows) await db.select().from(members).where(eq(members.id, row.reporterId));
  expectLoop("from tickets", "from members", rows.length);
});

page("found first per ticket", async (db) => {
  const rows = await db.query.tickets.findMany({ orderBy: [desc(tickets.id)], limit: 17 });
  for (const row of rows) await db.query.projects.findFirst({ where: eq(projects.slug, row.projectSlug) });
  expectLoop("tickets", "projects", rows.length);
});

page("a prepared statement per ticket, for open ones", async (db) => {
  const named = db.select().from(members).where(eq(members.id, sql.placeholder("id"))).prepare("member");
  const rows = await some(db, 45);
  let asked = 0;
  for (const row of rows) {
    if (row.state !== "open") continue;
    await named.execute({ id: row.reporterId });
    asked += 1;
  }
  expectLoop("from tickets", "from members", asked);
});

page("counted per member", async (db) => {
  const rows = await db.select({ id: members.id }).from(members).orderBy(members.handle).limit(25);
  for (const row of rows) await db.$count(tickets, and(eq(tickets.assigneeId, row.id), eq(tickets.state, "open")));
  expectLoop("from members", "count(*)", rows.length);
});

page("two loops over one list", async (db) => {
  // Reporters of all, then assignees of all: one list feeds all of these.
  const rows = await some(db, 18);
  let asked = 0;
  for (const row of rows) {
    await db.select().from(members).where(eq(members.id, row.reporterId));
    asked += 1;
  }
  for (const row of rows.filter((one) => one.assigneeId !== null)) {
    await db.select().from(members).where(eq(members.id, row.assigneeId));
    asked += 1;
  }
  expectLoop("from tickets", "from members", asked);
});

page("a pair of keys per entry", async (db) => {
  const rows = await db.select().from(entries).orderBy(entries.id).limit(27);
  await Promise.all(rows.map((row) =>
    db.select().from(shifts).where(and(eq(shifts.memberId, row.memberId), eq(shifts.day, row.day)))));
  expectLoop("from entries", "from shifts", rows.length);
});

page("files and the ticket of each in a transaction", async (db) => {
  await db.transaction(async (one) => {
    const rows = await one.select().from(files).orderBy(files.name).limit(14);
    for (const row of rows) await one.query.tickets.findFirst({ where: eq(tickets.id, row.ticketId) });
    expectLoop("from files", "tickets", rows.length);
  });
});

page("three levels of resolvers at once", async (db) => {
  const rows = await some(db, 16);
  await Promise.all(rows.map(async (row) => {
    const [project] = await db.select().from(projects).where(eq(projects.slug, row.projectSlug));
    await db.select().from(members).where(eq(members.id, project.ownerId));
  }));
  expectLoop("from tickets", "from projects", rows.length);
  expectLoop("from projects", "from members", rows.length);
});

page("a page per request over the pool", async (db) => {
  const handle = async (offset) => {
    const rows = await db.select().from(tickets).orderBy(asc(tickets.id)).limit(8).offset(offset);
    for (const row of rows) await db.select().from(members).where(eq(members.id, row.reporterId));
    return rows.length;
  };
  for (const count of await Promise.all([0, 40, 80, 120].map(handle))) expectLoop("from tickets", "from members", count);
});

page("with what belongs to it", async (db) => {
  await db.query.tickets.findMany({ with: { reporter: true, project: true, files: true }, limit: 40 });
});

page("joined", async (db) => {
  await db.select().from(tickets).innerJoin(members, eq(tickets.reporterId, members.id)).limit(50);
});

page("in an array of keys", async (db) => {
  const rows = await db.select().from(tickets).where(isNotNull(tickets.assigneeId)).limit(60);
  await db.select().from(members).where(inArray(members.id, rows.map((row) => row.assigneeId)));
});

page("fields of a form checked", async (db) => {
  await db.select({ id: members.id }).from(members).where(eq(members.handle, "new-handle")).limit(1);
  await db.select({ slug: projects.slug }).from(projects).where(eq(projects.slug, "new-slug")).limit(1);
  await db.select({ name: options.name }).from(options).where(eq(options.name, "new-option")).limit(1);
  await db.insert(options).values({ name: "new-option", value: "x" });
});

page("one ticket and what belongs to it, over the pool", async (db) => {
  const [ticket] = await db.select().from(tickets).where(eq(tickets.id, 44));
  await Promise.all([
    db.select().from(members).where(eq(members.id, ticket.reporterId)),
    db.select().from(members).where(eq(members.id, 51)),
    db.select().from(projects).where(eq(projects.slug, ticket.projectSlug)),
    db.select().from(files).where(eq(files.ticketId, ticket.id)),
    db.$count(tickets, eq(tickets.reporterId, ticket.reporterId)),
  ]);
});

page("upserted in batches", async (db) => {
  const rows = Array.from({ length: 48 }, (_, at) => ({ name: `option_${at}`, value: "x" }));
  for (let at = 0; at < 48; at += 8) {
    await db.insert(options).values(rows.slice(at, at + 8))
      .onConflictDoUpdate({ target: options.name, set: { value: sql`excluded.value` } });
  }
});

page("pages", async (db) => {
  for (let number = 0; number < 8; number += 1) {
    await db.select().from(tickets).orderBy(tickets.id).limit(15).offset(number * 15);
  }
});

main(`${version("drizzle-orm")}, ${version("pg")}`);
