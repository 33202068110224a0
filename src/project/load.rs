//! Reads the files of a project folder and puts them together. The only part of
//! `project/` that touches the file system; everything is read before anything
//! is judged, so that all problems of all files come at once.

use super::diagnostic::Diagnostic;
use super::migration::{Migration, compare_versions};
use super::query::{ParsedQuery, Query, Surroundings};
use super::settings::{ParsedSettings, Settings};
use super::transaction::SpecFile;
use super::{Project, distributions, migration, query, settings};
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Name of the file that makes a folder a project.
const SETTINGS_FILE: &str = "plimsoll.toml";
const DISTRIBUTIONS_FILE: &str = "data/distributions.toml";
const QUERIES_FOLDER: &str = "queries";
const TRANSACTIONS_FOLDER: &str = "transactions";

impl Project {
    /// Reads and checks the project in a folder.
    ///
    /// # Errors
    /// Every problem of every file, in the order of path and place.
    pub fn load(root: &Path) -> Result<Self, Vec<Diagnostic>> {
        Self::load_with(root, |_| Vec::new())
    }

    /// The same, with a check of transaction specs, whose grammar is not this
    /// module's: their problems come with all others.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_with(
        root: &Path,
        check_spec: impl Fn(&SpecFile) -> Vec<Diagnostic>,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut reader = Reader { root, problems: Vec::new() };
        let project = reader.project();
        let mut problems = reader.problems;
        problems.extend(project.iter().flat_map(|project| &project.transactions).flat_map(check_spec));
        problems.sort_by(|left, right| {
            let place = |problem: &Diagnostic| problem.span.as_ref().map_or(0, |span| span.start);
            left.path.cmp(&right.path).then(place(left).cmp(&place(right)))
        });
        match project {
            Some(project) if problems.is_empty() => Ok(project),
            _ => Err(problems),
        }
    }
}

struct Reader<'a> {
    root: &'a Path,
    problems: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn project(&mut self) -> Option<Project> {
        let text = self.settings_text()?;
        // Other files are read with the defaults where the settings are wrong.
        let parsed = self.accept(settings::parse(Path::new(SETTINGS_FILE), &text));
        let are_settings_sound = parsed.is_some();
        let parsed = parsed.unwrap_or_else(|| ParsedSettings {
            settings: Settings::default(),
            migrations_span: None,
            from_span: None,
            to_span: None,
            trace_spans: Vec::new(),
        });
        let migrations = self.migrations(&text, &parsed);
        let distributions = self.distributions();
        let queries = self.queries(&parsed.settings, are_settings_sound);
        let transactions = self.transactions();
        let mut settings = parsed.settings.clone();
        if settings.database.migrate_command.is_none() {
            self.check_versions(&text, &parsed, &migrations, &mut settings);
        }
        self.check_traces(&text, &parsed);
        Some(Project {
            root: self.root.to_path_buf(),
            name: folder_name(self.root),
            settings,
            migrations,
            distributions,
            queries,
            transactions,
        })
    }

    fn settings_text(&mut self) -> Option<String> {
        let path = Path::new(SETTINGS_FILE);
        match self.read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let message = format!("there is no `{SETTINGS_FILE}` in `{}`", self.root.display());
                self.add_file(path, message, "run `plimsoll init` there to make a project of it");
                None
            }
            Err(error) => {
                self.add_unreadable(path, &error);
                None
            }
        }
    }

    fn migrations(&mut self, settings_text: &str, parsed: &ParsedSettings) -> Vec<Migration> {
        if parsed.settings.database.migrate_command.is_some() {
            return Vec::new();
        }
        let folder = &parsed.settings.database.migrations;
        let is_wanted = |name: &str| name.ends_with(".sql") && !name.ends_with(".down.sql");
        let Some(paths) = self.list(folder, is_wanted) else {
            if let Some(span) = &parsed.migrations_span {
                let message = format!("there is no folder `{}`", folder.display());
                self.add(SETTINGS_FILE, settings_text, span, message, "make it, or correct the path");
            }
            return Vec::new();
        };
        let mut migrations: Vec<Migration> = Vec::new();
        for path in paths {
            let Some(sql) = self.text(&path) else { continue };
            migrations.extend(self.accept(migration::parse(&path, &sql)));
        }
        migrations.sort_by(|left, right| {
            compare_versions(&left.version, &right.version).then_with(|| left.path.cmp(&right.path))
        });
        for pair in migrations.windows(2) {
            if compare_versions(&pair[0].version, &pair[1].version).is_eq() {
                let message = format!("version {} is taken by `{}`", pair[1].version, pair[0].path.display());
                self.add_file(&pair[1].path, message, "give one of them another number");
            }
        }
        migrations
    }

    fn distributions(&mut self) -> Option<distributions::Distributions> {
        let path = Path::new(DISTRIBUTIONS_FILE);
        match self.read(path) {
            Ok(text) => text.and_then(|text| self.accept(distributions::parse(path, &text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                self.add_unreadable(path, &error);
                None
            }
        }
    }

    fn queries(&mut self, settings: &Settings, are_settings_sound: bool) -> Vec<Query> {
        let volumes = are_settings_sound.then_some(settings.volumes.as_slice());
        let around = Surroundings { volumes, default_budgets: &settings.default_budgets };
        let mut queries: Vec<(ParsedQuery, String)> = Vec::new();
        for path in self.list(Path::new(QUERIES_FOLDER), |name| name.ends_with(".sql")).unwrap_or_default() {
            let Some(text) = self.text(&path) else { continue };
            let (parsed, problems) = query::parse(&path, &text, around);
            self.problems.extend(problems);
            queries.extend(parsed.into_iter().map(|parsed| (parsed, text.clone())));
        }
        for (index, (parsed, text)) in queries.iter().enumerate() {
            let name = &parsed.query.name;
            let first = queries[..index].iter().find(|(other, _)| other.query.name == *name);
            if let Some((first, _)) = first.filter(|_| !name.is_empty()) {
                let message = format!("the name `{name}` is taken");
                let help = format!("the first is at {}:{}", first.query.path.display(), first.query.line);
                self.add(&parsed.query.path, text, &parsed.name_span, message, help);
            }
        }
        let mut queries: Vec<Query> = queries.into_iter().map(|(parsed, _)| parsed.query).collect();
        queries.sort_by(|left, right| left.name.cmp(&right.name));
        queries
    }

    fn transactions(&mut self) -> Vec<SpecFile> {
        let paths =
            self.list(Path::new(TRANSACTIONS_FOLDER), |name| name.ends_with(".spec")).unwrap_or_default();
        let mut specs = Vec::new();
        for path in paths {
            if let Some(text) = self.text(&path) {
                let name =
                    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
                specs.push(SpecFile { name, path, text });
            }
        }
        specs
    }

    /// `from` and `to` name migrations that exist; they become the version as the file writes it.
    fn check_versions(
        &mut self,
        text: &str,
        parsed: &ParsedSettings,
        migrations: &[Migration],
        settings: &mut Settings,
    ) {
        let regression = &mut settings.regression;
        for (key, setting, span) in
            [("from", &mut regression.from, &parsed.from_span), ("to", &mut regression.to, &parsed.to_span)]
        {
            let (Some(version), Some(span)) = (setting.as_mut(), span) else { continue };
            let found = migrations.iter().find(|known| compare_versions(&known.version, version).is_eq());
            match found {
                Some(known) => version.clone_from(&known.version),
                None => {
                    let versions: Vec<_> = migrations.iter().map(|known| known.version.as_str()).collect();
                    let help = if versions.is_empty() {
                        format!(
                            "there are no migrations in `{}`",
                            parsed.settings.database.migrations.display()
                        )
                    } else {
                        format!("versions: {}", versions.join(", "))
                    };
                    let message = format!("`{key}` names no migration: {version}");
                    self.add(SETTINGS_FILE, text, span, message, help);
                }
            }
        }
        if let (Some(from), Some(to), Some(span)) = (&regression.from, &regression.to, &parsed.to_span)
            && compare_versions(from, to).is_ge()
        {
            let message = format!("`to` is not after `from`: {to} and {from}");
            self.add(SETTINGS_FILE, text, span, message, "the migrations between the two are judged");
        }
    }

    fn check_traces(&mut self, text: &str, parsed: &ParsedSettings) {
        for (trace, span) in parsed.settings.n_plus_one.traces.iter().zip(&parsed.trace_spans) {
            if !self.root.join(trace).is_file() {
                let message = format!("there is no trace `{}`", trace.display());
                let help = "record one with `plimsoll trace -- COMMAND`, or correct the path";
                self.add(SETTINGS_FILE, text, span, message, help);
            }
        }
    }

    /// The wanted files directly in a folder, in the order of their names; `None` where there is
    /// no such folder.
    fn list(&mut self, folder: &Path, is_wanted: impl Fn(&str) -> bool) -> Option<Vec<PathBuf>> {
        let entries = match fs::read_dir(self.root.join(folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                self.add_unreadable(folder, &error);
                return Some(Vec::new());
            }
        };
        let mut paths = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) => {
                    let name = entry.file_name();
                    let name = name.to_string_lossy();
                    if is_wanted(&name) && !name.starts_with('.') && !entry.path().is_dir() {
                        paths.push(folder.join(&*name));
                    }
                }
                Err(error) => self.add_unreadable(folder, &error),
            }
        }
        paths.sort();
        Some(paths)
    }

    /// A file that a listing has found.
    fn text(&mut self, path: &Path) -> Option<String> {
        match self.read(path) {
            Ok(text) => text,
            Err(error) => {
                self.add_unreadable(path, &error);
                None
            }
        }
    }

    /// A file's text without a byte order mark; `None`, and a problem, where it is not UTF-8.
    fn read(&mut self, path: &Path) -> io::Result<Option<String>> {
        let bytes = fs::read(self.root.join(path))?;
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let start = error.utf8_error().valid_up_to();
                let byte = error.as_bytes().get(start).copied().unwrap_or_default();
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                let span = start..start + char::REPLACEMENT_CHARACTER.len_utf8();
                let message = format!("the byte 0x{byte:02x} is not UTF-8");
                self.add(path, &text, &span, message, "save the file as UTF-8");
                return Ok(None);
            }
        };
        Ok(Some(text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned)))
    }

    /// The value, or its problems.
    fn accept<T>(&mut self, result: Result<T, Vec<Diagnostic>>) -> Option<T> {
        result.map_err(|problems| self.problems.extend(problems)).ok()
    }

    fn add(
        &mut self,
        path: impl AsRef<Path>,
        text: &str,
        span: &Range<usize>,
        message: String,
        help: impl Into<String>,
    ) {
        self.problems.push(Diagnostic {
            path: path.as_ref().to_path_buf(),
            text: text.to_owned(),
            span: Some(span.clone()),
            message,
            help: Some(help.into()),
        });
    }

    fn add_file(&mut self, path: &Path, message: String, help: &str) {
        let path = path.to_path_buf();
        self.problems.push(Diagnostic {
            path,
            text: String::new(),
            span: None,
            message,
            help: Some(help.to_owned()),
        });
    }

    fn add_unreadable(&mut self, path: &Path, error: &io::Error) {
        self.add_file(
            path,
            format!("cannot read it: {error}"),
            "check that it exists and that you may read it",
        );
    }
}

/// The folder's own name, also for `.`.
fn folder_name(root: &Path) -> String {
    let absolute = fs::canonicalize(root).unwrap_or_else(|_| root.to_path_buf());
    absolute.file_name().map_or_else(|| "project".to_owned(), |name| name.to_string_lossy().into_owned())
}
