-- A freight forwarder: what it ships, for whom, on which voyages, at what price.

CREATE TABLE countries (
    code text PRIMARY KEY,
    name text NOT NULL,
    currency text NOT NULL
);

CREATE TABLE ports (
    code text PRIMARY KEY,
    country_code text NOT NULL REFERENCES countries,
    name text NOT NULL,
    timezone text
);

CREATE TABLE regions (
    id int PRIMARY KEY,
    parent_id int REFERENCES regions,
    name text NOT NULL
);

CREATE TABLE depots (
    id int PRIMARY KEY,
    region_id int NOT NULL REFERENCES regions,
    port_code text REFERENCES ports,
    name text NOT NULL,
    capacity int NOT NULL
);

CREATE TABLE staff (
    id int PRIMARY KEY,
    depot_id int REFERENCES depots,
    manager_id int REFERENCES staff,
    email text NOT NULL UNIQUE,
    role text NOT NULL
);

CREATE TABLE customers (
    id int PRIMARY KEY,
    name text NOT NULL,
    country_code text NOT NULL REFERENCES countries,
    account_manager_id int REFERENCES staff,
    credit_limit numeric(12, 2),
    created_at timestamptz NOT NULL
);

CREATE TABLE contacts (
    id int PRIMARY KEY,
    customer_id int NOT NULL REFERENCES customers,
    name text NOT NULL,
    phone text
);

CREATE TABLE vessels (
    imo text PRIMARY KEY,
    name text NOT NULL,
    flag text NOT NULL REFERENCES countries,
    built int
);

CREATE TABLE voyages (
    id int PRIMARY KEY,
    vessel_imo text NOT NULL REFERENCES vessels,
    number text NOT NULL,
    departs_on date NOT NULL,
    arrives_on date
);

CREATE TABLE port_calls (
    voyage_id int NOT NULL REFERENCES voyages,
    seq int NOT NULL,
    port_code text NOT NULL REFERENCES ports,
    berth text,
    arrives_at timestamptz NOT NULL,
    PRIMARY KEY (voyage_id, seq)
);

CREATE TABLE containers (
    id text PRIMARY KEY,
    kind text NOT NULL,
    depot_id int REFERENCES depots,
    tare_kg int NOT NULL
);

CREATE TABLE drivers (
    id int PRIMARY KEY,
    depot_id int NOT NULL REFERENCES depots,
    name text NOT NULL,
    licence text
);

CREATE TABLE shipments (
    id uuid PRIMARY KEY,
    reference text NOT NULL UNIQUE,
    customer_id int NOT NULL REFERENCES customers,
    voyage_id int REFERENCES voyages,
    origin text NOT NULL REFERENCES ports,
    destination text NOT NULL REFERENCES ports,
    status text NOT NULL,
    weight_kg int NOT NULL,
    booked_at timestamptz NOT NULL
);

CREATE TABLE legs (
    id int PRIMARY KEY,
    shipment_id uuid NOT NULL REFERENCES shipments,
    seq int NOT NULL,
    from_port text NOT NULL REFERENCES ports,
    to_port text NOT NULL REFERENCES ports,
    mode text NOT NULL,
    driver_id int REFERENCES drivers,
    km int NOT NULL,
    UNIQUE (shipment_id, seq)
);

CREATE TABLE shipment_containers (
    shipment_id uuid NOT NULL REFERENCES shipments,
    container_id text NOT NULL REFERENCES containers,
    sealed_by text,
    PRIMARY KEY (shipment_id, container_id)
);

CREATE TABLE tracking_events (
    id bigint PRIMARY KEY,
    container_id text NOT NULL REFERENCES containers,
    port_code text REFERENCES ports,
    kind text NOT NULL,
    happened_at timestamptz NOT NULL
);

CREATE TABLE tariffs (
    code text PRIMARY KEY,
    label text NOT NULL,
    unit_price numeric(10, 2) NOT NULL,
    surcharge_code text REFERENCES tariffs
);

CREATE TABLE invoices (
    id int PRIMARY KEY,
    customer_id int NOT NULL REFERENCES customers,
    shipment_id uuid REFERENCES shipments,
    number text NOT NULL UNIQUE,
    issued_on date NOT NULL,
    paid_on date,
    total numeric(12, 2)
);

CREATE TABLE invoice_lines (
    invoice_id int NOT NULL REFERENCES invoices,
    line_no int NOT NULL,
    tariff_code text NOT NULL REFERENCES tariffs,
    quantity int NOT NULL,
    PRIMARY KEY (invoice_id, line_no)
);

-- What is attached to a shipment, an invoice or a customer.
CREATE TABLE documents (
    id int PRIMARY KEY,
    owner_type text NOT NULL,
    owner_id text NOT NULL,
    title text NOT NULL,
    pages int
);
CREATE INDEX ON documents (owner_type, owner_id);

CREATE TABLE grants (
    staff_id int NOT NULL REFERENCES staff,
    customer_id int NOT NULL REFERENCES customers,
    level text NOT NULL,
    PRIMARY KEY (staff_id, customer_id)
);

CREATE TABLE settings (
    name text PRIMARY KEY,
    value text NOT NULL
);

CREATE TABLE exchange_rates (
    currency text NOT NULL,
    valid_on date NOT NULL,
    rate numeric(10, 4) NOT NULL,
    PRIMARY KEY (currency, valid_on)
);

CREATE TABLE jobs (
    id bigserial PRIMARY KEY,
    queue text NOT NULL,
    payload jsonb NOT NULL,
    state text NOT NULL DEFAULT 'queued',
    attempts int NOT NULL DEFAULT 0
);

CREATE TABLE audit_log (
    id bigserial PRIMARY KEY,
    actor text NOT NULL,
    subject text NOT NULL,
    note text,
    logged_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO countries
SELECT c.code, c.name, c.currency
FROM (VALUES
    ('NL', 'Netherlands', 'EUR'), ('DE', 'Germany', 'EUR'), ('GB', 'United Kingdom', 'GBP'),
    ('US', 'United States', 'USD'), ('CN', 'China', 'CNY'), ('SG', 'Singapore', 'SGD'),
    ('JP', 'Japan', 'JPY'), ('BR', 'Brazil', 'BRL'), ('DK', 'Denmark', 'DKK'),
    ('PA', 'Panama', 'USD'), ('ZA', 'South Africa', 'ZAR'), ('IN', 'India', 'INR')
) AS c (code, name, currency);

INSERT INTO ports
SELECT c.code || p.suffix, c.code, c.name || ' ' || p.place, CASE WHEN p.suffix <> 'HBR' THEN 'UTC' END
FROM countries AS c, (VALUES ('NTH', 'North'), ('STH', 'South'), ('HBR', 'Harbour')) AS p (suffix, place);

-- 4 continents, 3 areas in each, 2 districts in each area.
INSERT INTO regions
SELECT n, CASE WHEN n <= 4 THEN NULL WHEN n <= 16 THEN (n - 5) / 3 + 1 ELSE (n - 17) / 2 + 5 END, 'Region ' || n
FROM generate_series(1, 40) AS n;

INSERT INTO depots
SELECT n, 17 + n % 24, (SELECT code FROM ports ORDER BY code OFFSET n % 36 LIMIT 1), 'Depot ' || n, 50 + n * 7 % 90
FROM generate_series(1, 24) AS n;
UPDATE depots SET port_code = NULL WHERE id % 6 = 0;

INSERT INTO staff
SELECT n, CASE WHEN n % 7 <> 0 THEN n % 24 + 1 END, CASE WHEN n > 5 THEN n % 5 + 1 END, 'staff' || n || '@freight.example',
    CASE n % 4 WHEN 0 THEN 'sales' WHEN 1 THEN 'clerk' WHEN 2 THEN 'planner' ELSE 'finance' END
FROM generate_series(1, 60) AS n;

INSERT INTO customers
SELECT n, 'Customer ' || n, (SELECT code FROM countries ORDER BY code OFFSET n % 12 LIMIT 1),
    CASE WHEN n % 9 <> 0 THEN n % 30 + 1 END, CASE WHEN n % 4 <> 0 THEN n * 500 END,
    timestamptz '2024-01-01 00:00Z' + n * interval '31 hours'
FROM generate_series(1, 120) AS n;

INSERT INTO contacts
SELECT n, (n - 1) / 3 + 1, 'Contact ' || n, CASE WHEN n % 5 <> 0 THEN '+31 20 ' || 1000 + n END
FROM generate_series(1, 360) AS n;

INSERT INTO vessels
SELECT (9100000 + n * 13)::text, 'MV Freighter ' || n, (ARRAY['PA', 'SG', 'DK', 'NL'])[n % 4 + 1],
    CASE WHEN n % 5 <> 0 THEN 1995 + n END
FROM generate_series(1, 18) AS n;

INSERT INTO voyages
SELECT n, (9100000 + (n % 18 + 1) * 13)::text, 'V' || lpad(n::text, 4, '0'), date '2025-01-03' + n * 4,
    CASE WHEN n <= 70 THEN date '2025-01-24' + n * 4 END
FROM generate_series(1, 90) AS n;

INSERT INTO port_calls
SELECT v.id, s, (SELECT code FROM ports ORDER BY code OFFSET (v.id * 5 + s * 7) % 36 LIMIT 1),
    CASE WHEN s <> 3 THEN 'B' || s END, v.departs_on + s * interval '3 days'
FROM voyages AS v, generate_series(1, 6) AS s;

INSERT INTO containers
SELECT 'FRTU' || lpad((n * 7919 % 1000000)::text, 6, '0'), (ARRAY['20GP', '40GP', '40HC', '20RF'])[n % 4 + 1],
    CASE WHEN n % 3 <> 0 THEN n % 24 + 1 END, 2200 + n % 17 * 30
FROM generate_series(1, 300) AS n;

INSERT INTO drivers
SELECT n, n % 24 + 1, 'Driver ' || n, CASE WHEN n % 8 <> 0 THEN 'CE-' || 4000 + n END
FROM generate_series(1, 80) AS n;

INSERT INTO shipments
SELECT md5('shipment ' || n)::uuid, 'SHP-' || lpad(n::text, 5, '0'), (n * 7) % 120 + 1,
    CASE WHEN n % 10 <> 0 THEN n % 90 + 1 END,
    (SELECT code FROM ports ORDER BY code OFFSET n % 36 LIMIT 1),
    (SELECT code FROM ports ORDER BY code OFFSET (n * 5 + 11) % 36 LIMIT 1),
    (ARRAY['booked', 'in_transit', 'delivered', 'delivered', 'held'])[n % 5 + 1], 500 + n * 37 % 20000,
    timestamptz '2025-01-01 08:00Z' + n * interval '9 hours'
FROM generate_series(1, 600) AS n;

INSERT INTO legs
SELECT row_number() OVER (ORDER BY s.reference, l), s.id, l, s.origin, s.destination,
    (ARRAY['truck', 'sea', 'rail'])[l], CASE WHEN l = 1 THEN substr(s.reference, 5)::int % 80 + 1 END,
    40 + substr(s.reference, 5)::int * l % 900
FROM shipments AS s, generate_series(1, 3) AS l;

INSERT INTO shipment_containers
SELECT s.id, c.id, CASE WHEN k = 1 THEN 'staff' || substr(s.reference, 5)::int % 60 + 1 END
FROM shipments AS s, generate_series(1, 2) AS k,
    LATERAL (SELECT id FROM containers ORDER BY id OFFSET (substr(s.reference, 5)::int * 2 + k) % 300 LIMIT 1) AS c;

INSERT INTO tracking_events
SELECT row_number() OVER (ORDER BY c.id, k), c.id,
    CASE WHEN k % 4 <> 0 THEN (SELECT code FROM ports ORDER BY code OFFSET (k * 11 + c.tare_kg / 30) % 36 LIMIT 1) END,
    (ARRAY['gate_in', 'loaded', 'discharged', 'gate_out'])[k % 4 + 1],
    timestamptz '2025-02-01 00:00Z' + k * interval '19 hours'
FROM containers AS c, generate_series(1, 7) AS k;

INSERT INTO tariffs
SELECT 'T' || lpad(n::text, 3, '0'), 'Tariff ' || n, 12.50 + n * 3, CASE WHEN n > 20 THEN 'T' || lpad((n - 20)::text, 3, '0') END
FROM generate_series(1, 45) AS n;

INSERT INTO invoices
SELECT n, (n * 7) % 120 + 1, CASE WHEN n % 12 <> 0 THEN md5('shipment ' || n)::uuid END, 'INV-2025-' || lpad(n::text, 4, '0'),
    date '2025-01-05' + n / 2, CASE WHEN n % 3 <> 0 THEN date '2025-02-05' + n / 2 END, NULL
FROM generate_series(1, 400) AS n;

INSERT INTO invoice_lines
SELECT i.id, l, 'T' || lpad(((i.id * 3 + l * 5) % 45 + 1)::text, 3, '0'), 1 + (i.id + l) % 9
FROM invoices AS i, generate_series(1, 5 + i.id % 3) AS l;

INSERT INTO documents
SELECT n,
    (ARRAY['shipment', 'invoice', 'customer'])[n % 3 + 1],
    CASE n % 3 WHEN 0 THEN md5('shipment ' || n)::uuid::text WHEN 1 THEN n::text ELSE (n % 120 + 1)::text END,
    'Document ' || n, CASE WHEN n % 4 <> 0 THEN 1 + n % 12 END
FROM generate_series(1, 390) AS n;

INSERT INTO grants
SELECT s, c, CASE WHEN (s + c) % 3 = 0 THEN 'write' ELSE 'read' END
FROM generate_series(1, 20) AS s, generate_series(1, 120) AS c
WHERE (s * c) % 4 <> 0;

INSERT INTO settings VALUES
    ('company.name', 'Blue Anchor Forwarding'), ('company.vat', 'NL001234567B01'), ('invoice.due_days', '30'),
    ('invoice.prefix', 'INV'), ('mail.from', 'desk@freight.example'), ('tracking.stale_hours', '48'),
    ('ui.page_size', '25'), ('ui.locale', 'en-GB');

INSERT INTO exchange_rates
SELECT c.currency, date '2025-01-01' + d, 1 + (d % 17) * 0.01 + length(c.currency) * 0.1
FROM (SELECT DISTINCT currency FROM countries WHERE currency <> 'EUR') AS c, generate_series(0, 89) AS d;

INSERT INTO jobs (queue, payload)
SELECT (ARRAY['mail', 'customs', 'billing'])[n % 3 + 1], jsonb_build_object('shipment', 'SHP-' || lpad(n::text, 5, '0'))
FROM generate_series(1, 60) AS n;

CREATE INDEX ON legs (driver_id);
CREATE INDEX ON shipments (customer_id);
CREATE INDEX ON shipments (voyage_id);
CREATE INDEX ON tracking_events (container_id, happened_at);
CREATE INDEX ON invoices (customer_id);
