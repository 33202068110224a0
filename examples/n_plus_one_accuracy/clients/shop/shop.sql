-- The shop that the real clients talk to. All keys are small numbers of the
-- same range on purpose: columns coincide, and only the flow tells them apart.
CREATE TABLE countries (code text PRIMARY KEY, name text NOT NULL);
CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL, country_code text NOT NULL REFERENCES countries);
CREATE TABLE addresses (id int PRIMARY KEY, city text NOT NULL);
CREATE TABLE orders (
    id int PRIMARY KEY, user_id int NOT NULL REFERENCES users, address_id int NOT NULL REFERENCES addresses,
    status text NOT NULL, created_at timestamptz NOT NULL);
CREATE TABLE makers (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE products (id int PRIMARY KEY, name text NOT NULL, maker_id int NOT NULL REFERENCES makers);
CREATE TABLE order_items (
    id int PRIMARY KEY, order_id int NOT NULL REFERENCES orders, product_id int NOT NULL REFERENCES products,
    warehouse_id int NOT NULL, quantity int NOT NULL);
CREATE INDEX ON order_items (order_id);
CREATE TABLE stock (product_id int, warehouse_id int, amount int NOT NULL, PRIMARY KEY (product_id, warehouse_id));
CREATE TABLE documents (id uuid PRIMARY KEY, owner_id int NOT NULL, title text NOT NULL);
CREATE TABLE revisions (id int PRIMARY KEY, document_id uuid NOT NULL REFERENCES documents, body text NOT NULL);
CREATE TABLE attachments (id int PRIMARY KEY, subject_type text NOT NULL, subject_id int NOT NULL);
CREATE TABLE settings (name text PRIMARY KEY, value text NOT NULL);
CREATE TABLE events (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text NOT NULL, subject_id int NOT NULL);

INSERT INTO countries SELECT 'C' || n, 'country ' || n FROM generate_series(1, 30) n;
INSERT INTO users SELECT n, 'user' || n || '@example.com', 'C' || n * 11 % 30 + 1 FROM generate_series(1, 40) n;
INSERT INTO addresses SELECT n, 'city ' || n FROM generate_series(1, 50) n;
INSERT INTO orders SELECT n, n * (n + 3) % 23 + 1, n * 13 % 50 + 1,
    (ARRAY['paid', 'shipped', 'pending'])[n % 3 + 1], timestamptz '2024-01-01' + n * interval '1 hour'
    FROM generate_series(1, 200) n;
INSERT INTO makers SELECT n, 'maker ' || n FROM generate_series(1, 15) n;
INSERT INTO products SELECT n, 'product ' || n, n * 7 % 15 + 1 FROM generate_series(1, 60) n;
INSERT INTO order_items SELECT row_number() OVER (ORDER BY n, line), n, (n * 5 + line * 11) % 60 + 1, line + 1, line + 1
    FROM generate_series(1, 200) n, LATERAL generate_series(1, n % 4) line;
INSERT INTO stock SELECT p, w, p * w FROM generate_series(1, 60) p, generate_series(1, 4) w;
INSERT INTO documents SELECT md5(n::text)::uuid, n, 'document ' || n FROM generate_series(1, 25) n;
INSERT INTO revisions SELECT n, md5((n % 25 + 1)::text)::uuid, 'text' FROM generate_series(1, 60) n;
INSERT INTO attachments SELECT n, (ARRAY['user', 'product', 'address'])[n % 3 + 1], n FROM generate_series(1, 36) n;
INSERT INTO settings VALUES ('currency', 'EUR'), ('locale', 'de'), ('theme', 'dark'), ('mode', 'live');

CREATE FUNCTION order_total(wanted int) RETURNS bigint STABLE LANGUAGE sql AS
    'SELECT coalesce(sum(quantity), 0) FROM order_items WHERE order_id = wanted';
ANALYZE;
