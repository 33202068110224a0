// The mobile API of a city library: resolvers by hand, on node-postgres.
"use strict";
const { Pool, Client } = require("pg");
const Cursor = require("pg-cursor");
const DataLoader = require("dataloader");
const { URL: address, scenario, expectLoop, expectRepeat, main, version } = require("../labels.js");

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const withPool = (max, page) => async () => {
  const pool = new Pool({ connectionString: address, max });
  try {
    await page(pool, async (sql, values) => (await pool.query(sql, values)).rows);
  } finally {
    await pool.end();
  }
};

/**
 * Fills in what a query asks for, as a GraphQL server would: the fields of an object at the same time,
 * and the objects of a list at the same time.
 */
const resolve = async (type, object, selection, resolvers) => {
  const fields = Object.entries(selection).map(async ([field, below]) => {
    const resolver = resolvers[type]?.[field];
    const value = resolver ? await resolver.get(object) : object[field];
    if (below === true || value == null) return [field, value];
    const each = (one) => resolve(resolver.type, one, below, resolvers);
    return [field, Array.isArray(value) ? await Promise.all(value.map(each)) : await each(value)];
  });
  return Object.fromEntries(await Promise.all(fields));
};

// { branches { name events { title host { name } places } } }
scenario("programme_query", withPool(5, async (pool, rows) => {
  let events = 0;
  const resolvers = {
    Query: {
      branches: { type: "Branch", get: () => rows("SELECT id, name FROM branches ORDER BY name") },
    },
    Branch: {
      events: {
        type: "Event",
        get: (branch) => {
          events++;
          return rows("SELECT id, title, host_id, capacity FROM events WHERE branch_id = $1 ORDER BY starts_at LIMIT 4", [branch.id]);
        },
      },
    },
    Event: { places: { get: (event) => event.capacity } },
  };
  await resolve("Query", {}, { branches: { name: true, events: { title: true, places: true } } }, resolvers);
  expectLoop("from branches order by name", "from events where branch_id", events);
}));

// { patrons { name loans { dueOn copy { status } } holds { work { title } } } }
scenario("family_query", withPool(8, async (pool, rows) => {
  const asked = { loans: 0, holds: 0, copies: 0 };
  const resolvers = {
    Query: {
      patrons: { type: "Patron", get: () => rows("SELECT id, name FROM patrons WHERE home_branch_id = $1 AND kind = 'junior' ORDER BY name", [6]) },
    },
    Patron: {
      loans: {
        type: "Loan",
        get: (patron) => {
          asked.loans++;
          return rows("SELECT id, barcode, due_on FROM loans WHERE patron_id = $1 ORDER BY due_on", [patron.id]);
        },
      },
      waiting: {
        get: (patron) => {
          asked.holds++;
          return rows("SELECT count(*) FROM holds WHERE patron_id = $1", [patron.id]);
        },
      },
    },
    Loan: {
      copy: {
        type: "Copy",
        get: async (loan) => {
          asked.copies++;
          return (await rows("SELECT barcode, status FROM copies WHERE barcode = $1", [loan.barcode]))[0];
        },
      },
    },
  };
  const query = { patrons: { name: true, waiting: true, loans: { due_on: true, copy: { status: true } } } };
  await resolve("Query", {}, query, resolvers);
  expectLoop("from patrons where home_branch_id", "from loans where patron_id", asked.loans);
  expectLoop("from patrons where home_branch_id", "from holds where patron_id", asked.holds);
  expectLoop("from loans where patron_id", "from copies where barcode", asked.copies);
}));

// The family's page again, with loaders that gather the keys of a tick.
scenario("family_query_batched", withPool(4, async (pool, rows) => {
  const grouped = (found, key, keys) => keys.map((wanted) => found.filter((row) => row[key] === wanted));
  const loans = new DataLoader(async (ids) =>
    grouped(await rows("SELECT patron_id, barcode, due_on FROM loans WHERE patron_id = ANY ($1)", [ids]), "patron_id", ids));
  const copies = new DataLoader(async (codes) =>
    grouped(await rows("SELECT barcode, status FROM copies WHERE barcode = ANY ($1)", [codes]), "barcode", codes));
  const resolvers = {
    Query: {
      patrons: { type: "Patron", get: () => rows("SELECT id, name FROM patrons WHERE home_branch_id = $1 ORDER BY name", [6]) },
    },
    Patron: { loans: { type: "Loan", get: (patron) => loans.load(patron.id) } },
    Loan: { copy: { type: "Copy", get: async (loan) => (await copies.load(loan.barcode))[0] } },
  };
  await resolve("Query", {}, { patrons: { name: true, loans: { due_on: true, copy: { status: true } } } }, resolvers);
}));

// Two feeds are built at once, and both need the names of patrons by the same statement.
scenario("desk_feeds", withPool(4, async (pool, rows) => {
  const names = { holds: 0, bookings: 0 };
  const name = (feed, id) => {
    names[feed]++;
    return rows("SELECT name FROM patrons WHERE id = $1", [id]);
  };
  const holds = async () => {
    const ready = await rows("SELECT id, patron_id FROM holds WHERE ready_at IS NOT NULL ORDER BY ready_at LIMIT 35");
    await Promise.all(ready.map((hold) => name("holds", hold.patron_id)));
  };
  const bookings = async () => {
    const latest = await rows("SELECT event_id, patron_id FROM bookings WHERE seats > 1 ORDER BY booked_at DESC LIMIT 50");
    for (const booking of latest) await name("bookings", booking.patron_id);
  };
  await Promise.all([holds(), bookings()]);
  expectLoop("from holds where ready_at is not null", "select name from patrons", names.holds);
  expectLoop("from bookings where seats", "select name from patrons", names.bookings);
}));

// Editions are streamed through a cursor; the publisher is asked for by another connection, unless it is known.
scenario("edition_stream", async () => {
  const [reading, lookups] = [new Client(address), new Client(address)];
  await Promise.all([reading.connect(), lookups.connect()]);
  const known = new Map();
  const cursor = reading.query(new Cursor("SELECT id, isbn, publisher_id FROM editions WHERE language_code = $1 ORDER BY id", ["fr"]));
  for (let part = await cursor.read(30); part.length > 0; part = await cursor.read(30)) {
    for (const { publisher_id: publisher } of part) {
      if (publisher === null || known.has(publisher)) continue;
      known.set(publisher, (await lookups.query("SELECT name, city FROM publishers WHERE id = $1", [publisher])).rows[0]);
    }
  }
  await cursor.close();
  await Promise.all([reading.end(), lookups.end()]);
  expectLoop("from editions where language_code", "from publishers where id", known.size);
});

// Shelves by both halves of their key, at most three questions at a time.
scenario("shelf_map", withPool(3, async (pool, rows) => {
  let asked = 0;
  const shelves = await rows("SELECT branch_id, number, label FROM shelves WHERE number <= $1 ORDER BY label", [4]);
  const left = shelves.slice();
  const worker = async () => {
    for (let shelf = left.shift(); shelf; shelf = left.shift()) {
      asked++;
      await rows("SELECT status, count(*) FROM copies WHERE branch_id = $1 AND shelf_number = $2 GROUP BY status", [shelf.branch_id, shelf.number]);
    }
  };
  await Promise.all([worker(), worker(), worker()]);
  expectLoop("from shelves where number", "from copies where branch_id", asked);
}));

// Facets of the search: every topic with the number of its works, ten at a time, by a named statement.
scenario("topic_facets", withPool(10, async (pool, rows) => {
  let asked = 0;
  const topics = await rows("SELECT t.id, t.name FROM subjects t JOIN subjects c ON c.id = t.parent_id WHERE c.parent_id IS NOT NULL ORDER BY t.name");
  for (let from = 0; from < topics.length; from += 10) {
    await Promise.all(topics.slice(from, from + 10).map((topic) => {
      asked++;
      return pool.query({ name: "works-of-topic", text: "SELECT count(*)::int AS works FROM works WHERE subject_id = $1", values: [topic.id] });
    }));
  }
  expectLoop("from subjects t join subjects c", "from works where subject_id", asked);
}));

// Whoever looks at the branch list asks for a branch only once per request: its promise is kept.
scenario("reading_groups", withPool(4, async (pool, rows) => {
  const branches = new Map();
  const branch = (id) => {
    if (!branches.has(id)) branches.set(id, rows("SELECT code, name FROM branches WHERE id = $1", [id]));
    return branches.get(id);
  };
  const groups = await rows("SELECT id, branch_id, title FROM events WHERE capacity > 20 ORDER BY title");
  await Promise.all(groups.map((group) => branch(group.branch_id)));
  expectLoop("from events where capacity", "from branches where id", branches.size);
}));

// The app scrolls through the journal: after what it saw last.
scenario("journal_scroll", withPool(2, async (pool, rows) => {
  let last = { written_at: "2025-12-31", id: 0 };
  for (let page = 0; page < 8; page++) {
    const part = await rows(
      "SELECT id, action, amount, written_at FROM journal WHERE (written_at, id) < ($1, $2) ORDER BY written_at DESC, id DESC LIMIT 20",
      [last.written_at, last.id]);
    last = part[part.length - 1];
    await sleep(5);
  }
}));

// Copies that were found again, as the form sends them.
scenario("found_copies", withPool(2, async (pool) => {
  const barcodes = Array.from({ length: 40 }, (_, i) => `C${String(4 + i * 5).padStart(6, "0")}`);
  let updated = 0;
  const client = await pool.connect();
  await client.query("BEGIN");
  for (const barcode of barcodes) {
    await client.query("UPDATE copies SET status = 'available' WHERE barcode = $1", [barcode]);
    updated++;
  }
  await client.query("COMMIT");
  client.release();
  expectRepeat("row-by-row-writes", updated);
}));

main(`${version("pg")}, ${version("pg-cursor")}, ${version("dataloader")}`);
