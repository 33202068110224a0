-- What a run came to. One row a run; everything else goes with it.
CREATE TABLE plimsoll.runs (
    run_id text PRIMARY KEY,
    run_at timestamptz NOT NULL,
    project text NOT NULL,
    verdict text NOT NULL,
    verdict_reason text,
    complete boolean NOT NULL,
    git_commit text,
    git_branch text,
    server_version text,
    server_version_num integer,
    target_kind text,
    fsync boolean,
    synchronous_commit text,
    full_page_writes boolean,
    plimsoll_version text NOT NULL,
    seed numeric(20, 0) NOT NULL,
    cpu_count integer NOT NULL,
    operating_system text NOT NULL
);
CREATE INDEX runs_run_at ON plimsoll.runs (run_at);

CREATE TABLE plimsoll.scenarios (
    run_id text NOT NULL REFERENCES plimsoll.runs ON DELETE CASCADE,
    scenario text NOT NULL,
    verdict text NOT NULL,
    verdict_reason text,
    summary text NOT NULL,
    duration_ms bigint NOT NULL,
    PRIMARY KEY (run_id, scenario)
);

-- Every number, in the unit it was measured in.
CREATE TABLE plimsoll.measurements (
    run_id text NOT NULL REFERENCES plimsoll.runs ON DELETE CASCADE,
    scenario text NOT NULL,
    ordinal integer NOT NULL,
    subject text NOT NULL,
    volume text,
    variant text NOT NULL,
    metric text NOT NULL,
    unit text NOT NULL,
    value double precision,
    samples bigint NOT NULL,
    interval_low double precision,
    interval_high double precision,
    confidence double precision,
    PRIMARY KEY (run_id, scenario, ordinal)
);
CREATE INDEX measurements_metric ON plimsoll.measurements (metric, subject);

-- One row a query, volume and run: the figures of `slow-queries` side by side, in milliseconds.
CREATE TABLE plimsoll.benchmark_results (
    run_at timestamptz NOT NULL,
    volume text NOT NULL,
    query_label text NOT NULL,
    avg_ms double precision,
    p95_ms double precision,
    max_ms double precision,
    run_id text NOT NULL REFERENCES plimsoll.runs ON DELETE CASCADE,
    project text NOT NULL,
    p50_ms double precision,
    p90_ms double precision,
    p99_ms double precision,
    p95_low_ms double precision,
    p95_high_ms double precision,
    p95_confidence double precision,
    samples bigint,
    buffers double precision,
    rows_returned double precision,
    rows_read double precision,
    git_commit text,
    git_branch text,
    server_version text,
    PRIMARY KEY (run_id, volume, query_label)
);
CREATE INDEX benchmark_results_run_at ON plimsoll.benchmark_results (run_at);

CREATE TABLE plimsoll.findings (
    run_id text NOT NULL REFERENCES plimsoll.runs ON DELETE CASCADE,
    scenario text NOT NULL,
    ordinal integer NOT NULL,
    code text NOT NULL,
    severity text NOT NULL,
    subject text NOT NULL,
    message text NOT NULL,
    evidence text[] NOT NULL,
    next_step text NOT NULL,
    path text,
    line integer,
    PRIMARY KEY (run_id, scenario, ordinal)
);
CREATE INDEX findings_code ON plimsoll.findings (code);

-- Doubt: of a scenario, or of the whole run where `scenario` is empty.
CREATE TABLE plimsoll.warnings (
    run_id text NOT NULL REFERENCES plimsoll.runs ON DELETE CASCADE,
    scenario text NOT NULL,
    ordinal integer NOT NULL,
    code text NOT NULL,
    message text NOT NULL,
    PRIMARY KEY (run_id, scenario, ordinal)
);
