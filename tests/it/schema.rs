//! The schema as text: the same text for the same schema, on every supported version.

use crate::support;
use plimsoll::postgres::schema_text;

const SCHEMA: &str = "
    CREATE SCHEMA app;
    CREATE TYPE app.mood AS ENUM ('sad', 'fine', 'happy');
    CREATE DOMAIN positive AS int NOT NULL CHECK (VALUE > 0);
    CREATE TABLE app.people (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text COLLATE \"C\" NOT NULL DEFAULT 'no''body',
        mood app.mood,
        age positive,
        dropped int,
        twice int GENERATED ALWAYS AS (length(name) * 2) STORED,
        CONSTRAINT grown CHECK (length(name) > 1)
    );
    ALTER TABLE app.people DROP COLUMN dropped;
    CREATE UNLOGGED TABLE notes (person bigint NOT NULL REFERENCES app.people ON DELETE CASCADE, note text)
        WITH (fillfactor = 70);
    CREATE INDEX notes_by_person ON notes (person DESC) WHERE note IS NOT NULL;
    CREATE TABLE events (at timestamptz NOT NULL) PARTITION BY RANGE (at);
    CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
    CREATE VIEW one AS SELECT 1 AS one;
    CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
    CREATE TRIGGER touch BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION nothing();
";

#[tokio::test]
async fn every_kind_of_object_has_its_lines() {
    let database = support::database("schema").await;
    database.execute("CREATE SCHEMA plimsoll; CREATE TABLE plimsoll.migrations ()").await;
    database.execute(SCHEMA).await;
    insta::assert_snapshot!(schema_text(&database.session().await).await.unwrap());
}

#[tokio::test]
async fn the_text_depends_on_the_schema_alone() {
    let (first, second) = (support::database("schema one").await, support::database("schema two").await);
    first.execute("CREATE TABLE a (x int); CREATE TABLE b (y int)").await;
    second
        .execute("SET search_path = public, pg_catalog; CREATE TABLE b (y int); CREATE TABLE a (x int)")
        .await;
    let text = async |database: &support::TestDatabase| {
        let session = database.session().await;
        session.batch_execute("SET search_path = public").await.unwrap();
        schema_text(&session).await.unwrap()
    };
    assert_eq!(text(&first).await, text(&second).await);
    second.execute("ALTER TABLE a ALTER x SET NOT NULL").await;
    assert_ne!(text(&first).await, text(&second).await);
}
