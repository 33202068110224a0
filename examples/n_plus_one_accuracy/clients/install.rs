//! Where the clients' programs are, and the packages they need: installed once
//! into the target directory, from the registries, at fixed versions.

use super::{Program, packaged};
use anyhow::{Context as _, ensure};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

const PYTHON_PACKAGES: [&str; 12] = [
    "psycopg[binary]==3.3.9",
    "psycopg-pool==3.3.3",
    "asyncpg==0.32.0",
    "SQLAlchemy==2.1.9",
    "greenlet==3.5.6",
    "Django==5.2.19",
    "psycopg2-binary==2.9.13",
    "pg8000==1.31.6",
    "peewee==4.5.3",
    "tortoise-orm==1.1.9",
    "pony==0.7.20",
    "sqlmodel==0.0.50",
];
const NODE_PACKAGES: [&str; 17] = [
    "pg@8.23.1",
    "pg-cursor@2.22.0",
    "pg-query-stream@4.17.0",
    "sequelize@6.37.8",
    "postgres@3.4.9",
    "knex@3.3.0",
    "objection@3.1.5",
    "dataloader@2.2.3",
    "drizzle-orm@0.45.4",
    "typeorm@1.1.1",
    "@mikro-orm/core@6.6.16",
    "@mikro-orm/knex@6.6.16",
    "@mikro-orm/postgresql@6.6.16",
    "kysely@0.28.18",
    "prisma@7.10.0",
    "@prisma/client@7.10.0",
    "@prisma/adapter-pg@7.10.0",
];

/// What runs a client's program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Python,
    Node,
    /// With Debian's packages, or the same by other ways, as the next three: the library.
    Ruby(&'static str),
    Java,
    /// The extension.
    Php(&'static str),
    /// The package.
    Go(&'static str),
    /// This program itself.
    Rust,
}

/// `clients` in the target directory.
pub(super) fn folder() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?;
    // target/debug/examples/n_plus_one_accuracy
    let target = program.ancestors().nth(3).context("no target directory")?;
    let folder = target.join("clients");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// A client's program, ready to start.
pub(super) fn installed(language: Language, program: &str, folder: &Path) -> anyhow::Result<Program> {
    let sources = sources();
    let path = sources.join(program);
    let program = OsString::from(&path);
    Ok(match language {
        Language::Python => Program {
            words: vec![python(folder)?.into(), program],
            variables: vec![
                ("PYTHONDONTWRITEBYTECODE".into(), "1".into()),
                ("PYTHONPATH".into(), sources.to_string_lossy().into_owned()),
            ],
        },
        Language::Node => Program {
            words: vec!["node".into(), program],
            variables: vec![("NODE_PATH".into(), node_modules(folder)?.to_string_lossy().into_owned())],
        },
        Language::Ruby(_) => Program { words: vec!["ruby".into(), program], variables: Vec::new() },
        Language::Php(_) => Program { words: vec!["php".into(), program], variables: Vec::new() },
        Language::Java => packaged::java(&path, folder)?,
        Language::Go(_) => packaged::go(&path, folder)?,
        Language::Rust => Program {
            words: vec![std::env::current_exe()?.into(), "--as-tokio-postgres".into()],
            variables: Vec::new(),
        },
    })
}

/// Where the programs are.
pub(super) fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/n_plus_one_accuracy/clients")
}

fn python(folder: &Path) -> anyhow::Result<PathBuf> {
    let environment = folder.join("python");
    let python = environment.join("bin/python");
    install(&environment, &PYTHON_PACKAGES.join(" "), |folder| {
        done(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
        done(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PYTHON_PACKAGES))
    })?;
    Ok(python)
}

fn node_modules(folder: &Path) -> anyhow::Result<PathBuf> {
    let environment = folder.join("node");
    install(&environment, &NODE_PACKAGES.join(" "), |folder| {
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join("package.json"), "{\"private\": true}\n")?;
        let mut command = Command::new("npm");
        done(command.args(["install", "--no-audit", "--no-fund"]).args(NODE_PACKAGES).current_dir(folder))?;
        std::fs::copy(sources().join("tracker/tracker.prisma"), folder.join("tracker.prisma"))?;
        let mut command = Command::new("npx");
        // Generating needs no engine, but would fetch one that is not named.
        command.env("PRISMA_SCHEMA_ENGINE_BINARY", std::env::current_exe()?).current_dir(folder);
        done(command.args(["prisma", "generate", "--schema", "tracker.prisma"]))
    })?;
    Ok(environment.join("node_modules"))
}

/// Installs unless a mark says that these very packages are there.
fn install(
    folder: &Path,
    packages: &str,
    install: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mark = folder.join("installed");
    if std::fs::read_to_string(&mark).is_ok_and(|known| known == packages) {
        return Ok(());
    }
    install(folder)?;
    Ok(std::fs::write(mark, packages)?)
}

pub(super) fn done(command: &mut Command) -> anyhow::Result<()> {
    // What installers say is no part of the result.
    let output = command.output().with_context(|| format!("{command:?}: is it installed?"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
