//! Finding the server's programs: `postgres` and `initdb` side by side.
//!
//! An explicit directory is the only one looked at. Otherwise PATH and the
//! places where packages put them; the newest supported version wins.

use super::Error;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The supported major versions.
pub const SUPPORTED_MAJORS: std::ops::RangeInclusive<u32> = 13..=18;

/// The server's programs of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    /// The folder that holds `postgres` and `initdb`.
    pub directory: PathBuf,
    /// What `postgres --version` prints, such as `postgres (PostgreSQL) 15.18`.
    pub banner: String,
    /// Major and minor version.
    pub version: (u32, u32),
}

impl Programs {
    /// Finds them: in `explicit` alone where that is given, else on
    /// `search_path` (the value of PATH) and in the usual places.
    ///
    /// # Errors
    /// None are there, or none of a supported version; the message says what to do.
    pub fn find(explicit: Option<&Path>, search_path: Option<&OsStr>) -> Result<Self, Error> {
        if let Some(directory) = explicit {
            return Self::in_explicit_directory(directory);
        }
        let mut found = Vec::new();
        let mut unsupported = Vec::new();
        for directory in candidate_directories(search_path) {
            match Self::probe(&directory) {
                Ok(programs) if SUPPORTED_MAJORS.contains(&programs.version.0) => found.push(programs),
                Ok(programs) => unsupported.push(programs),
                Err(_) => {}
            }
        }
        // The first of the newest: `max_by_key` would take the last.
        found.sort_by_key(|programs: &Self| std::cmp::Reverse(programs.version));
        found.into_iter().next().ok_or_else(|| none_found(&unsupported))
    }

    /// `postgres`, `initdb` or another program of the same installation.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn in_explicit_directory(directory: &Path) -> Result<Self, Error> {
        let refuse = |reason: String| {
            Error::NoServerPrograms(format!(
                "--postgres-bin {}: {reason}; give the folder that holds the programs postgres and initdb, \
                 such as /usr/lib/postgresql/17/bin",
                directory.display()
            ))
        };
        // Run later from another working directory, so a relative path would not hold.
        let absolute = std::fs::canonicalize(directory).map_err(|error| refuse(error.to_string()))?;
        let programs = Self::probe(&absolute).map_err(refuse)?;
        if !SUPPORTED_MAJORS.contains(&programs.version.0) {
            return Err(refuse(format!(
                "holds PostgreSQL {}, supported are {} to {}",
                programs.version.0,
                SUPPORTED_MAJORS.start(),
                SUPPORTED_MAJORS.end()
            )));
        }
        Ok(programs)
    }

    fn probe(directory: &Path) -> Result<Self, String> {
        for name in ["postgres", "initdb"] {
            if !directory.join(name).is_file() {
                return Err(format!("there is no program {name} in it"));
            }
        }
        let output = Command::new(directory.join("postgres"))
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("its postgres does not run: {error}"))?;
        let banner = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(format!("its postgres does not run: {said}"));
        }
        let version =
            parse_version(&banner).ok_or_else(|| format!("its postgres calls itself `{banner}`"))?;
        Ok(Self { directory: directory.to_owned(), banner, version })
    }
}

/// `postgres (PostgreSQL) 15.18 (Debian …)` or `… 19devel`: major and minor.
fn parse_version(banner: &str) -> Option<(u32, u32)> {
    let number = banner.strip_prefix("postgres (PostgreSQL) ")?.split_whitespace().next()?;
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
    let mut parts = number.split('.');
    let major = digits(parts.next()?).parse().ok()?;
    let minor = parts.next().and_then(|part| digits(part).parse().ok()).unwrap_or(0);
    Some((major, minor))
}

/// Every folder worth a look, each once, PATH first.
fn candidate_directories(search_path: Option<&OsStr>) -> Vec<PathBuf> {
    let mut directories = Vec::new();
    for entry in search_path.map(std::env::split_paths).into_iter().flatten() {
        // A symbolic link on PATH leads to the folder where initdb lies too.
        let program = entry.join("postgres");
        if let Some(home) = std::fs::canonicalize(&program).ok().and_then(|p| p.parent().map(Path::to_owned))
        {
            directories.push(home);
        }
        directories.push(entry);
    }
    for (parent, below) in PACKAGE_PLACES {
        directories.extend(matching(Path::new(parent)).into_iter().map(|place| place.join(below)));
    }
    let mut seen = std::collections::HashSet::new();
    directories.retain(|directory| {
        directory.join("postgres").is_file()
            && std::fs::canonicalize(directory).is_ok_and(|real| seen.insert(real))
    });
    directories
}

/// Folders of packages: a path whose last part may end in `*`, and what lies below each match.
const PACKAGE_PLACES: [(&str, &str); 11] = [
    ("/usr/lib/postgresql/*", "bin"),
    ("/usr/pgsql-*", "bin"),
    ("/usr/libexec/postgresql*", ""),
    ("/usr/lib/postgresql*", "bin"),
    ("/usr/local/pgsql", "bin"),
    ("/opt/homebrew/opt/postgresql*", "bin"),
    ("/usr/local/opt/postgresql*", "bin"),
    ("/home/linuxbrew/.linuxbrew/opt/postgresql*", "bin"),
    ("/Applications/Postgres.app/Contents/Versions/*", "bin"),
    ("/opt/local/lib/postgresql*", "bin"),
    ("/Library/PostgreSQL/*", "bin"),
];

fn matching(pattern: &Path) -> Vec<PathBuf> {
    let (Some(parent), Some(name)) = (pattern.parent(), pattern.file_name().and_then(OsStr::to_str)) else {
        return Vec::new();
    };
    let Some(prefix) = name.strip_suffix('*') else { return vec![pattern.to_owned()] };
    let mut found: Vec<PathBuf> = std::fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix)))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

fn none_found(unsupported: &[Programs]) -> Error {
    let supported = format!("{} to {}", SUPPORTED_MAJORS.start(), SUPPORTED_MAJORS.end());
    let install = install_command(Path::new("/etc"), cfg!(target_os = "macos"));
    let next = format!("{install}, or give --postgres-bin DIR, or a --url of a running server");
    let Some(other) = unsupported.first() else {
        return Error::NoServerPrograms(format!(
            "no PostgreSQL server programs (postgres, initdb) found on this machine: {next}"
        ));
    };
    Error::NoServerPrograms(format!(
        "found only PostgreSQL {} in {}, supported are {supported}: {next}",
        other.version.0,
        other.directory.display()
    ))
}

/// What a person types to install the server, by the system's package manager.
fn install_command(etc: &Path, is_macos: bool) -> &'static str {
    if is_macos {
        return "install them with `brew install postgresql@17`";
    }
    let release = std::fs::read_to_string(etc.join("os-release")).unwrap_or_default();
    let family: String =
        release.lines().filter(|line| line.starts_with("ID=") || line.starts_with("ID_LIKE=")).collect();
    if family.contains("debian") || family.contains("ubuntu") {
        "install them with `sudo apt-get install postgresql`"
    } else if ["fedora", "rhel", "centos"].iter().any(|name| family.contains(name)) {
        "install them with `sudo dnf install postgresql-server`"
    } else if family.contains("alpine") {
        "install them with `apk add postgresql`"
    } else if family.contains("arch") {
        "install them with `sudo pacman -S postgresql`"
    } else if family.contains("suse") {
        "install them with `sudo zypper install postgresql-server`"
    } else {
        "install the PostgreSQL server package of your system"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_the_banner() {
        for (banner, expected) in [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", Some((15, 18))),
            ("postgres (PostgreSQL) 13.23", Some((13, 23))),
            ("postgres (PostgreSQL) 19devel", Some((19, 0))),
            ("postgres (PostgreSQL) 18beta2", Some((18, 0))),
            ("postgres (EDB Advanced) 15", None),
            ("", None),
        ] {
            assert_eq!(parse_version(banner), expected, "{banner}");
        }
    }

    fn fake_installation(root: &Path, name: &str, version: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let bin = root.join(name);
        std::fs::create_dir_all(&bin).unwrap();
        for program in ["postgres", "initdb"] {
            let path = bin.join(program);
            std::fs::write(&path, format!("#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        bin
    }

    #[test]
    fn the_newest_supported_version_on_the_path_wins() {
        let root = tempfile::tempdir().unwrap();
        // Above whatever this machine has installed, and one that is too new.
        let old = fake_installation(root.path(), "old", "13.1");
        let new = fake_installation(root.path(), "new", "18.99");
        let future = fake_installation(root.path(), "future", "77.1");
        let path = std::env::join_paths([&future, &old, &new]).unwrap();
        let found = Programs::find(None, Some(&path)).unwrap();
        assert_eq!(found.version, (18, 99));
        assert_eq!(found.directory, std::fs::canonicalize(new).unwrap());
    }

    #[test]
    fn a_link_on_the_path_leads_to_the_folder_with_initdb() {
        let root = tempfile::tempdir().unwrap();
        let bin = fake_installation(root.path(), "real", "18.98");
        let links = root.path().join("links");
        std::fs::create_dir(&links).unwrap();
        std::os::unix::fs::symlink(bin.join("postgres"), links.join("postgres")).unwrap();
        let found = Programs::find(None, Some(links.as_os_str())).unwrap();
        assert_eq!(found.directory, std::fs::canonicalize(bin).unwrap());
    }

    #[test]
    fn a_wrong_explicit_folder_says_what_is_missing() {
        let root = tempfile::tempdir().unwrap();
        let message = |path: &Path| Programs::find(Some(path), None).unwrap_err().to_string();
        assert!(message(root.path()).contains("there is no program postgres in it"));
        assert!(message(&root.path().join("absent")).contains("No such file"));
        let future = fake_installation(root.path(), "future", "77.1");
        assert!(message(&future).contains("holds PostgreSQL 77, supported are 13 to 18"));
        let broken = fake_installation(root.path(), "broken", "x");
        assert!(message(&broken).contains("its postgres calls itself"));
    }

    #[test]
    fn the_message_names_the_systems_own_package_manager() {
        let etc = tempfile::tempdir().unwrap();
        for (release, expected) in [
            ("ID=debian\n", "apt-get"),
            ("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", "apt-get"),
            ("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", "dnf"),
            ("ID=alpine\n", "apk"),
            ("ID=nixos\n", "of your system"),
        ] {
            std::fs::write(etc.path().join("os-release"), release).unwrap();
            assert!(install_command(etc.path(), false).contains(expected), "{release}");
        }
        assert!(install_command(etc.path(), true).contains("brew"));
    }
}
