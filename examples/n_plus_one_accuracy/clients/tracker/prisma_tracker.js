// The tracker's pages with Prisma over its adapter for node-postgres.
"use strict";
const { PrismaPg } = require("@prisma/adapter-pg");
const { PrismaClient } = require("@prisma/client");
const { URL, expectLoop, main, scenario, version } = require("../labels.js");

const page = (name, body) => scenario(name, async () => {
  const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: URL, max: 4 }) });
  try {
    await body(prisma);
  } finally {
    await prisma.$disconnect();
  }
});

const tickets = (prisma, take = 20) => prisma.ticket.findMany({ orderBy: { id: "asc" }, take });

page("unique reads awaited one by one", async (prisma) => {
  const rows = await tickets(prisma, 25);
  for (const row of rows) await prisma.member.findUnique({ where: { id: row.reporterId } });
  expectLoop("tickets", "members", rows.length);
});

page("first reads all at once", async (prisma) => {
  // Unlike findUnique, findFirst is not gathered.
  const rows = await tickets(prisma, 22);
  await Promise.all(rows.map((row) => prisma.member.findFirst({ where: { id: row.reporterId } })));
  expectLoop("tickets", "members", rows.length);
});

page("counted per member", async (prisma) => {
  const rows = await prisma.member.findMany({ orderBy: { handle: "desc" }, take: 18 });
  for (const row of rows) await prisma.ticket.count({ where: { reporterId: row.id, state: "open" } });
  expectLoop("members", "count(", rows.length);
});

page("files of each ticket", async (prisma) => {
  const rows = await tickets(prisma, 16);
  for (const row of rows) row.files = await prisma.file.findMany({ where: { ticketId: row.id }, orderBy: { name: "asc" } });
  expectLoop("tickets", "files", rows.length);
});

page("a pair of keys per entry", async (prisma) => {
  const rows = await prisma.entry.findMany({ orderBy: { id: "asc" }, take: 21 });
  for (const row of rows) {
    await prisma.shift.findUnique({ where: { memberId_day: { memberId: row.memberId, day: row.day } } });
  }
  expectLoop("entries", "shifts", rows.length);
});

page("an interactive transaction per job", async (prisma) => {
  const jobs = await prisma.job.findMany({ where: { kind: "index" }, orderBy: { id: "asc" } });
  for (const job of jobs) {
    await prisma.$transaction(async (one) => {
      const ticket = await one.ticket.findUniqueOrThrow({ where: { id: job.ticketId } });
      await one.job.update({ where: { id: job.id }, data: { state: ticket.state } });
    });
  }
  expectLoop("jobs", "tickets", jobs.length);
});

page("a raw aggregate per ticket", async (prisma) => {
  const rows = await tickets(prisma, 19);
  for (const row of rows) {
    await prisma.$queryRaw`SELECT coalesce(sum(bytes), 0)::int AS bytes FROM files WHERE ticket_id = ${row.id}`;
  }
  expectLoop("tickets", "sum(bytes)", rows.length);
});

page("members and their teams all at once", async (prisma) => {
  const rows = await tickets(prisma, 18);
  await Promise.all(rows.map(async (row) => {
    const member = await prisma.member.findFirst({ where: { id: row.reporterId } });
    await prisma.team.findFirst({ where: { id: member.teamId } });
  }));
  expectLoop("tickets", "members", rows.length);
  expectLoop("members", "teams", rows.length);
});

page("unique reads gathered in a tick", async (prisma) => {
  const rows = await tickets(prisma, 30);
  await Promise.all(rows.map((row) => prisma.member.findUnique({ where: { id: row.reporterId } })));
});

page("resolvers of a graph gathered in a tick", async (prisma) => {
  const rows = await tickets(prisma, 30);
  await Promise.all(rows.map((row) => prisma.ticket.findUnique({ where: { id: row.id } }).reporter()));
});

page("chunks of keys", async (prisma) => {
  const keys = (await tickets(prisma, 80)).map((row) => row.id);
  for (let at = 0; at < 80; at += 10) await prisma.file.findMany({ where: { ticketId: { in: keys.slice(at, at + 10) } } });
});

page("figures in one transaction", async (prisma) => {
  await prisma.$transaction([
    prisma.ticket.count(), prisma.member.count(), prisma.file.aggregate({ _sum: { bytes: true } }),
    prisma.ticket.groupBy({ by: ["state"], _count: true }), prisma.job.count({ where: { state: "queued" } }),
  ]);
});

page("included", async (prisma) => {
  await prisma.ticket.findMany({ include: { reporter: { include: { team: true } }, files: true }, take: 40 });
});

page("upserts in one transaction", async (prisma) => {
  await prisma.$transaction(Array.from({ length: 12 }, (_, at) => prisma.option.upsert({
    where: { name: `option_${at}` }, create: { name: `option_${at}`, value: "x" }, update: { value: "x" },
  })));
});

page("many created, many updated", async (prisma) => {
  await prisma.job.createMany({ data: Array.from({ length: 40 }, (_, at) => ({ id: 2000 + at, kind: "mail", ticketId: at, state: "new" })) });
  await prisma.job.updateMany({ where: { kind: "mail" }, data: { state: "seen" } });
});

page("pages by cursor", async (prisma) => {
  let rows = await tickets(prisma, 20);
  for (let number = 0; number < 6; number += 1) {
    rows = await prisma.ticket.findMany({ take: 20, skip: 1, cursor: { id: rows.at(-1).id }, orderBy: { id: "asc" } });
  }
});

main(`${version("@prisma/client")}, ${version("pg")}`);
