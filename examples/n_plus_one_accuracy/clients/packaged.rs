//! Clients that are installed with the system rather than from a registry:
//! whether they are there, and what has to be compiled.

use super::Program;
use super::install::{Language, done, sources};
use anyhow::Context as _;
use std::path::Path;
use std::process::Command;

const JDBC: &str = "/usr/share/java/postgresql.jar";
const GO_PATH: &str = "/usr/share/gocode";

/// What a language lacks here; nothing where it can run.
pub(super) fn missing(language: Language) -> Option<String> {
    let (is_there, needed) = match language {
        Language::Python | Language::Node | Language::Rust => return None,
        Language::Ruby(library) => {
            let script = format!("require '{library}'; require 'pg'");
            (runs("ruby", &["-e", &script]), format!("{library} and pg of Ruby"))
        }
        Language::Java => (
            runs("javac", &["--version"]) && Path::new(JDBC).exists(),
            "a JDK and libpostgresql-jdbc-java".into(),
        ),
        Language::Php(extension) => {
            let script = format!("exit(extension_loaded('{extension}') ? 0 : 1);");
            (runs("php", &["-r", &script]), format!("php-cli and its {extension}"))
        }
        Language::Go(package) => (
            runs("go", &["version"]) && Path::new(GO_PATH).join("src").join(package).exists(),
            format!("golang-go and Debian's package of {package}"),
        ),
    };
    (!is_there).then(|| format!("needs {needed}"))
}

fn runs(program: &str, words: &[&str]) -> bool {
    Command::new(program).args(words).output().is_ok_and(|output| output.status.success())
}

/// Compiles a program and its labels.
pub(super) fn java(program: &Path, folder: &Path) -> anyhow::Result<Program> {
    let classes = folder.join("java");
    let labels = sources().join("Labels.java");
    done(Command::new("javac").args(["-cp", JDBC, "-d"]).args([&classes, &labels]).arg(program))?;
    let name = program.file_stem().context("a program without a name")?;
    let places = format!("{}:{JDBC}", classes.display());
    Ok(Program {
        words: vec!["java".into(), "-cp".into(), places.into(), name.to_owned()],
        variables: Vec::new(),
    })
}

/// Compiles a program and its labels against the packaged sources, without a module.
pub(super) fn go(program: &Path, folder: &Path) -> anyhow::Result<Program> {
    let name = program.file_stem().context("a program without a name")?;
    // The files of one program have to lie in one place.
    let place = folder.join("go-programs").join(name);
    std::fs::create_dir_all(&place)?;
    std::fs::copy(program, place.join("program.go"))?;
    std::fs::copy(sources().join("labels.go"), place.join("labels.go"))?;
    let built = folder.join(name);
    let mut command = Command::new("go");
    command.env("GO111MODULE", "off").env("GOPATH", GO_PATH).env("GOCACHE", folder.join("go"));
    done(command.arg("build").arg("-o").arg(&built).arg(".").current_dir(&place))?;
    Ok(Program { words: vec![built.into()], variables: Vec::new() })
}
