// The tracker's pages with postgres.js, which prepares and pipelines by itself.
"use strict";
const postgres = require("postgres");
const { URL, expectLoop, main, scenario, version } = require("../labels.js");

const page = (name, max, body) => scenario(name, async () => {
  const sql = postgres(URL, { max, onnotice: () => {} });
  try {
    await body(sql);
  } finally {
    await sql.end();
  }
});

const tickets = (sql, count = 20) =>
  sql`SELECT id, title, project_slug, reporter_id, assignee_id, state FROM tickets ORDER BY id LIMIT ${count}`;
const member = (sql, id) => sql`SELECT id, handle, team_id FROM members WHERE id = ${id}`;
const project = (sql, slug) => sql`SELECT slug, title, owner_id FROM projects WHERE slug = ${slug}`;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

page("resolvers of a list over a pool", 3, async (sql) => {
  // Each ticket's fields are resolved at once, and the project's owner after the project.
  const rows = await tickets(sql, 18);
  await Promise.all(rows.flatMap((row) => [
    member(sql, row.reporter_id),
    project(sql, row.project_slug).then(([found]) => sql`SELECT name FROM teams WHERE id = (
      SELECT team_id FROM members WHERE id = ${found.owner_id})`),
  ]));
  expectLoop("from tickets", "handle, team_id from members", rows.length);
  expectLoop("from tickets", "from projects", rows.length);
  expectLoop("from projects", "from teams", rows.length);
});

page("pipelined on one connection", 1, async (sql) => {
  const rows = await tickets(sql, 33);
  await Promise.all(rows.map((row) => member(sql, row.reporter_id)));
  expectLoop("from tickets", "from members", rows.length);
});

page("serializers within serializers", 1, async (sql) => {
  const list = await sql`SELECT slug, title, owner_id FROM projects ORDER BY slug LIMIT 9`;
  let asked = 0;
  let authors = 0;
  for (const entry of list) {
    for (const row of await sql`SELECT id, title FROM tickets WHERE project_slug = ${entry.slug} AND id < 100 ORDER BY id`) {
      asked += 1;
      const remarks = await sql`SELECT id, author_id FROM remarks
        WHERE subject_type = 'Ticket' AND subject_id = ${row.id} ORDER BY id`;
      for (const remark of remarks) {
        await member(sql, remark.author_id);
        authors += 1;
      }
    }
  }
  expectLoop("from projects", "from tickets", list.length);
  expectLoop("from tickets", "from remarks", asked);
  expectLoop("from remarks", "from members", authors);
});

page("a cursor and a second connection", 2, async (sql) => {
  let count = 0;
  for await (const rows of tickets(sql, 31).cursor(8)) {
    for (const row of rows) {
      await project(sql, row.project_slug);
      count += 1;
    }
  }
  expectLoop("from tickets", "from projects", count);
});

page("a transaction per job", 2, async (sql) => {
  const jobs = await sql`SELECT id, ticket_id FROM jobs WHERE kind = ${"index"} ORDER BY id`;
  for (const job of jobs) {
    await sql.begin(async (one) => {
      await one`SELECT title, points FROM tickets WHERE id = ${job.ticket_id} FOR SHARE`;
      await one`UPDATE jobs SET state = 'done' WHERE id = ${job.id}`;
    });
  }
  expectLoop("from jobs", "from tickets", jobs.length);
});

page("remembered promises", 4, async (sql) => {
  const known = new Map();
  const rows = await tickets(sql, 75);
  const load = (slug) => {
    if (!known.has(slug)) known.set(slug, project(sql, slug));
    return known.get(slug);
  };
  await Promise.all(rows.map((row) => load(row.project_slug)));
  expectLoop("from tickets", "from projects", known.size);
});

page("until a limit of points is spent", 1, async (sql) => {
  let left = 40;
  let asked = 0;
  for (const row of await tickets(sql, 50)) {
    const [found] = await sql`SELECT points FROM tickets WHERE id = ${row.id}`;
    asked += 1;
    left -= found.points;
    if (left <= 0) break;
  }
  expectLoop("order by id limit", "select points from tickets", asked);
});

page("files sorted by size and scanned", 1, async (sql) => {
  const files = (await sql`SELECT id, bytes FROM files WHERE ticket_id < 20`).sort((a, b) => b.bytes - a.bytes);
  for (const file of files) await sql`SELECT verdict FROM scans WHERE file_id = ${file.id}`;
  expectLoop("from files", "from scans", files.length);
});

page("a list of keys", 1, async (sql) => {
  const rows = await tickets(sql, 60);
  await sql`SELECT id, handle FROM members WHERE id IN ${sql([...new Set(rows.map((row) => row.reporter_id))])}`;
});

page("inserted and upserted together", 1, async (sql) => {
  const rows = Array.from({ length: 40 }, (_, at) => ({ name: `option_${at}`, value: "x" }));
  await sql`INSERT INTO options ${sql(rows)} ON CONFLICT (name) DO UPDATE SET value = excluded.value`;
});

page("keys of all rows at once, level by level", 2, async (sql) => {
  const rows = await tickets(sql, 40);
  const projects = await sql`SELECT slug, owner_id FROM projects WHERE slug = ANY(${rows.map((row) => row.project_slug)})`;
  const owners = await sql`SELECT id, team_id FROM members WHERE id = ANY(${projects.map((row) => row.owner_id)})`;
  await sql`SELECT id, name FROM teams WHERE id = ANY(${owners.map((row) => row.team_id)})`;
});

page("six reports at once", 4, async (sql) => {
  await Promise.all([1, 2, 3, 4, 5, 6].map((points) =>
    sql`SELECT state, count(*) FROM tickets WHERE points = ${points} GROUP BY state`));
});

page("windows of time", 1, async (sql) => {
  for (let day = 1; day < 9; day += 1) {
    await sql`SELECT count(*) FROM entries WHERE day >= ${`2025-03-0${day}`} AND day < ${`2025-03-1${day}`}`;
  }
});

page("a queue that is polled", 1, async (sql) => {
  for (let at = 0; at < 9; at += 1) {
    await sql`SELECT id FROM jobs WHERE state = ${"failed"} ORDER BY id LIMIT 5`;
    await pause(120);
  }
});

page("panels of a page at once", 4, async (sql) => {
  await tickets(sql);
  await Promise.all(["open", "review", "closed"].map((state) =>
    sql`SELECT count(*) FROM tickets WHERE state = ${state}`));
});

main(version("postgres"));
