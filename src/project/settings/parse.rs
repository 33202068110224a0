//! Reads `plimsoll.toml`: every key, its type and its range, with defaults filled in.

use super::{
    DatabaseSettings, DeadlockSettings, LoadSettings, NPlusOneSettings, RegressionSettings, Settings,
    SlowQueriesSettings, Volume,
};
use crate::project::budget::Budget;
use crate::project::diagnostic::Diagnostic;
use crate::project::fields::{self, Fields, Problems};
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The settings with the places of what only other files can prove right.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedSettings {
    /// With defaults filled in.
    pub settings: Settings,
    /// Place of `[database] migrations`, where it is written.
    pub migrations_span: Option<Range<usize>>,
    /// Place of `[regression] from`.
    pub from_span: Option<Range<usize>>,
    /// Place of `[regression] to`.
    pub to_span: Option<Range<usize>>,
    /// Places of the items of `[n-plus-one] traces`.
    pub trace_spans: Vec<Range<usize>>,
}

/// Reads `plimsoll.toml`.
///
/// # Errors
/// Everything that is wrong with the file by itself, each with its place.
pub fn parse(path: &Path, text: &str) -> Result<ParsedSettings, Vec<Diagnostic>> {
    let mut problems = Problems::new(path, text);
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        for error in errors {
            problems.add(error.span().unwrap_or(0..0), error.message().trim_end_matches('.'), "");
        }
        return Err(problems.into_sorted());
    }
    let mut top = Fields::new(document.get_ref(), document.span());
    let mut parsed = ParsedSettings {
        settings: Settings::default(),
        migrations_span: None,
        from_span: None,
        to_span: None,
        trace_spans: Vec::new(),
    };
    let mut sections = Sections { parsed: &mut parsed, problems: &mut problems };
    sections.read(&mut top, "database", Sections::database);
    sections.read(&mut top, "volumes", Sections::volumes);
    sections.read(&mut top, "budgets", Sections::budgets);
    sections.read(&mut top, "slow-queries", Sections::slow_queries);
    sections.read(&mut top, "regression", Sections::regression);
    sections.read(&mut top, "deadlock", Sections::deadlock);
    sections.read(&mut top, "n-plus-one", Sections::n_plus_one);
    sections.read(&mut top, "load", Sections::load);
    top.finish("plimsoll.toml", &mut problems);
    if problems.is_empty() { Ok(parsed) } else { Err(problems.into_sorted()) }
}

type Value<'t, 'i> = &'t Spanned<DeValue<'i>>;

struct Sections<'a, 'p> {
    parsed: &'a mut ParsedSettings,
    problems: &'a mut Problems<'p>,
}

impl Sections<'_, '_> {
    fn read(
        &mut self,
        top: &mut Fields<'_, '_>,
        name: &'static str,
        section: fn(&mut Self, &mut Fields<'_, '_>),
    ) {
        let Some(value) = top.take(name) else { return };
        match fields::fields(value) {
            Some(mut table) => {
                section(self, &mut table);
                table.finish(&format!("`[{name}]`"), self.problems);
            }
            None => {
                let help = format!("write `[{name}]` on a line of its own, and its keys below");
                self.problems.add(value.span(), format!("`{name}` is not a section"), help);
            }
        }
    }

    fn database(&mut self, table: &mut Fields<'_, '_>) {
        let url = table.take("url").and_then(|value| {
            let url = self.text("url", value)?;
            let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
            if !is_url && !url.contains('=') {
                self.problems.add(
                    value.span(),
                    "`url` is not a PostgreSQL connection string",
                    "write `url = \"postgres://user@host/database\"`, or take it out to use a throwaway server",
                );
            }
            Some(url)
        });
        let postgres_bin = table.take("postgres-bin").and_then(|value| self.text("postgres-bin", value));
        let migrations = table.take("migrations");
        let command = table.take("migrate-command");
        if let (Some(_), Some(command)) = (migrations, command) {
            self.problems.add(
                command.span(),
                "`migrations` and `migrate-command` exclude one another",
                "keep the one that brings your schema up to date",
            );
        }
        let database = DatabaseSettings {
            url,
            postgres_bin: postgres_bin.map(PathBuf::from),
            migrations: migrations
                .and_then(|value| self.text("migrations", value))
                .map_or_else(|| PathBuf::from("migrations"), PathBuf::from),
            migrate_command: command.and_then(|value| self.text("migrate-command", value)),
        };
        self.parsed.migrations_span = migrations.map(Spanned::span);
        self.parsed.settings.database = database;
    }

    fn volumes(&mut self, table: &mut Fields<'_, '_>) {
        let mut volumes = Vec::new();
        for (name, span, value) in take_rest(table) {
            if !is_name(name) {
                let help = "use letters, digits, `-` and `_`";
                self.problems.add(span, format!("`{name}` is not a name for a volume"), help);
            }
            match fields::number(value).filter(|factor| *factor > 0.0) {
                Some(factor) => volumes.push(Volume { name: name.to_owned(), factor }),
                None => self.problems.add(
                    value.span(),
                    format!("volume `{name}` is not a number above 0"),
                    "a volume multiplies the rows of data/distributions.toml, such as `medium = 100`",
                ),
            }
        }
        if volumes.is_empty() {
            let help = "write `small = 1`, or take the section out";
            self.problems.add(table.span.clone(), "`[volumes]` has no volume", help);
            return;
        }
        volumes.sort_by(|left, right| left.factor.total_cmp(&right.factor));
        self.parsed.settings.volumes = volumes;
    }

    fn budgets(&mut self, table: &mut Fields<'_, '_>) {
        let mut budgets = Vec::new();
        for (name, span, value) in take_rest(table) {
            let metric = name.replace(['-', '_'], " ");
            let text = match (metric.as_str(), fields::scalar(value)) {
                ("rules", Some(text)) => text,
                (_, Some(limit)) => format!("{metric} < {limit}"),
                (_, None) => {
                    let help = "write `p95 = \"50ms\"`, or `rules = \"no seq scan on orders, rows >= 1\"`";
                    self.problems.add(value.span(), format!("`{name}` is not a limit"), help);
                    continue;
                }
            };
            // The text is put together, so only key and value as a whole can be pointed at.
            let (parsed, errors) = Budget::parse_each(&text, 0);
            for error in errors {
                let is_metric = error.message.starts_with("unknown metric") && metric != "rules";
                let place = if is_metric { span.clone() } else { value.span() };
                self.problems.add(place, error.message, error.help);
            }
            for volume in parsed.iter().filter_map(|parsed| parsed.budget.volume.as_ref()) {
                let volumes = &self.parsed.settings.volumes;
                if !volumes.iter().any(|known| known.name == *volume) {
                    let help = format!("volumes: {}", volume_names(volumes));
                    self.problems.add(value.span(), format!("there is no volume `{volume}`"), help);
                }
            }
            budgets.extend(parsed);
        }
        self.parsed.settings.default_budgets =
            budgets.into_iter().map(|parsed| Budget { is_default: true, ..parsed.budget }).collect();
    }

    fn slow_queries(&mut self, table: &mut Fields<'_, '_>) {
        let mut settings = self.parsed.settings.slow_queries.clone();
        self.whole(table, "max-samples", 10..=10_000_000, &mut settings.max_samples);
        self.seconds(table, "max-time", &mut settings.max_seconds);
        let mut connections = u64::from(settings.connections);
        self.whole(table, "connections", 1..=1000, &mut connections);
        settings.connections = u32::try_from(connections).unwrap_or(settings.connections);
        if let Some(value) = table.take("cold") {
            match value.get_ref().as_bool() {
                Some(cold) => settings.cold = cold,
                None => {
                    self.problems.add(value.span(), "`cold` is neither true nor false", "write `cold = true`")
                }
            }
        }
        self.parsed.settings.slow_queries = settings;
    }

    fn regression(&mut self, table: &mut Fields<'_, '_>) {
        let mut settings = self.parsed.settings.regression.clone();
        let (from, to) = (table.take("from"), table.take("to"));
        settings.from = from.and_then(|value| self.version("from", value));
        settings.to = to.and_then(|value| self.version("to", value));
        self.ratio(table, "time-ratio", &mut settings.time_ratio);
        self.ratio(table, "counter-ratio", &mut settings.counter_ratio);
        self.seconds(table, "max-time", &mut settings.max_seconds);
        self.parsed.from_span = from.map(Spanned::span);
        self.parsed.to_span = to.map(Spanned::span);
        self.parsed.settings.regression = settings;
    }

    fn deadlock(&mut self, table: &mut Fields<'_, '_>) {
        let mut settings = self.parsed.settings.deadlock.clone();
        self.whole(table, "max-interleavings", 1..=1_000_000, &mut settings.max_interleavings);
        self.seconds(table, "step-timeout", &mut settings.step_timeout_seconds);
        self.parsed.settings.deadlock = settings;
    }

    fn n_plus_one(&mut self, table: &mut Fields<'_, '_>) {
        let mut settings = self.parsed.settings.n_plus_one.clone();
        self.whole(table, "threshold", 2..=1_000_000, &mut settings.threshold);
        settings.baseline =
            table.take("baseline").and_then(|value| self.text("baseline", value)).map(PathBuf::from);
        settings.command = table.take("command").and_then(|value| self.command(value));
        if let Some(value) = table.take("traces") {
            let items: Option<Vec<_>> = fields::array(value).and_then(|items| {
                items.iter().map(|item| Some((fields::text(item)?, item.span()))).collect()
            });
            match items {
                Some(items) => {
                    settings.traces = items.iter().map(|(trace, _)| PathBuf::from(trace)).collect();
                    self.parsed.trace_spans = items.into_iter().map(|(_, span)| span).collect();
                }
                None => {
                    let help = "write `traces = [\"traces/orders.trace\"]`";
                    self.problems.add(value.span(), "`traces` is not a list of paths", help);
                }
            }
        }
        self.parsed.settings.n_plus_one = settings;
    }

    fn load(&mut self, table: &mut Fields<'_, '_>) {
        let mut settings = self.parsed.settings.load.clone();
        if let Some(value) = table.take("at-least") {
            settings.at_least = fields::number(value).filter(|rate| rate.is_finite() && *rate > 0.0);
            if settings.at_least.is_none() {
                let help = "write `at-least = 200`: requests per second that have to hold";
                self.problems.add(value.span(), "`at-least` is not a number above 0", help);
            }
        }
        if let Some(value) = table.take("limit")
            && let Some(text) = self.text("limit", value)
        {
            match Budget::latency_limits(&text) {
                Ok(limits) => settings.limits = limits,
                Err(message) => self.problems.add(value.span(), message, "write `limit = \"p95 < 50ms\"`"),
            }
        }
        let mut connections = u64::from(settings.connections);
        self.whole(table, "connections", 1..=1000, &mut connections);
        settings.connections = u32::try_from(connections).unwrap_or(settings.connections);
        self.parsed.settings.load = settings;
    }

    /// A list of words, or a line for the shell.
    fn command(&mut self, value: Value<'_, '_>) -> Option<Vec<String>> {
        let words = match fields::array(value) {
            Some(items) => items.iter().map(|item| fields::text(item).map(str::to_owned)).collect(),
            None => fields::text(value).map(|line| vec!["sh".to_owned(), "-c".to_owned(), line.to_owned()]),
        };
        let words = words.filter(|words: &Vec<String>| words.iter().any(|word| !word.trim().is_empty()));
        if words.is_none() {
            let help = "write `command = [\"pytest\", \"-q\"]` or `command = \"pytest -q\"`";
            self.problems.add(value.span(), "`command` is not a command", help);
        }
        words
    }

    fn text(&mut self, key: &str, value: Value<'_, '_>) -> Option<String> {
        let text = fields::text(value).filter(|text| !text.trim().is_empty());
        if text.is_none() {
            let message = format!("`{key}` is not a text");
            self.problems.add(value.span(), message, format!("write `{key} = \"…\"`"));
        }
        text.map(str::to_owned)
    }

    /// A version as written in a file's name; a bare number would lose its zeros.
    fn version(&mut self, key: &str, value: Value<'_, '_>) -> Option<String> {
        let version = fields::text(value).filter(|version| !version.is_empty());
        if version.is_none() {
            let message = format!("`{key}` is not the version of a migration in quotes");
            self.problems.add(value.span(), message, format!("write `{key} = \"001\"`"));
        }
        version.map(str::to_owned)
    }

    fn whole(
        &mut self,
        table: &mut Fields<'_, '_>,
        key: &'static str,
        range: std::ops::RangeInclusive<u64>,
        setting: &mut u64,
    ) {
        let Some(value) = table.take(key) else { return };
        let number = fields::integer(value).and_then(|number| u64::try_from(number).ok());
        match number.filter(|number| range.contains(number)) {
            Some(number) => *setting = number,
            None => {
                let message =
                    format!("`{key}` is not a whole number from {} to {}", range.start(), range.end());
                self.problems.add(value.span(), message, format!("the default is {setting}"));
            }
        }
    }

    fn ratio(&mut self, table: &mut Fields<'_, '_>, key: &'static str, setting: &mut f64) {
        let Some(value) = table.take(key) else { return };
        match fields::number(value).filter(|ratio| *ratio > 1.0) {
            Some(ratio) => *setting = ratio,
            None => {
                let help = format!("the default is {setting}: that much more than before is a regression");
                self.problems.add(value.span(), format!("`{key}` is not a number above 1"), help);
            }
        }
    }

    /// `"20s"`, `"500ms"`, `"2min"`, or a number of seconds.
    fn seconds(&mut self, table: &mut Fields<'_, '_>, key: &'static str, setting: &mut f64) {
        let Some(value) = table.take(key) else { return };
        let seconds = fields::number(value).or_else(|| fields::text(value).and_then(seconds_of));
        match seconds.filter(|seconds| *seconds > 0.0) {
            Some(seconds) => *setting = seconds,
            None => {
                let help = format!("write `{key} = \"20s\"`; units are ms, s and min");
                self.problems.add(value.span(), format!("`{key}` is not a time above 0"), help);
            }
        }
    }
}

/// Takes everything that is left, so that it counts as known.
fn take_rest<'t, 'i>(table: &mut Fields<'t, 'i>) -> Vec<(&'t str, Range<usize>, Value<'t, 'i>)> {
    let rest = table.rest().collect();
    table.take_all();
    rest
}

fn seconds_of(text: &str) -> Option<f64> {
    let text = text.trim();
    let split = text.find(|character: char| character.is_alphabetic())?;
    let factor = match &text[split..] {
        "ms" => 1e-3,
        "s" => 1.0,
        "min" => 60.0,
        _ => return None,
    };
    let number: f64 = text[..split].trim().parse().ok()?;
    number.is_finite().then_some(number * factor)
}

/// Letters, digits, `-` and `_`: safe in file names and database names.
pub(in crate::project) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// For a help line.
pub(in crate::project) fn volume_names(volumes: &[Volume]) -> String {
    volumes.iter().map(|volume| volume.name.as_str()).collect::<Vec<_>>().join(", ")
}

impl Default for Settings {
    /// What an empty `plimsoll.toml` means.
    fn default() -> Self {
        Self {
            database: DatabaseSettings {
                url: None,
                postgres_bin: None,
                migrations: PathBuf::from("migrations"),
                migrate_command: None,
            },
            volumes: vec![Volume { name: "small".to_owned(), factor: 1.0 }],
            default_budgets: Vec::new(),
            slow_queries: SlowQueriesSettings {
                max_samples: 20_000,
                max_seconds: 10.0,
                connections: 20,
                cold: false,
            },
            regression: RegressionSettings {
                from: None,
                to: None,
                time_ratio: 1.2,
                counter_ratio: 1.1,
                max_seconds: 10.0,
            },
            deadlock: DeadlockSettings { max_interleavings: 1000, step_timeout_seconds: 10.0 },
            n_plus_one: NPlusOneSettings { threshold: 5, baseline: None, command: None, traces: Vec::new() },
            load: LoadSettings { at_least: None, limits: Vec::new(), connections: 8 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::budget::{BudgetRule, TimeLimit, TimeMetric};
    use crate::project::diagnostic::render;

    fn read(text: &str) -> Settings {
        match parse(Path::new("plimsoll.toml"), text) {
            Ok(parsed) => parsed.settings,
            Err(diagnostics) => panic!("{}", render(&diagnostics, false)),
        }
    }

    /// `line:column message (help)` of every problem.
    fn problems(text: &str) -> String {
        let diagnostics = parse(Path::new("plimsoll.toml"), text).expect_err("has problems");
        let line = |diagnostic: &Diagnostic| {
            let (line, column) = diagnostic.line_and_column().unwrap_or_default();
            let help = diagnostic.help.as_deref().unwrap_or("-");
            format!("{line}:{column} {} ({help})\n", diagnostic.message)
        };
        diagnostics.iter().map(line).collect()
    }

    #[test]
    fn an_empty_file_means_the_defaults() {
        assert_eq!(read(""), Settings::default());
    }

    #[test]
    fn every_key_is_read() {
        let settings = read(
            r#"
            [database]
            url = "postgres://localhost/app"
            postgres-bin = "/opt/pg/bin"
            migrate-command = "alembic upgrade head"
            [volumes]
            large = 1000
            small = 0.5
            [budgets]
            p95 = "50ms"
            buffers = 500
            rows-read-per-row = 10
            rules = "no sort spill, p99 < 1s @ large"
            [slow-queries]
            max-samples = 100
            max-time = "500ms"
            connections = 3
            cold = true
            [regression]
            from = "001"
            to = "002"
            time-ratio = 1.5
            counter-ratio = 1.25
            max-time = 3
            [deadlock]
            max-interleavings = 7
            step-timeout = "1min"
            [n-plus-one]
            threshold = 3
            baseline = "baseline.toml"
            command = "pytest -q"
            traces = ["a.trace", "b.trace"]
            "#,
        );
        assert_eq!(settings.database.migrate_command.as_deref(), Some("alembic upgrade head"));
        assert_eq!(settings.volumes[0], Volume { name: "small".to_owned(), factor: 0.5 });
        assert_eq!(settings.default_budgets.len(), 5);
        assert!(settings.default_budgets.iter().all(|budget| budget.is_default));
        let limit = TimeLimit::AbsoluteUs(50_000.0);
        assert!(settings.default_budgets.iter().any(|budget| budget.text == "p95 < 50ms"
            && budget.rule == BudgetRule::Time { metric: TimeMetric::P95, limit }));
        assert_eq!(
            settings.slow_queries,
            SlowQueriesSettings { max_samples: 100, max_seconds: 0.5, connections: 3, cold: true }
        );
        assert_eq!(settings.regression.from.as_deref(), Some("001"));
        assert_eq!(settings.regression.max_seconds, 3.0);
        assert_eq!(settings.deadlock, DeadlockSettings { max_interleavings: 7, step_timeout_seconds: 60.0 });
        assert_eq!(settings.n_plus_one.command, Some(vec!["sh".into(), "-c".into(), "pytest -q".into()]));
        assert_eq!(settings.n_plus_one.traces.len(), 2);
    }

    #[test]
    fn every_problem_is_reported_at_its_place() {
        let text = r#"
[databse]
url = 1
[database]
url = "localhost"
migrations = ["a"]
[volumes]
small = -1
"a b" = 2
[budgets]
p96 = "50ms"
p95 = 50
p99 = "1s @ huge"
[slow-queries]
max-samples = 1
max-tim = "20s"
cold = "yes"
[regression]
from = 1
time-ratio = 0.9
max-time = "20"
[n-plus-one]
command = []
traces = "a"
deadlock = 3
"#;
        insta::assert_snapshot!(problems(text), @r#"
        2:2 unknown key `databse` in plimsoll.toml (did you mean `database`?)
        5:7 `url` is not a PostgreSQL connection string (write `url = "postgres://user@host/database"`, or take it out to use a throwaway server)
        6:14 `migrations` is not a text (write `migrations = "…"`)
        8:9 volume `small` is not a number above 0 (a volume multiplies the rows of data/distributions.toml, such as `medium = 100`)
        9:1 `a b` is not a name for a volume (use letters, digits, `-` and `_`)
        11:1 unknown metric `p96` (did you mean `p90`?)
        12:7 `p95` needs a unit of time (units are us, ms and s; or `8 x ping`)
        13:7 there is no volume `huge` (volumes: a b)
        15:15 `max-samples` is not a whole number from 10 to 10000000 (the default is 20000)
        16:1 unknown key `max-tim` in `[slow-queries]` (did you mean `max-time`?)
        17:8 `cold` is neither true nor false (write `cold = true`)
        19:8 `from` is not the version of a migration in quotes (write `from = "001"`)
        20:14 `time-ratio` is not a number above 1 (the default is 1.2: that much more than before is a regression)
        21:12 `max-time` is not a time above 0 (write `max-time = "20s"`; units are ms, s and min)
        23:11 `command` is not a command (write `command = ["pytest", "-q"]` or `command = "pytest -q"`)
        24:10 `traces` is not a list of paths (write `traces = ["traces/orders.trace"]`)
        25:1 unknown key `deadlock` in `[n-plus-one]` (known keys: threshold, baseline, command, traces)
        "#);
    }

    #[test]
    fn broken_toml_is_reported() {
        insta::assert_snapshot!(problems("[volumes\nsmall = 1\nx = \n"), @r"1:9 unclosed table, expected `]` (-)");
        insta::assert_snapshot!(problems("deadlock = 3\n[volumes]\n"), @r"
        1:12 `deadlock` is not a section (write `[deadlock]` on a line of its own, and its keys below)
        2:1 `[volumes]` has no volume (write `small = 1`, or take the section out)
        ");
    }

    #[test]
    fn two_ways_to_migrate_are_one_too_many() {
        insta::assert_snapshot!(problems("[database]\nmigrations = 'a'\nmigrate-command = 'b'"), @r"3:19 `migrations` and `migrate-command` exclude one another (keep the one that brings your schema up to date)");
    }
}
