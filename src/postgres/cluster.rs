//! An initialised data directory: made by `initdb` once, copied afterwards.
//!
//! The cache is keyed by everything that decides its content, published by a
//! rename, and never written to again, so that parallel runs cannot meet half a
//! directory. A copy that cannot be made or used falls back to `initdb`.

use super::Error;
use super::account::Account;
use super::copy::copy_tree;
use super::directory::random_letters;
use super::programs::Programs;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// Passed to every `initdb`. Locale and encoding are those of most servers in
/// production: with the locale `C` a `LIKE 'a%'` would use indexes that it does
/// not use there.
const OPTIONS: [&str; 4] = ["--username=postgres", "--encoding=UTF8", "--auth=trust", "--no-sync"];
/// The first that the system knows.
const LOCALES: [&str; 3] = ["C.UTF-8", "en_US.UTF-8", "C"];

/// Where initialised data directories are kept, for these programs and this account.
pub(super) fn cached_cluster(cache: &Path, programs: &Programs, account: &Account) -> PathBuf {
    let content = format!(
        "1\n{}\n{}\n{:?}\n{:?}\n{}",
        programs.banner,
        programs.directory.display(),
        OPTIONS,
        LOCALES,
        account.uid
    );
    cache.join("clusters").join(key(content.as_bytes()))
}

/// Sixteen hexadecimal digits that stand for `content`.
pub(super) fn key(content: &[u8]) -> String {
    Sha256::digest(content).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Fills `data` (not there yet) from the cache, or by `initdb`, and then the cache from it.
pub(super) fn create(
    data: &Path,
    cache: Option<&Path>,
    programs: &Programs,
    account: &Account,
) -> Result<(), Error> {
    let cached = cache.map(|cache| cached_cluster(cache, programs, account));
    if let Some(cached) = cached.as_deref().filter(|cached| cached.is_dir()) {
        if copy_tree(cached, data, account).is_ok() {
            return Ok(());
        }
        // Half a copy would make initdb refuse; what cannot be read is made anew.
        let _ = std::fs::remove_dir_all(data);
        let _ = std::fs::remove_dir_all(cached);
    }
    initialise(data, programs, account)?;
    if let Some(cached) = cached {
        // The next start is slower without it, and nothing else is.
        let _ = publish(data, &cached);
    }
    Ok(())
}

/// Copies a directory to its place in the cache, whole or not at all.
pub(super) fn publish(data: &Path, cached: &Path) -> Result<(), Error> {
    let parent = cached.parent().unwrap_or(cached);
    let fail = |source| Error::File { action: "create", path: parent.to_owned(), source };
    std::fs::create_dir_all(parent).map_err(fail)?;
    let unfinished = parent.join(format!("unfinished-{}", random_letters(10)?));
    let ourselves = Account { uid: 0, gid: 0, is_other: false };
    let published = copy_tree(data, &unfinished, &ourselves)
        .and_then(|()| std::fs::rename(&unfinished, cached).map_err(fail));
    if published.is_err() {
        // Another run may have published the same meanwhile: just as good.
        let _ = std::fs::remove_dir_all(&unfinished);
    }
    published
}

fn initialise(data: &Path, programs: &Programs, account: &Account) -> Result<(), Error> {
    let mut said = String::new();
    for locale in LOCALES {
        let mut command = account.command(&programs.program("initdb"));
        command.args(OPTIONS).arg(format!("--locale={locale}")).arg("-D").arg(data);
        let output = command.output().map_err(|source| Error::File {
            action: "run",
            path: programs.program("initdb"),
            source,
        })?;
        if output.status.success() {
            return Ok(());
        }
        said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if !said.contains("invalid locale name") {
            break;
        }
    }
    Err(Error::Start(explain_failure(&said, account.uid)))
}

/// What `initdb` or `postgres` said, with what to do about it where that is known.
pub(super) fn explain_failure(said: &str, uid: u32) -> String {
    let next = if said.contains("could not look up effective user ID") {
        format!(
            ". User id {uid} has no entry in /etc/passwd: run as a user who has one; in a container, start \
             it with such a user, or add a line to /etc/passwd when building the image"
        )
    } else if said.contains("No space left on device") {
        ". The disk is full: make room, or give another scratch directory".into()
    } else if said.contains("could not create shared memory") || said.contains("shmget") {
        ". The system has no shared memory left for it: see `ipcs -m`".into()
    } else {
        String::new()
    };
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines.len().saturating_sub(5);
    format!("{}{next}", lines[last..].join("; "))
}

#[cfg(test)]
mod tests {
    use super::explain_failure;

    #[test]
    fn a_user_id_without_an_account_is_explained() {
        let said = "initdb: error: could not look up effective user ID 12345: user does not exist";
        let message = explain_failure(said, 12345);
        assert!(message.starts_with("initdb: error"), "{message}");
        assert!(message.contains("User id 12345 has no entry in /etc/passwd"), "{message}");
        assert_eq!(explain_failure("a\n\nb\n", 1), "a; b");
    }
}
