// The shop's pages with node-postgres.
"use strict";
const { Client, Pool } = require("pg");
const Cursor = require("pg-cursor");
const { URL, expectLoop, expectRepeat, main, scenario, version } = require("../labels.js");

const ORDERS = "SELECT id, user_id, address_id FROM orders ORDER BY id LIMIT $1";
const USER = "SELECT id, email FROM users WHERE id = $1";
const ITEMS = "SELECT id, product_id, warehouse_id FROM order_items WHERE order_id = $1";
const PRODUCT = "SELECT id, name FROM products WHERE id = $1";

const withClient = async (page) => {
  const client = new Client({ connectionString: URL });
  await client.connect();
  try {
    await page(client);
  } finally {
    await client.end();
  }
};

const withPool = async (max, page) => {
  const pool = new Pool({ connectionString: URL, max });
  try {
    await page(pool);
  } finally {
    await pool.end();
  }
};

const orders = async (client, count = 20) => (await client.query(ORDERS, [count])).rows;

scenario("a user per order", () =>
  withClient(async (client) => {
    const rows = await orders(client);
    for (const order of rows) await client.query(USER, [order.user_id]);
    expectLoop("from orders", "from users", rows.length);
  }));

scenario("a user per order, named statement", () =>
  withClient(async (client) => {
    const rows = await orders(client, 26);
    for (const order of rows) await client.query({ name: "user", text: USER, values: [order.user_id] });
    expectLoop("from orders", "from users", rows.length);
  }));

scenario("a user per order, text in place", () =>
  withClient(async (client) => {
    const { rows } = await client.query("SELECT id, user_id FROM orders ORDER BY id LIMIT 14");
    for (const order of rows) await client.query(`select id, email from users where id = ${order.user_id}`);
    expectLoop("from orders", "from users", rows.length);
  }));

scenario("all at once over a pool", () =>
  withPool(5, async (pool) => {
    const rows = await orders(pool, 32);
    await Promise.all(rows.map((order) => pool.query(USER, [order.user_id])));
    expectLoop("from orders", "from users", rows.length);
  }));

scenario("all at once on one client", () =>
  withClient(async (client) => {
    const rows = await orders(client, 17);
    await Promise.all(rows.map((order) => client.query(ITEMS, [order.id])));
    expectLoop("from orders", "from order_items", rows.length);
  }));

scenario("items and their products", () =>
  withClient(async (client) => {
    const rows = await orders(client, 22);
    let asked = 0;
    for (const order of rows) {
      for (const item of (await client.query(ITEMS, [order.id])).rows) {
        await client.query(PRODUCT, [item.product_id]);
        asked += 1;
      }
    }
    expectLoop("from orders", "from order_items", rows.length);
    expectLoop("from order_items", "from products", asked);
  }));

scenario("two requests at once over a pool", () =>
  withPool(4, async (pool) => {
    const request = async (list, child, count) => {
      const { rows } = await pool.query(list, [count]);
      for (const row of rows) await pool.query(child, [row.key]);
      return rows.length;
    };
    const counts = await Promise.all([
      request("SELECT id, user_id AS key FROM orders ORDER BY id LIMIT $1", USER, 15),
      request("SELECT id, product_id AS key FROM order_items ORDER BY id LIMIT $1", PRODUCT, 19),
    ]);
    expectLoop("from orders", "from users", counts[0]);
    expectLoop("from order_items", "from products", counts[1]);
  }));

scenario("read through a cursor", () =>
  withPool(2, async (pool) => {
    const reader = await pool.connect();
    const cursor = reader.query(new Cursor(ORDERS, [29]));
    let count = 0;
    for (let rows = await cursor.read(7); rows.length > 0; rows = await cursor.read(7)) {
      for (const order of rows) await pool.query(USER, [order.user_id]);
      count += rows.length;
    }
    await cursor.close();
    reader.release();
    expectLoop("from orders", "from users", count);
  }));

scenario("two keys of an item", () =>
  withClient(async (client) => {
    const { rows } = await client.query(
      "SELECT id, product_id, warehouse_id FROM order_items WHERE order_id BETWEEN 61 AND 72 ORDER BY id");
    for (const item of rows) {
      await client.query("SELECT amount FROM stock WHERE (product_id, warehouse_id) = ($1, $2)",
        [item.product_id, item.warehouse_id]);
    }
    expectLoop("from order_items", "from stock", rows.length);
  }));

scenario("batched", () =>
  withClient(async (client) => {
    const rows = await orders(client, 60);
    await client.query("SELECT id, email FROM users WHERE id = ANY($1)", [rows.map((order) => order.user_id)]);
  }));

scenario("joined", () =>
  withClient((client) =>
    client.query("SELECT o.id, u.email FROM orders o JOIN users u ON u.id = o.user_id ORDER BY o.id LIMIT 50")));

scenario("a dashboard of four counts", () =>
  withPool(4, async (pool) => {
    await orders(pool);
    await Promise.all(["orders", "users", "products", "addresses"].map((table) =>
      pool.query(`SELECT count(*) FROM ${table}`)));
  }));

scenario("pages by key", () =>
  withClient(async (client) => {
    let last = 0;
    for (let page = 0; page < 7; page += 1) {
      const { rows } = await client.query("SELECT id FROM orders WHERE id > $1 ORDER BY id LIMIT 25", [last]);
      last = rows.at(-1).id;
    }
  }));

scenario("written with unnest", () =>
  withClient(async (client) => {
    const rows = await orders(client, 60);
    await client.query("INSERT INTO events (kind, subject_id) SELECT 'seen', * FROM unnest($1::int[])",
      [rows.map((order) => order.id)]);
  }));

scenario("keys out of a message", () =>
  withClient(async (client) => {
    for (let number = 11; number < 26; number += 1) {
      await client.query("SELECT id FROM users WHERE email = $1", [`user${number}@example.com`]);
    }
    expectRepeat("repeated-query-without-visible-parent", 15);
  }));

main(version("pg"));
