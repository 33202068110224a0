//! Tables and properties of shapes.

use super::*;
use proptest::prelude::*;

fn check(texts: &[&str], expected: &str) {
    for text in texts {
        assert_eq!(shape(text).text, expected, "{text}");
    }
    assert_eq!(shape(expected).text, expected, "a shape's shape is itself");
}

#[test]
fn literals_and_parameters_are_one_form() {
    check(
        &[
            "SELECT * FROM users WHERE id = 17",
            "select *\nfrom users -- all\nwhere id=$1;",
            "select * from users where id = '17'::bigint",
            "select * from users where id = $1::int8 ;",
            "select * from users where id = :id",
            "select * from users where id = -17",
            "select * from users where id = - 17",
            "select * from users where id = null",
            "/* x='y' */ select * from users where id = $$17$$",
            "select * from users where id = int '17'",
            "select * from users where id = ?",
        ],
        "select * from users where id = ?",
    );
}

#[test]
fn casts_and_typed_literals_fold() {
    check(
        &[
            "select a > timestamp with time zone '2024-01-01'",
            "select a > date '2024-01-01'",
            "select a > $1::timestamp(3) with time zone",
            "select a > '1'::character varying(10)",
            "select a > '1'::double precision",
            "select a > '{1,2}'::pg_catalog.int4[][3]",
            "select a > '1'::text::int",
            "select a > 'x'\n  'y'",
            "select a > '1'::\"Order Status\"",
        ],
        "select a > ?",
    );
    check(&["select a::int, CAST ($1 AS int)"], "select a::int, cast(? as int)");
    check(&["select '1'::int [1:2]"], "select ?[? : ?]");
    check(&["select now() - INTERVAL '1 day'"], "select now() - ?");
}

#[test]
fn lists_collapse() {
    check(
        &["select 1 where a IN (1,2,3)", "select 1 where a in ($1)", "select 2 where a in ('x', :y, NULL)"],
        "select ? where a in (?)",
    );
    check(
        &[
            "select a = any(array[1,2,3])",
            "select a = ANY ($1::int[])",
            "select a = any(array[[1,2],[3,4]])",
            "select a = any(ARRAY[]::int[])",
        ],
        "select a = any(?)",
    );
    check(&["select a = any('{1,2}')"], "select a = any(?)");
    check(
        &["insert into t (a, b) values (1, 2), (3, 4), (5, 6)", "INSERT INTO t(a,b) VALUES ($1,$2)"],
        "insert into t(a, b) values (?, ?)",
    );
    check(
        &["insert into t values (1, default, now()), (2, default, now()) on conflict do nothing"],
        "insert into t values (?, default, now()) on conflict do nothing",
    );
    check(
        &["select 1 where (a, b) in ((1, 2), (3, 4))"],
        "select ? where(a, b) in ((?, ?))".replace("where(", "where (").as_str(),
    );
    check(&["select 1 where a in (select b, b from t)"], "select ? where a in (select b, b from t)");
    check(&["select 1 where a in (values (1), (2))"], "select ? where a in (values (?))");
    check(&["select * from (values (1, 2), (3, 4)) as t"], "select * from (values (?, ?)) as t");
    check(&["select f(1, 2), array[a, 1]"], "select f(?, ?), array[a, ?]");
    check(&["select a in (1, b, 2, 3)"], "select a in (?, b, ?)");
}

#[test]
fn signs_fold_only_where_they_are_unary() {
    check(&["select a - 1", "select a -1", "select a-$1"], "select a - ?");
    check(&["select (a) - -1"], "select (a) - ?");
    check(&["select -1, - - 1, +1"], "select ?, ?, ?");
    check(&["select * from t limit -1 offset -2"], "select * from t limit ? offset ?");
    check(&["select -a, count(*) from t"], "select - a, count(*) from t");
}

#[test]
fn question_marks_between_operands_are_operators() {
    check(&["select a ? 'k'", "select a?'k'"], "select a ? ?");
    check(&["select a ?| array['k', 'l'] and b = ?"], "select a ?| ? and b = ?");
}

#[test]
fn constants_are_values_and_tests_are_not() {
    check(&["update t set a = true, b = NULL where c is null"], "update t set a = ?, b = ? where c is null");
    check(
        &["select a is not true and b is distinct from null"],
        "select a is not true and b is distinct from ?",
    );
    check(&["alter table t alter a set not null"], "alter table t alter a set not null");
}

#[test]
fn identifiers_keep_their_quotes_and_lose_their_case() {
    check(&["SELECT \"Id\", U.Name FROM Users U"], "select \"Id\", u.name from users u");
    check(&["select É from t"], "select É from t");
}

#[test]
fn statements_in_one_text() {
    check(&["begin; select 1;", "BEGIN;\nselect $1 ; ; "], "begin; select ?");
    check(&["", ";", " -- nothing"], "");
}

#[test]
fn names_that_drivers_make_up_fold() {
    check(&["SAVEPOINT sa_savepoint_1", "savepoint \"s140_x2\";"], "savepoint ?");
    check(&["RELEASE SAVEPOINT a1"], "release savepoint ?");
    check(&["ROLLBACK TO SAVEPOINT \"a b\""], "rollback to savepoint ?");
    check(&["DEALLOCATE \"_pg3_0\""], "deallocate ?");
    check(&["deallocate all"], "deallocate all");
    check(
        &["DECLARE \"_django_curs_14_sync_2\" NO SCROLL CURSOR FOR SELECT a FROM t WHERE b = 5"],
        "declare ? no scroll cursor for select a from t where b = ?",
    );
    check(
        &["FETCH FORWARD 2000 FROM \"_django_curs_14_sync_2\"", "fetch forward 5 from c1"],
        "fetch forward ? from ?",
    );
    check(&["CLOSE \"c\"\"1\"", "close c1"], "close ?");
    check(&["declare \"a \"\"b\" cursor for select 1"], "declare ? cursor for select ?");
    check(&["rollback", "ROLLBACK;"], "rollback");
    check(&["delete from t", "DELETE FROM t"], "delete from t");
    check(&["commit"], "commit");
}

#[test]
fn the_hash_is_stable() {
    assert_eq!(shape("select 1").hash, xxh3_64(b"select ?"));
    assert_ne!(shape("select a").hash, shape("select b").hash);
}

/// Pieces that, in a row, make text near enough to SQL to reach every branch.
fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "select",
        "FROM",
        "in",
        "values",
        "array",
        "any",
        "null",
        "true",
        "is",
        "not",
        "date",
        "timestamp with time zone",
        "a",
        "B",
        "\"C\"",
        "é",
        "(",
        ")",
        "(",
        ")",
        "[",
        "]",
        ",",
        ",",
        ";",
        ".",
        "::",
        ":",
        "1",
        "2.5",
        "'s'",
        "$$d$$",
        "$1",
        ":p",
        "-",
        "+",
        "=",
        "?",
        "*",
        "?|",
        "->>",
        "int",
        "double precision",
        "/* c */",
        "-- c\n",
        "\\",
        "'open",
        "/* open",
    ])
}

/// A value as drivers write it.
fn value() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "1",
        "2.5",
        "-3",
        "- - 4",
        "'s'",
        "'a'\n'b'",
        "E'\\''",
        "$$d$$",
        "$1",
        ":p",
        "?",
        "null",
        "true",
        "'1'::int",
        "$2::text[]",
        "date '2024-01-01'",
        "- interval '1 day'",
        "timestamp with time zone '2024-01-01'",
        "array[1, 2]",
        "array[[1], [2]]::int[]",
    ])
    .prop_map(str::to_owned)
}

fn expression() -> impl Strategy<Value = String> {
    let column = prop::sample::select(vec!["a", "T.b", "\"C\"", "count(*)", "now()"]).prop_map(str::to_owned);
    prop_oneof![column, value()].prop_recursive(3, 24, 4, |inner| {
        let list = prop::collection::vec(inner.clone(), 1..4).prop_map(|items| items.join(","));
        prop_oneof![
            (
                inner.clone(),
                prop::sample::select(vec!["=", "-", "+", "->>", "?|", "and", "or", "like"]),
                inner.clone()
            )
                .prop_map(|(left, operator, right)| format!("{left} {operator} {right}")),
            list.clone().prop_map(|list| format!("({list})")),
            list.clone().prop_map(|list| format!("F({list})")),
            list.clone().prop_map(|list| format!("array[{list}]")),
            (inner.clone(), list).prop_map(|(left, list)| format!("({left}) IN ({list})")),
            inner.clone().prop_map(|inner| format!("({inner})::int")),
            inner.clone().prop_map(|inner| format!("a[{inner}]")),
            inner.clone().prop_map(|inner| format!("a is not null and not {inner}")),
            inner.prop_map(|inner| format!("a in (select b, b from t where {inner})")),
        ]
    })
}

fn statement() -> impl Strategy<Value = String> {
    let list = prop::collection::vec(expression(), 1..5).prop_map(|items| items.join(" , ")).boxed();
    let rows = prop::collection::vec(list.clone().prop_map(|row| format!("({row})")), 1..4);
    prop_oneof![
        (list, expression())
            .prop_map(|(list, filter)| format!("SELECT {list} FROM t WHERE {filter} LIMIT 5;")),
        rows.prop_map(|rows| format!("insert into t values {} returning *", rows.join(","))),
        expression().prop_map(|value| format!("update t set a = {value}, b = null; commit")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_survived(text in ".{0,60}") {
        let once = shape(&text);
        prop_assert_eq!(once.hash, xxh3_64(once.text.as_bytes()));
    }

    #[test]
    fn any_pieces_are_survived_twice(pieces in prop::collection::vec(piece(), 0..16)) {
        let once = shape(&pieces.join(" "));
        let _ = shape(&once.text);
    }

    #[test]
    fn the_shape_of_a_shape_is_itself(statement in statement()) {
        let once = shape(&statement);
        let twice = shape(&once.text);
        prop_assert_eq!(once.text, twice.text, "{}", statement);
    }

    #[test]
    fn formatting_does_not_matter(
        pieces in prop::collection::vec((piece(), prop::sample::select(vec![" ", "\n\t", " /* x */ ", " -- y\n"])), 0..16)
    ) {
        let plain: String = pieces.iter().map(|(piece, _)| format!("{piece} ")).collect();
        let formatted: String = pieces.iter().map(|(piece, blank)| format!("{piece}{blank}")).collect();
        prop_assume!(!plain.contains("open"));
        prop_assert_eq!(shape(&plain), shape(&formatted));
    }

    #[test]
    fn case_does_not_matter(pieces in prop::collection::vec(piece(), 0..16)) {
        let text = pieces.iter().filter(|piece| !piece.contains('"')).copied().collect::<Vec<_>>().join(" ");
        prop_assert_eq!(shape(&text.to_ascii_uppercase()), shape(&text.to_ascii_lowercase()));
    }
}
