//! What Grafana makes of a query before it sends it: variables by its
//! `sqlstring` format in the browser, then the interval and the macros of its
//! PostgreSQL source on its server.

/// Any panel's time range, and the interval it would have.
const FROM: &str = "2025-12-01T00:00:00Z";
const TO: &str = "2026-02-01T00:00:00Z";
const INTERVAL: &str = "1d";
const INTERVAL_SECONDS: u32 = 86_400;

/// Names with the values chosen.
#[derive(Debug, Default)]
pub(crate) struct Variables(Vec<(String, Vec<String>)>);

impl Variables {
    /// Chooses values.
    pub(crate) fn set(&mut self, name: &str, values: Vec<String>) {
        self.0.push((name.to_owned(), values));
    }

    fn sqlstring(&self, name: &str) -> String {
        let (_, values) =
            self.0.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no variable ${name}"));
        let quoted = |value: &String| format!("'{}'", value.replace('\'', "''"));
        values.iter().map(quoted).collect::<Vec<_>>().join(",")
    }
}

/// The statement that reaches PostgreSQL.
pub(crate) fn expand(sql: &str, variables: &Variables) -> String {
    let mut expanded = String::new();
    let mut rest = sql;
    while let Some((before, after)) = rest.split_once("${") {
        let (variable, after) = after.split_once('}').expect("a closing brace");
        let (name, format) = variable.split_once(':').unwrap_or((variable, ""));
        assert_eq!(format, "sqlstring", "${{{variable}}}: other formats do not quote in every case");
        expanded += before;
        expanded += &variables.sqlstring(name);
        rest = after;
    }
    expanded += rest;
    let milliseconds = format!("{INTERVAL_SECONDS}000");
    macros(&expanded.replace("$__interval_ms", &milliseconds).replace("$__interval", INTERVAL))
}

/// A macro's arguments end at the first closing parenthesis, whatever is in them.
fn macros(sql: &str) -> String {
    let mut expanded = String::new();
    let mut rest = sql;
    while let Some((before, after)) = rest.split_once("$__") {
        let (name, after) = after.split_once('(').expect("a macro has parentheses");
        let (arguments, after) = after.split_once(')').expect("a closing parenthesis");
        let arguments: Vec<_> = arguments.split(',').map(str::trim).collect();
        expanded += before;
        expanded += &macro_text(name, &arguments, after.starts_with(','));
        rest = after;
    }
    expanded + rest
}

fn macro_text(name: &str, arguments: &[&str], is_followed_by_comma: bool) -> String {
    let column = arguments[0];
    let group = || {
        let interval = arguments[1].trim_matches('\'');
        assert_eq!(interval, INTERVAL, "only the panel's interval is used");
        format!("floor(extract(epoch from {column})/{INTERVAL_SECONDS})*{INTERVAL_SECONDS}")
    };
    match name {
        "time" => format!("{column} AS \"time\""),
        "timeFilter" => format!("{column} BETWEEN '{FROM}' AND '{TO}'"),
        "timeFrom" => format!("'{FROM}'"),
        "timeTo" => format!("'{TO}'"),
        "timeGroup" if is_followed_by_comma => group() + " AS \"time\"",
        "timeGroup" => group(),
        "timeGroupAlias" => group() + " AS \"time\"",
        other => panic!("$__{other} is no macro of Grafana's PostgreSQL source"),
    }
}

#[test]
fn values_are_quoted_and_macros_replaced() {
    let mut variables = Variables::default();
    variables.set("query", vec!["a".into(), "it's".into()]);
    let sql =
        "SELECT $__timeGroup(t, $__interval) AS time WHERE $__timeFilter(r.t) AND q IN (${query:sqlstring})";
    assert_eq!(
        expand(sql, &variables),
        "SELECT floor(extract(epoch from t)/86400)*86400 AS time WHERE \
         r.t BETWEEN '2025-12-01T00:00:00Z' AND '2026-02-01T00:00:00Z' AND q IN ('a','it''s')"
    );
}
