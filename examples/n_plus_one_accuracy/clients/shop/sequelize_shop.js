// The shop's pages with Sequelize.
"use strict";
const { DataTypes, Sequelize } = require("sequelize");
const { URL, expectLoop, main, scenario, version } = require("../labels.js");

const shop = new Sequelize(URL, { dialect: "postgres", logging: false, pool: { max: 4 } });
const table = (name, columns) => shop.define(name, columns, { tableName: name, timestamps: false });
const key = { type: DataTypes.INTEGER, primaryKey: true };

const Country = table("countries", { code: { type: DataTypes.TEXT, primaryKey: true }, name: DataTypes.TEXT });
const User = table("users", { id: key, email: DataTypes.TEXT, country_code: DataTypes.TEXT });
const Address = table("addresses", { id: key, city: DataTypes.TEXT });
const Order = table("orders", {
  id: key, user_id: DataTypes.INTEGER, address_id: DataTypes.INTEGER, status: DataTypes.TEXT,
});
const Product = table("products", { id: key, name: DataTypes.TEXT });
const Item = table("order_items", {
  id: key, order_id: DataTypes.INTEGER, product_id: DataTypes.INTEGER, quantity: DataTypes.INTEGER,
});
const Event = table("events", {
  id: { type: DataTypes.INTEGER, primaryKey: true, autoIncrement: true },
  kind: DataTypes.TEXT, subject_id: DataTypes.INTEGER,
});

User.belongsTo(Country, { foreignKey: "country_code", as: "country" });
Order.belongsTo(User, { foreignKey: "user_id", as: "user" });
Order.belongsTo(Address, { foreignKey: "address_id", as: "address" });
Order.hasMany(Item, { foreignKey: "order_id", as: "items" });
Item.belongsTo(Product, { foreignKey: "product_id", as: "product" });

const orders = (limit = 20, more = {}) => Order.findAll({ order: ["id"], limit, ...more });

const page = (name, body) => scenario(name, async () => {
  try {
    await body();
  } finally {
    await shop.close();
  }
});

page("a user per order", async () => {
  const rows = await orders();
  for (const order of rows) await order.getUser();
  expectLoop("from orders", "from users", rows.length);
});

page("items per order", async () => {
  const rows = await orders(16);
  for (const order of rows) await order.getItems();
  expectLoop("from orders", "from order_items", rows.length);
});

page("all users at once over the pool", async () => {
  const rows = await orders(27);
  await Promise.all(rows.map((order) => order.getUser()));
  expectLoop("from orders", "from users", rows.length);
});

page("items and their products", async () => {
  const rows = await orders(19);
  let asked = 0;
  for (const order of rows) {
    for (const item of await order.getItems()) {
      await item.getProduct();
      asked += 1;
    }
  }
  expectLoop("from orders", "from order_items", rows.length);
  expectLoop("from order_items", "from products", asked);
});

page("items counted per order", async () => {
  const rows = await orders(15);
  for (const order of rows) await order.countItems();
  expectLoop("from orders", "count(", rows.length);
});

page("a country per user", async () => {
  const rows = await User.findAll({ order: ["id"], limit: 23 });
  for (const user of rows) await user.getCountry();
  expectLoop("from users", "from countries", rows.length);
});

page("users and addresses in a transaction", async () => {
  await shop.transaction(async (transaction) => {
    const rows = await orders(12, { transaction });
    for (const order of rows) {
      await User.findByPk(order.user_id, { transaction });
      await Address.findByPk(order.address_id, { transaction });
    }
    expectLoop("from orders", "from users", rows.length);
    expectLoop("from orders", "from addresses", rows.length);
  });
});

page("reloaded one by one", async () => {
  const rows = await orders(10);
  for (const order of rows) await order.reload();
  expectLoop("from orders", "from orders", rows.length);
});

page("included", async () => {
  await orders(40, { include: ["user", "address"] });
});

page("included separately", async () => {
  await orders(40, { include: [{ association: "items", separate: true }] });
});

page("found by keys", async () => {
  const rows = await orders(60);
  await User.findAll({ where: { id: rows.map((order) => order.user_id) } });
});

page("pages with counts", async () => {
  for (let at = 0; at < 6; at += 1) {
    await Order.findAndCountAll({ order: ["id"], limit: 20, offset: at * 20 });
    // Somebody turns the page; at once it would be a count asked again for nothing.
    await new Promise((done) => setTimeout(done, 250));
  }
});

page("created in bulk and saved one by one", async () => {
  await Event.bulkCreate(Array.from({ length: 40 }, (_, at) => ({ kind: "seen", subject_id: at })));
  for (const order of await orders(9)) await order.update({ status: "read" });
});

main(`${version("sequelize")}, ${version("pg")}`);
