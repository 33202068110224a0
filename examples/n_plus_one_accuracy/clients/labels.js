// Scenarios of a Node client: a name each, and what is known to happen in it.
// `program list` prints the names; `program run NAME FILE` runs one and writes
// its labels. N is reckoned from the rows, by whoever wrote the loop.
"use strict";
const fs = require("node:fs");

const THRESHOLD = 5;
const scenarios = new Map();
const labels = [];

exports.URL = process.env.DATABASE_URL || "postgres://nobody@localhost:1/none";

exports.scenario = (name, page) => scenarios.set(name, page);

/** The child is asked n times for rows of the parent; both are pieces of their texts. */
exports.expectLoop = (parent, child, n) => {
  if (n >= THRESHOLD) labels.push(`loop\t${parent}\t${child}\t${n}\n`);
};

exports.expectRepeat = (kind, n) => labels.push(`repeat\t${kind}\t${n}\n`);

exports.main = async (versions) => {
  const [, , verb, name, file] = process.argv;
  if (verb === "list") {
    console.log(`version\t${versions}`);
    for (const known of scenarios.keys()) console.log(`scenario\t${known}`);
    return;
  }
  await scenarios.get(name)();
  fs.writeFileSync(file, labels.join(""));
};

exports.version = (name) => {
  // Some packages do not export their package.json.
  const folder = require.resolve.paths(name).map((path) => `${path}/${name}/package.json`).find(fs.existsSync);
  return `${name} ${JSON.parse(fs.readFileSync(folder)).version}`;
};
