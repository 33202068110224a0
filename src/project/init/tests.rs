//! What is proposed for a small shop.

use super::*;

fn column(name: &str, kind: ColumnKind) -> ExistingColumn {
    ExistingColumn {
        name: name.to_owned(),
        kind,
        has_default: false,
        not_null: true,
        is_unique: false,
        reference: None,
        null_share: 0.0,
        distinct: 100.0,
        most_common: Vec::new(),
        bounds: Vec::new(),
        width_bytes: 8,
    }
}

fn shop() -> ExistingDatabase {
    let texts = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
    let shares =
        |values: &[(&str, f64)]| values.iter().map(|(value, share)| ((*value).to_owned(), *share)).collect();
    let key = || ExistingColumn { is_unique: true, ..column("id", ColumnKind::Integer) };
    let amounts: Vec<String> = (0..=20).map(|n| format!("{:.2}", 5.0 * 1.3_f64.powi(n))).collect();
    let users = ExistingTable {
        schema: None,
        name: "users".to_owned(),
        rows: 20_000,
        columns: vec![
            key(),
            ExistingColumn { is_unique: true, ..column("email", ColumnKind::Text(Some(60))) },
            ExistingColumn {
                most_common: shares(&[("t", 0.9), ("f", 0.1)]),
                ..column("active", ColumnKind::Boolean)
            },
            column("point", ColumnKind::Other("point".to_owned())),
        ],
    };
    let orders = ExistingTable {
        schema: Some("app".to_owned()),
        name: "Orders".to_owned(),
        rows: 600_000,
        columns: vec![
            key(),
            ExistingColumn {
                reference: Some(("users".to_owned(), "id".to_owned())),
                most_common: shares(&[("1", 0.1), ("2", 0.05), ("3", 0.033), ("4", 0.025), ("5", 0.02)]),
                ..column("user_id", ColumnKind::Integer)
            },
            ExistingColumn {
                most_common: shares(&[("paid", 0.6001), ("it's \"lost\"", 0.2999)]),
                null_share: 0.1,
                not_null: false,
                ..column("status", ColumnKind::Text(None))
            },
            ExistingColumn { bounds: amounts, ..column("total", ColumnKind::Number(Some(2))) },
            ExistingColumn {
                bounds: texts(&["2024-01-01 00:00:00+00", "2025-12-31 20:00:00+00"]),
                ..column("created_at", ColumnKind::Time)
            },
            ExistingColumn { width_bytes: 40, ..column("note", ColumnKind::Text(Some(50))) },
            ExistingColumn { has_default: true, ..column("data", ColumnKind::Json) },
        ],
    };
    let coupons =
        ExistingTable { name: "coupons".to_owned(), columns: vec![key()], ..ExistingTable::default() };
    ExistingDatabase {
        name: "shop".to_owned(),
        tables: vec![orders, users, coupons],
        ..ExistingDatabase::default()
    }
}

#[test]
fn settings_and_distributions_follow_the_statistics() {
    let proposal = propose(&shop());
    let texts: Vec<String> =
        proposal.files.iter().map(|file| format!("=== {}\n{}", file.path.display(), file.text)).collect();
    insta::assert_snapshot!(texts.join("\n"), @r#"
    === plimsoll.toml
    # Proposed from the database shop. Every key is described in docs/reference-project.md.

    [volumes]                # multiples of the rows declared in data/distributions.toml
    small = 0.017
    full = 1

    [budgets]                # for queries without one of their own
    p95 = "50ms"

    === data/distributions.toml
    # Proposed from the database's statistics. Categories below are values of that database:
    # look through them before you publish this file. Columns that are not named take their default.
    seed = 42
    # Left out, for they are empty or ANALYZE never saw them: coupons

    [app.Orders]
    rows = 600000
    id = { sequence = 1 }
    user_id = { references = "users.id", skew = "zipf", s = 1 }
    status = { one_of = { "paid" = 0.6668, "it's \"lost\"" = 0.3332 }, nulls = 0.1 }
    total = { lognormal = { median = 68.93, sigma = 1.5742 }, scale = 2, min = 5, max = 950.25 }
    created_at = { spread = ["2024-01-01", "2026-01-01"] }
    note = { text = { min = 20, max = 50 } }

    [users]
    rows = 20000
    id = { sequence = 1 }
    email = { template = "users{row}", unique = true }
    active = { bool = 0.9 }
    # point needs a source (point)
    "#);
}

#[test]
fn statements_become_queries_where_every_parameter_is_understood() {
    let statements = [
        "SELECT * FROM users WHERE id = $1 LIMIT $2",
        "SELECT u.email, o.total FROM app.\"Orders\" AS o JOIN users u ON u.id = o.user_id WHERE o.user_id = $1 AND o.created_at BETWEEN $2 AND $3",
        "select email from users where id = any($1)",
        "select email from users where active is true and id in ($1, $2) and email not like $3",
        // Nothing says what these are.
        "SELECT $1",
        "SELECT * FROM users WHERE lower(email) = $1",
        "SELECT * FROM users, app.\"Orders\" WHERE id = $1",
        "SELECT * FROM elsewhere WHERE id = $1",
        "INSERT INTO users VALUES ($1)",
        "SELECT * FROM users WHERE id = $1 FOR UPDATE",
    ];
    let statement = |text: &&str| ExistingStatement { text: (*text).to_owned(), calls: 1200, mean_us: 523.4 };
    let proposal =
        propose(&ExistingDatabase { statements: statements.iter().map(statement).collect(), ..shop() });
    assert_eq!(proposal.statements_left_out, 6);
    let queries = proposal.files.iter().filter(|file| file.path.starts_with("queries"));
    let texts: Vec<String> =
        queries.map(|file| format!("=== {}\n{}", file.path.display(), file.text)).collect();
    insta::assert_snapshot!(texts.join("\n"), @r#"
    === queries/users_by_id.sql
    -- name: users_by_id
    -- param: id = sample(users.id)
    -- param: limit = 20
    -- Asked 1200 times when the project was made, 0.523 ms on average.
    SELECT * FROM users WHERE id = :id LIMIT :limit;

    === queries/orders_by_user_id_and_created_at.sql
    -- name: orders_by_user_id_and_created_at
    -- param: user_id = sample(app."Orders".user_id)
    -- param: created_at = sample(app."Orders".created_at)
    -- param: created_at_2 = sample(app."Orders".created_at)
    -- Asked 1200 times when the project was made, 0.523 ms on average.
    SELECT u.email, o.total FROM app."Orders" AS o JOIN users u ON u.id = o.user_id WHERE o.user_id = :user_id AND o.created_at BETWEEN :created_at AND :created_at_2;

    === queries/users_by_ids.sql
    -- name: users_by_ids
    -- param: ids = list(sample(users.id), 10)
    -- Asked 1200 times when the project was made, 0.523 ms on average.
    select email from users where id = any(:ids);

    === queries/users_by_id_and_id_2.sql
    -- name: users_by_id_and_id_2
    -- param: id = sample(users.id)
    -- param: id_2 = sample(users.id)
    -- param: email = sample(users.email)
    -- Asked 1200 times when the project was made, 0.523 ms on average.
    select email from users where active is true and id in (:id, :id_2) and email not like :email;
    "#);
}

#[test]
fn a_dump_becomes_a_migration() {
    let dump = "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\nSET statement_timeout = 0;\nSELECT pg_catalog.set_config('search_path', '', false);\n\n\nCREATE TABLE public.t (\n    id integer\n);\n\n\\unrestrict abc\n";
    let proposal =
        propose(&ExistingDatabase { schema_sql: Some(dump.to_owned()), ..ExistingDatabase::default() });
    assert_eq!(proposal.files[1].path, PathBuf::from("migrations/001_baseline.sql"));
    insta::assert_snapshot!(proposal.files[1].text, @r"
    -- The schema as it was when the project was made.

    CREATE TABLE public.t (
        id integer
    );
    ");
}
