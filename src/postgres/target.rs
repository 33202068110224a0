//! The database under test, and what may be done to it.
//!
//! A throwaway server is ours whole. On any other server a database is changed
//! only if it is marked as disposable or was made here; everything else is read
//! only. Databases made here are remembered and removed on [`Target::close`].

use super::address::Address;
use super::owner::Owner;
use super::server::{Server, ThrowawayOptions};
use super::session::Session;
use super::tls::MakeTls;
use super::{Error, connect_error, durability, leftovers, naming, version};
use crate::model::{Durability, Progress, TargetDescription, TargetKind};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_postgres::Config;

/// The comment that marks a database as one that may be changed.
pub const DISPOSABLE_COMMENT: &str = "plimsoll: disposable";

/// A server and the database under test. Holds no connection.
#[derive(Debug)]
pub struct Target {
    address: Address,
    tls: MakeTls,
    description: TargetDescription,
    server: Option<Arc<Server>>,
    made: Mutex<BTreeSet<String>>,
    templates: Mutex<BTreeSet<String>>,
}

impl Target {
    /// Starts a throwaway server. It ends with this value, or with this process
    /// in whatever way that ends.
    ///
    /// # Errors
    /// No server programs, or the server does not start; the message says what to do.
    pub async fn throwaway(options: &ThrowawayOptions, progress: &dyn Progress) -> Result<Self, Error> {
        progress.phase("starting a throwaway PostgreSQL", None);
        let options = options.clone();
        let server = tokio::task::spawn_blocking(move || Server::start(&options)).await;
        let server = Arc::new(server.map_err(|error| Error::Start(error.to_string()))??);
        let address = Address::of_throwaway(&server.directory, server.port, &server.password);
        let tls = MakeTls::new(&address.tls)?;
        let session = open(&address, &tls, "postgres").await?;
        session.batch_execute(&format!("ALTER ROLE postgres PASSWORD '{}'", server.password)).await?;
        let description = describe(&session, TargetKind::Throwaway).await?;
        Ok(Self {
            address,
            tls,
            description,
            server: Some(server),
            made: Mutex::default(),
            templates: Mutex::default(),
        })
    }

    /// The database that a URL names, on a running server.
    ///
    /// # Errors
    /// The URL is malformed, the server cannot be reached, refuses the login, or is of an
    /// unsupported version.
    pub async fn at_url(url: &str) -> Result<Self, Error> {
        let address = Address::parse(url)?;
        let tls = MakeTls::new(&address.tls)?;
        let session = open(&address, &tls, &address.database).await?;
        let is_disposable = is_marked(&session).await?;
        let kind = if is_disposable { TargetKind::Disposable } else { TargetKind::Precious };
        let description = describe(&session, kind).await?;
        version::check(description.server_version_num, &description.server_version)?;
        leftovers::sweep(&session).await?;
        Ok(Self {
            address,
            tls,
            description,
            server: None,
            made: Mutex::default(),
            templates: Mutex::default(),
        })
    }

    /// What it is, for reports.
    #[must_use]
    pub fn description(&self) -> &TargetDescription {
        &self.description
    }

    /// The database under test.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.address.database
    }

    /// Whether we started the server: superuser rights, and everything on it is ours.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.server.is_some()
    }

    /// Where the socket of a throwaway server lies, for clients that speak the protocol themselves.
    #[must_use]
    pub fn socket_directory(&self) -> Option<&Path> {
        self.server.as_ref().map(|server| server.directory.as_path())
    }

    /// A session with the database under test.
    ///
    /// # Errors
    /// The server cannot be reached or refuses.
    pub async fn connect(&self) -> Result<Session, Error> {
        self.connect_to(self.database()).await
    }

    /// A session with another database of the same server.
    ///
    /// # Errors
    /// The server cannot be reached or refuses.
    pub async fn connect_to(&self, database: &str) -> Result<Session, Error> {
        let config = self.config_for(database);
        Session::open(&config, &self.tls)
            .await
            .map_err(|error| connect_error::explain(&self.address, database, &error))
    }

    /// How our own sessions with a database connect. Sessions with a precious
    /// database are read only.
    #[must_use]
    pub fn config_for(&self, database: &str) -> Config {
        let mut config = self.address.config(database);
        if !self.may_change(database) {
            let options = config.get_options().unwrap_or_default().to_owned();
            config.options(format!("{options} -c default_transaction_read_only=on").trim_start());
        }
        config
    }

    /// A libpq URL of a database, for child processes and other clients: over
    /// loopback TCP where the server is ours.
    #[must_use]
    pub fn url_for(&self, database: &str) -> String {
        self.address.url(database)
    }

    /// The same for clients that speak the protocol themselves: whom they trust.
    #[must_use]
    pub fn tls_config(&self) -> Arc<rustls::ClientConfig> {
        self.tls.config()
    }

    /// How connections are encrypted, where they are.
    pub(super) fn tls(&self) -> &MakeTls {
        &self.tls
    }

    /// Whether a database of this server may be changed.
    #[must_use]
    pub fn may_change(&self, database: &str) -> bool {
        match self.description.kind {
            TargetKind::Throwaway => true,
            TargetKind::Disposable => database == self.database() || self.has_made(database),
            TargetKind::Precious => self.has_made(database),
        }
    }

    /// Nothing where a database may be changed.
    ///
    /// # Errors
    /// It may not; the message shows the command that marks it.
    pub fn require_change(&self, database: &str) -> Result<(), Error> {
        if self.may_change(database) {
            return Ok(());
        }
        let quoted = naming::quote_identifier(database);
        Err(Error::Precious(format!(
            "database {database} on {} is not marked as disposable, so nothing in it is changed; if it may be \
             changed, mark it once: COMMENT ON DATABASE {quoted} IS '{DISPOSABLE_COMMENT}'",
            self.address.place
        )))
    }

    /// Makes an empty database; its name starts with `plimsoll_` and carries the
    /// label. It is removed on [`Self::close`].
    ///
    /// # Errors
    /// The server refuses, for example without the right to create databases.
    pub async fn create_database(&self, label: &str) -> Result<String, Error> {
        self.make_database(None, label).await
    }

    /// Makes a copy of a database, which nobody may be connected to meanwhile.
    /// It is removed on [`Self::close`].
    ///
    /// # Errors
    /// The server refuses, for example because of sessions with the source.
    pub async fn clone_database(&self, source: &str, label: &str) -> Result<String, Error> {
        self.make_database(Some(source), label).await
    }

    async fn make_database(&self, source: Option<&str>, label: &str) -> Result<String, Error> {
        let name = naming::database_name(label)?;
        let admin = self.admin_session(source).await?;
        let template = source.unwrap_or("template0");
        let quoted = naming::quote_identifier(&name);
        // Remembered first: a cancelled call must not leave a database behind.
        self.lock_made().insert(name.clone());
        let statement = format!("CREATE DATABASE {quoted} TEMPLATE {}", naming::quote_identifier(template));
        if let Err(error) = admin.batch_execute(&statement).await {
            self.lock_made().remove(&name);
            return Err(make_error(error.into(), &self.address.place));
        }
        if !self.is_ours()
            && let Some(owner) = Owner::current()
        {
            let comment = naming::quote_literal(&owner.comment());
            admin.batch_execute(&format!("COMMENT ON DATABASE {quoted} IS {comment}")).await?;
        }
        Ok(name)
    }

    /// Removes a database made here, with whoever is connected to it.
    ///
    /// # Errors
    /// It was not made here, or the server refuses.
    pub async fn drop_database(&self, name: &str) -> Result<(), Error> {
        if !self.has_made(name) {
            return Err(Error::Precious(format!(
                "database {name} was not made by this run, so it is not dropped"
            )));
        }
        let admin = self.admin_session(Some(name)).await?;
        admin
            .batch_execute(&format!(
                "DROP DATABASE IF EXISTS {} WITH (FORCE)",
                naming::quote_identifier(name)
            ))
            .await?;
        self.lock_made().remove(name);
        Ok(())
    }

    /// Turns `fsync` off on a throwaway server, for loading data.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn suspend_durability(&self) -> Result<(), Error> {
        if self.has_own_durability() { durability::suspend(self).await } else { Ok(()) }
    }

    /// Turns `fsync` on again, and waits until what was loaded is on the disk,
    /// so that nothing is written back while something is measured.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn restore_durability(&self) -> Result<(), Error> {
        let Some(server) = self.server().cloned().filter(|_| self.has_own_durability()) else {
            return Ok(());
        };
        durability::restore(self).await?;
        let synced = tokio::task::spawn_blocking(move || server.sync_to_disk()).await;
        synced.map_err(|error| Error::Unexpected(error.to_string()))
    }

    /// Ours, and nobody gave its durability up for good.
    fn has_own_durability(&self) -> bool {
        self.is_ours() && self.description.durability.fsync
    }

    /// Removes every database made here, and a throwaway server with its
    /// directory; returns when that is done. Calling it again does nothing.
    ///
    /// # Errors
    /// A database could not be dropped; the others are.
    pub async fn close(&self) -> Result<(), Error> {
        if let Some(server) = self.server.clone() {
            self.lock_made().clear();
            let stopped = tokio::task::spawn_blocking(move || server.stop()).await;
            return stopped.map_err(|error| Error::Unexpected(error.to_string()));
        }
        let names = self.made();
        let mut result = Ok(());
        for name in names {
            if let Err(error) = self.drop_database(&name).await {
                result = Err(error);
            }
        }
        result
    }

    /// A session from which databases are made and dropped: never with `besides`.
    async fn admin_session(&self, besides: Option<&str>) -> Result<Session, Error> {
        let database = if besides == Some(self.database()) { "postgres" } else { self.database() };
        open(&self.address, &self.tls, database).await
    }

    fn has_made(&self, database: &str) -> bool {
        self.lock_made().contains(database)
    }

    /// Databases of the throwaway server that are kept as templates.
    pub(super) fn lock_templates(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.templates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The throwaway server.
    pub(super) fn server(&self) -> Option<&Arc<Server>> {
        self.server.as_ref()
    }

    /// The databases made here.
    pub(super) fn made(&self) -> Vec<String> {
        self.lock_made().iter().cloned().collect()
    }

    fn lock_made(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn open(address: &Address, tls: &MakeTls, database: &str) -> Result<Session, Error> {
    Session::open(&address.config(database), tls)
        .await
        .map_err(|error| connect_error::explain(address, database, &error))
}

/// Without the right to make databases there are two ways out.
fn make_error(error: Error, place: &str) -> Error {
    if error.sqlstate() != Some("42501") {
        return error;
    }
    Error::Precious(format!(
        "no database can be made beside the target at {place}: {error}; grant it once with ALTER ROLE … CREATEDB, \
         or leave the URL out to use a throwaway server"
    ))
}

async fn is_marked(session: &Session) -> Result<bool, Error> {
    let comment: Option<String> = session
        .query_one(
            "SELECT pg_catalog.shobj_description(oid, 'pg_database') \
             FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()",
            &[],
        )
        .await?
        .get(0);
    Ok(comment.is_some_and(|comment| comment.trim() == DISPOSABLE_COMMENT))
}

async fn describe(session: &Session, kind: TargetKind) -> Result<TargetDescription, Error> {
    let row = session
        .query_one(
            "SELECT pg_catalog.current_setting('server_version'), \
                    pg_catalog.current_setting('server_version_num'), \
                    pg_catalog.current_setting('fsync') = 'on', \
                    pg_catalog.current_setting('synchronous_commit'), \
                    pg_catalog.current_setting('full_page_writes') = 'on'",
            &[],
        )
        .await?;
    let number: String = row.get(1);
    let server_version_num =
        number.parse().map_err(|_| Error::Unexpected(format!("server_version_num is `{number}`")))?;
    Ok(TargetDescription {
        kind,
        server_version: row.get(0),
        server_version_num,
        durability: Durability {
            fsync: row.get(2),
            synchronous_commit: row.get(3),
            full_page_writes: row.get(4),
        },
    })
}
