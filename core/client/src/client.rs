//! The client: calls that find their own session, and try again where that is safe.

use std::future::Future;
use std::sync::Arc;

use dqlite_env::Env;
use tokio::time::Instant;

use crate::attempts::Attempts;
use crate::cluster::Cluster;
use crate::connection::{Connection, Executed, TransactionMode};
use crate::error::{Error, Outcome, Retryable};
use crate::leader::LeaderSearch;
use crate::options::ClientOptions;
use crate::params::IntoParams;
use crate::pool::Pool;
use crate::row::Row;
use crate::rows::{Owner, Rows};
use crate::session::Source;
use crate::transaction::Transaction;

/// A client of one database of a cluster. Clones share their sessions.
///
/// Each call may run on another session, so a transaction never reaches over several of them: see
/// [`Client::transaction`] and [`Client::connection`].
#[derive(Debug, Clone)]
pub struct Client {
    pool: Arc<Pool>,
}

impl Client {
    /// A client that looks for the cluster at `addresses`. It connects with the first call.
    pub fn new(
        env: Env,
        addresses: impl IntoIterator<Item = impl Into<String>>,
        database: &str,
    ) -> Self {
        Self::with_options(env, addresses, database, ClientOptions::default())
    }

    /// The same with other settings than the usual ones.
    pub fn with_options(
        env: Env,
        addresses: impl IntoIterator<Item = impl Into<String>>,
        database: &str,
        options: ClientOptions,
    ) -> Self {
        let addresses = addresses.into_iter().map(Into::into).collect();
        let search = LeaderSearch::new(env, addresses, options.connect_timeout);
        Self { pool: Arc::new(Pool::new(search, database.to_owned(), options)) }
    }

    /// The database's name.
    pub fn database(&self) -> &str {
        self.pool.database()
    }

    /// Runs a statement, or several, that give no rows. Once it returns, a majority of the voters
    /// has what it wrote. Several statements are not one transaction, and are never tried again
    /// once they were sent.
    ///
    /// # Errors
    /// The server refused, or no answer came: the error tells the outcome.
    pub async fn execute(&self, sql: &str, params: impl IntoParams) -> Result<Executed, Error> {
        let params = params.into_params();
        let mut attempts = self.attempts();
        loop {
            let mut pooled = self.pool.take(attempts.deadline).await?;
            let session = pooled.session()?;
            match session.execute(Source::Text(sql), &params, attempts.deadline).await {
                Ok(executed) => return Ok(executed),
                Err(failure) => {
                    let address = session.address().to_owned();
                    drop(pooled);
                    attempts.again(&address, failure).await?;
                }
            }
        }
    }

    /// Runs one statement for its rows, which hold a session until they are read or dropped.
    ///
    /// # Errors
    /// The server refused, or no answer came: the error tells the outcome.
    pub async fn query(&self, sql: &str, params: impl IntoParams) -> Result<Rows<'static>, Error> {
        let params = params.into_params();
        let mut attempts = self.attempts();
        loop {
            let mut pooled = self.pool.take(attempts.deadline).await?;
            let session = pooled.session()?;
            match session.query(Source::Text(sql), &params, attempts.deadline).await {
                Ok(frame) => return Rows::new(Owner::Rows(pooled), frame),
                Err(failure) => {
                    let address = session.address().to_owned();
                    drop(pooled);
                    attempts.again(&address, failure).await?;
                }
            }
        }
    }

    /// Runs one statement for all its rows at once. A read that fails midway begins anew.
    ///
    /// # Errors
    /// The server refused, or no answer came: the error tells the outcome.
    pub async fn query_all(&self, sql: &str, params: impl IntoParams) -> Result<Vec<Row>, Error> {
        let params = params.into_params();
        let mut attempts = self.attempts();
        loop {
            let mut pooled = self.pool.take(attempts.deadline).await?;
            let session = pooled.session()?;
            let address = session.address().to_owned();
            let failure = match session.query(Source::Text(sql), &params, attempts.deadline).await {
                Ok(frame) => match Rows::new(Owner::Rows(pooled), frame)?.collect_all().await {
                    Ok(rows) => return Ok(rows),
                    Err(failure) => failure,
                },
                Err(failure) => {
                    drop(pooled);
                    failure
                }
            };
            attempts.again(&address, failure).await?;
        }
    }

    /// Runs `body` in a transaction that takes the write lock at once, and commits it if the body
    /// succeeds. If it fails the transaction is rolled back; and if the failure is one of the
    /// moment and surely left nothing behind, the body runs again from the start, as long as the
    /// client's timeout allows.
    ///
    /// ```no_run
    /// # async fn example(client: dqlite_client::Client) -> Result<(), dqlite_client::Error> {
    /// let balance = client
    ///     .transaction(|tx| async move {
    ///         tx.execute("UPDATE account SET balance = balance - ? WHERE id = 1", (10,)).await?;
    ///         tx.execute("UPDATE account SET balance = balance + ? WHERE id = 2", (10,)).await?;
    ///         let rows = tx.query_all("SELECT balance FROM account WHERE id = 1", ()).await?;
    ///         rows[0].get::<i64>("balance")
    ///     })
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The body's, or that of BEGIN or COMMIT. A lost answer to COMMIT has an unknown outcome.
    pub async fn transaction<T, F, B>(&self, body: F) -> Result<T, Error>
    where
        F: FnMut(Transaction) -> B,
        B: Future<Output = Result<T, Error>>,
    {
        self.transaction_with(TransactionMode::Immediate, body).await
    }

    /// The same in a certain mode: [`TransactionMode::Deferred`] suits transactions that read.
    ///
    /// # Errors
    /// Those of [`Client::transaction`].
    pub async fn transaction_with<T, F, B>(
        &self,
        mode: TransactionMode,
        mut body: F,
    ) -> Result<T, Error>
    where
        F: FnMut(Transaction) -> B,
        B: Future<Output = Result<T, Error>>,
    {
        let mut attempts = self.attempts();
        loop {
            let pooled = self.pool.take(attempts.deadline).await?;
            let error = match Transaction::begin(pooled, mode).await {
                Ok(transaction) => match self.run_in(&transaction, &mut body).await {
                    Ok(value) => return Ok(value),
                    Err(error) => error,
                },
                Err(error) => error,
            };
            if error.outcome == Outcome::Unknown || error.retryable() == Retryable::No {
                return Err(error);
            }
            attempts.anyway(error).await?;
        }
    }

    /// Runs `body` in a transaction that was begun, and ends it.
    async fn run_in<T, F, B>(&self, transaction: &Transaction, body: &mut F) -> Result<T, Error>
    where
        F: FnMut(Transaction) -> B,
        B: Future<Output = Result<T, Error>>,
    {
        let result = body(transaction.clone()).await;
        let pooled = transaction.end();
        match (result, pooled) {
            (Ok(value), Ok(pooled)) => {
                let mut connection = Connection::new(pooled);
                let committed = connection.commit().await;
                if committed.is_err() {
                    connection.end_transaction().await;
                }
                committed.map(|()| value)
            }
            (Err(error), Ok(pooled)) => {
                Connection::new(pooled).end_transaction().await;
                Err(error)
            }
            (result, Err(gone)) => result.and(Err(gone)),
        }
    }

    /// A session of one's own.
    ///
    /// # Errors
    /// No session came free or no leader was found in time.
    pub async fn connection(&self) -> Result<Connection, Error> {
        let deadline = Instant::now() + self.pool.options().timeout;
        self.pool.take(deadline).await.map(Connection::new)
    }

    /// The cluster itself: its members and their state.
    pub fn cluster(&self) -> Cluster {
        Cluster::new(self.pool.clone())
    }

    fn attempts(&self) -> Attempts<'_> {
        Attempts::new(&self.pool, self.pool.options().timeout)
    }
}
