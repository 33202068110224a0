-- Every rate that `plimsoll load` offered, and what came back. The line itself is in
-- `measurements`: metrics `holds_at` and `breaks_at` of scenario `load`.
CREATE TABLE plimsoll.load_steps (
    run_id text NOT NULL REFERENCES plimsoll.runs ON DELETE CASCADE,
    ordinal integer NOT NULL,
    volume text NOT NULL,
    loop_kind text NOT NULL,
    offered_per_s double precision NOT NULL,
    outcome text NOT NULL,
    because text NOT NULL,
    requests bigint NOT NULL,
    completed bigint NOT NULL,
    completed_per_s double precision NOT NULL,
    queued bigint NOT NULL,
    dropped bigint NOT NULL,
    errors bigint NOT NULL,
    p50_ms double precision,
    p95_ms double precision,
    p99_ms double precision,
    service_p95_ms double precision,
    generator_late_p99_ms double precision,
    generator_cpu_share double precision,
    slices integer NOT NULL,
    PRIMARY KEY (run_id, ordinal)
);
