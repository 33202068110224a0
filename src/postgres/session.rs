//! A session with the server: a client, its driver task and its backend's process id.

use super::tls::MakeTls;
use tokio_postgres::{Client, Config};

/// An open connection. Dropping it ends the session.
pub struct Session {
    client: Client,
    backend_pid: i32,
}

impl Session {
    /// Connects; `tls` is used as far as the configuration's `sslmode` asks for it.
    pub(super) async fn open(config: &Config, tls: &MakeTls) -> Result<Self, tokio_postgres::Error> {
        let (client, connection) = config.connect(tls.clone()).await?;
        // Ends with the session; what it reports, the client's own calls report too.
        tokio::spawn(connection);
        let backend_pid = client.query_one("SELECT pg_catalog.pg_backend_pid()", &[]).await?.get(0);
        Ok(Self { client, backend_pid })
    }

    /// The process id of the backend, as in `pg_locks.pid`.
    #[must_use]
    pub fn backend_pid(&self) -> i32 {
        self.backend_pid
    }
}

impl std::ops::Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl std::ops::DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("backend_pid", &self.backend_pid).finish_non_exhaustive()
    }
}
