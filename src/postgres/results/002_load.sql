-- Every budget with what was measured against it, in the budget's unit.
CREATE TABLE plimsoll.budgets (
    run_id text NOT NULL REFERENCES plimsoll.runs ON DELETE CASCADE,
    ordinal integer NOT NULL,
    volume text NOT NULL,
    query_label text NOT NULL,
    budget text NOT NULL,
    verdict text NOT NULL,
    unit text NOT NULL,
    value double precision,
    budget_limit double precision,
    interval_low double precision,
    interval_high double precision,
    PRIMARY KEY (run_id, ordinal)
);

-- Throughput and latency at a number of concurrent sessions.
CREATE TABLE plimsoll.load_points (
    run_id text NOT NULL REFERENCES plimsoll.runs ON DELETE CASCADE,
    ordinal integer NOT NULL,
    subject text NOT NULL,
    sessions integer NOT NULL,
    hot_rows integer,
    ordered boolean,
    duration_s double precision NOT NULL,
    committed bigint NOT NULL,
    deadlocks bigint NOT NULL,
    retries bigint NOT NULL,
    p50_ms double precision,
    p99_ms double precision,
    PRIMARY KEY (run_id, ordinal)
);
