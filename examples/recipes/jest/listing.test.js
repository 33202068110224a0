// Run with: plimsoll n-plus-one --findings -- npx jest
const { Client } = require('pg')

let db

const set = (name, value) => db.query(`SET ${name} = ${db.escapeLiteral(String(value))}`)

// What Plimsoll found so far in this test; nothing without its recorder.
const findings = async () => {
  try {
    const { rows } = await db.query('SHOW plimsoll.findings')
    return JSON.parse(rows[0]['plimsoll.findings'])
  } catch (error) {
    if (error.code === '42704') return []
    throw error
  }
}

beforeEach(async () => {
  db = new Client({ connectionString: process.env.DATABASE_URL })
  await db.connect()
  await db.query("CREATE TEMP TABLE users AS SELECT n AS id, 'user ' || n AS name FROM generate_series(101, 120) n")
  await db.query('CREATE TEMP TABLE orders AS SELECT n AS id, 101 + n * 7 % 20 AS user_id FROM generate_series(1, 12) n')
  await set('plimsoll.scope', expect.getState().currentTestName)
})

afterEach(() => db.end())

test('a loop is found while the test runs', async () => {
  await set('plimsoll.max_statements', 5)
  const orders = await db.query('SELECT id, user_id FROM orders ORDER BY id')
  for (const { user_id } of orders.rows) {
    await db.query('SELECT id, name FROM users WHERE id = $1', [user_id])
  }
  const codes = (await findings()).map((finding) => finding.code)
  expect(codes).toEqual(expect.arrayContaining(['n-plus-one', 'too-many-statements']))
})

test('a join is not', async () => {
  await db.query('SELECT orders.id, name FROM orders JOIN users ON users.id = user_id')
  expect(await findings()).toEqual([])
})
