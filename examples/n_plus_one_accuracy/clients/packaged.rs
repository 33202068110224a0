//! Clients that are installed with the system rather than from a registry:
//! whether they are there, and what has to be compiled.

use super::Program;
use super::install::{Language, done};
use anyhow::Context as _;
use std::path::Path;
use std::process::Command;

const JDBC: &str = "/usr/share/java/postgresql.jar";
const GO_PATH: &str = "/usr/share/gocode";

/// What a language lacks here; nothing where it can run.
pub(super) fn missing(language: Language) -> Option<&'static str> {
    let is_there = match language {
        Language::Python | Language::Node | Language::Rust => true,
        Language::Ruby => runs("ruby", &["-e", "require 'active_record'; require 'pg'"]),
        Language::Java => runs("javac", &["--version"]) && Path::new(JDBC).exists(),
        Language::Php => runs("php", &["-r", "exit(extension_loaded('pdo_pgsql') ? 0 : 1);"]),
        Language::Go => runs("go", &["version"]) && Path::new(GO_PATH).join("src/github.com/lib/pq").exists(),
    };
    let needed = match language {
        Language::Python | Language::Node | Language::Rust => "",
        Language::Ruby => "needs ruby-activerecord and ruby-pg",
        Language::Java => "needs a JDK and libpostgresql-jdbc-java",
        Language::Php => "needs php-cli and php-pgsql",
        Language::Go => "needs golang-go and golang-github-lib-pq-dev",
    };
    (!is_there).then_some(needed)
}

fn runs(program: &str, words: &[&str]) -> bool {
    Command::new(program).args(words).output().is_ok_and(|output| output.status.success())
}

/// Compiles a program and its labels.
pub(super) fn java(program: &Path, folder: &Path) -> anyhow::Result<Program> {
    let classes = folder.join("java");
    let labels = program.with_file_name("Labels.java");
    done(Command::new("javac").args(["-cp", JDBC, "-d"]).args([&classes, &labels]).arg(program))?;
    let name = program.file_stem().context("a program without a name")?;
    let places = format!("{}:{JDBC}", classes.display());
    Ok(Program {
        words: vec!["java".into(), "-cp".into(), places.into(), name.to_owned()],
        variables: Vec::new(),
    })
}

/// Compiles a program against the packaged sources, without a module.
pub(super) fn go(program: &Path, folder: &Path) -> anyhow::Result<Program> {
    let built = folder.join("lib_pq_tracker");
    let mut command = Command::new("go");
    command.env("GO111MODULE", "off").env("GOPATH", GO_PATH).env("GOCACHE", folder.join("go"));
    done(command.args(["build", "-o"]).args([&built, program]))?;
    Ok(Program { words: vec![built.into()], variables: Vec::new() })
}
