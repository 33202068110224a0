//! Keys that stand for all that decides what a database holds.
//!
//! Two equal keys mean equal schema and rows, whichever run made them. With a
//! migration command of the project's own nobody knows what it does: no key.

use crate::project::Project;
use crate::project::settings::Volume;
use sha2::{Digest as _, Sha256};

/// Of a database at a version (`None`: the newest) with a volume.
pub(super) fn database_key(project: &Project, version: Option<&str>, volume: &Volume) -> Option<String> {
    if project.settings.database.migrate_command.is_some() {
        return None;
    }
    let mut key = Key::new();
    let last = version.or(project.migrations.last().map(|last| last.version.as_str()));
    for migration in &project.migrations {
        key.add(&migration.version).add(&migration.label).add(&migration.sql);
        key.add(if migration.in_transaction { "in" } else { "without" });
        if Some(migration.version.as_str()) == last {
            break;
        }
    }
    // What is left out at an earlier version depends on the later ones.
    key.add(version.unwrap_or("head"));
    add_data(&mut key, project);
    Some(key.add(&volume.name).finish())
}

/// Of everything that commands with these volumes make: of a whole server's data directory.
pub(super) fn project_key(project: &Project, volumes: &[String]) -> Option<String> {
    if project.settings.database.migrate_command.is_some() {
        return None;
    }
    let mut key = Key::new();
    for migration in &project.migrations {
        key.add(&migration.version).add(&migration.sql);
    }
    add_data(&mut key, project);
    for volume in volumes {
        key.add(volume);
    }
    Some(key.finish())
}

fn add_data(key: &mut Key, project: &Project) {
    key.add(project.distributions.as_ref().map_or("", |distributions| &distributions.text));
    for volume in &project.settings.volumes {
        key.add(&volume.name).add(&volume.factor.to_string());
    }
}

/// Parts with their lengths, so that they cannot run into one another.
struct Key(Sha256);

impl Key {
    fn new() -> Self {
        // Another version of Plimsoll may make other rows of the same declarations.
        let mut key = Self(Sha256::new());
        key.add(env!("CARGO_PKG_VERSION"));
        key
    }

    fn add(&mut self, part: &str) -> &mut Self {
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part.as_bytes());
        self
    }

    fn finish(&self) -> String {
        self.0.clone().finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}
