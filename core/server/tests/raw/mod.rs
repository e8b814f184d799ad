//! A client made of bytes: it knows the protocol from its description, not from the code that
//! serves it. Nothing here waits longer than [`DEADLINE`]: a server that hangs fails the test.

#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    reason = "a test may, and each uses what it needs"
)]

pub mod body;
pub mod calls;
pub mod cluster;
pub mod rows;

use std::time::Duration;

use dqlite_env::{Network, RealNetwork, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

pub use body::{Body, V};
pub use cluster::Server;
pub use rows::Table;

/// No answer takes this long unless it never comes.
pub const DEADLINE: Duration = Duration::from_secs(60);

pub const HELLO: [u8; 8] = [1, 0, 0, 0, 0, 0, 0, 0];
pub const HELLO_LEGACY: [u8; 8] = [0xe5, 0x3f, 0x43, 0x60, 0xd7, 0x4d, 0x10, 0x86];

/// Requests by number.
pub mod ask {
    pub const LEADER: u8 = 0;
    pub const CLIENT: u8 = 1;
    pub const HEARTBEAT: u8 = 2;
    pub const OPEN: u8 = 3;
    pub const PREPARE: u8 = 4;
    pub const EXEC: u8 = 5;
    pub const QUERY: u8 = 6;
    pub const FINALIZE: u8 = 7;
    pub const EXEC_SQL: u8 = 8;
    pub const QUERY_SQL: u8 = 9;
    pub const INTERRUPT: u8 = 10;
    pub const CONNECT: u8 = 11;
    pub const ADD: u8 = 12;
    pub const ASSIGN: u8 = 13;
    pub const REMOVE: u8 = 14;
    pub const DUMP: u8 = 15;
    pub const CLUSTER: u8 = 16;
    pub const TRANSFER: u8 = 17;
    pub const DESCRIBE: u8 = 18;
    pub const WEIGHT: u8 = 19;
    pub const STATUS: u8 = 128;
    pub const IMPORT: u8 = 129;
    pub const METRICS: u8 = 130;
    pub const SESSION: u8 = 131;
    pub const RUN: u8 = 132;
    pub const FETCH: u8 = 133;
    pub const CLOSE: u8 = 134;
    pub const OUTCOME: u8 = 135;
    pub const WAIT: u8 = 136;
    pub const BARRIER: u8 = 137;
    pub const BACKUP: u8 = 138;
}

/// Answers by number.
pub mod say {
    pub const FAILURE: u8 = 0;
    pub const SERVER: u8 = 1;
    pub const WELCOME: u8 = 2;
    pub const SERVERS: u8 = 3;
    pub const DB: u8 = 4;
    pub const STMT: u8 = 5;
    pub const RESULT: u8 = 6;
    pub const ROWS: u8 = 7;
    pub const EMPTY: u8 = 8;
    pub const FILES: u8 = 9;
    pub const METADATA: u8 = 10;
    pub const STATUS: u8 = 128;
    pub const METRICS: u8 = 130;
    pub const SESSION: u8 = 131;
    pub const RAN: u8 = 132;
    pub const BATCH: u8 = 133;
    pub const OUTCOME: u8 = 135;
    pub const INDEX: u8 = 136;
    pub const PIECE: u8 = 138;
}

/// A message that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub kind: u8,
    pub schema: u8,
    pub body: Vec<u8>,
}

/// What FAILURE says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub code: u64,
    pub message: String,
}

impl Failure {
    pub fn new(code: u64, message: &str) -> Self {
        Self { code, message: message.to_owned() }
    }
}

/// What RESULT says: the last inserted rowid and the rows affected.
pub type Executed = Result<(i64, u64), Failure>;

impl Answer {
    /// The failure that it is. Nothing may stand before or behind its code and text.
    pub fn failure(&self) -> Failure {
        assert_eq!((self.kind, self.schema), (say::FAILURE, 0), "{self:02x?}");
        let mut reader = body::Reader::new(&self.body);
        let failure = Failure { code: reader.u64(), message: reader.text() };
        assert!(reader.is_empty(), "{self:02x?}");
        failure
    }

    pub fn assert_empty(&self) {
        assert_eq!((self.kind, self.body.as_slice()), (say::EMPTY, &[0; 8][..]), "{self:02x?}");
    }

    pub fn executed(&self) -> Executed {
        if self.kind == say::FAILURE {
            return Err(self.failure());
        }
        assert_eq!((self.kind, self.body.len()), (say::RESULT, 16), "{self:02x?}");
        let mut reader = body::Reader::new(&self.body);
        Ok((reader.u64() as i64, reader.u64()))
    }
}

/// A message as bytes.
pub fn frame(kind: u8, schema: u8, body: &[u8]) -> Vec<u8> {
    assert_eq!(body.len() % 8, 0);
    let mut bytes = ((body.len() / 8) as u32).to_le_bytes().to_vec();
    bytes.extend([kind, schema, 0, 0]);
    bytes.extend(body);
    bytes
}

/// Bytes as a person writes them.
pub fn hex(text: &str) -> Vec<u8> {
    let digits = text.split(|c: char| c.is_whitespace() || c == '|').filter(|it| !it.is_empty());
    digits.map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

/// One connection.
#[derive(Debug)]
pub struct Wire {
    stream: Box<dyn Stream>,
}

impl Wire {
    /// Connects and says nothing.
    pub async fn dial(address: &str) -> Self {
        let stream = timeout(DEADLINE, RealNetwork.connect(address)).await;
        Self::over(stream.unwrap().unwrap())
    }

    /// A connection that stands already.
    pub fn over(stream: Box<dyn Stream>) -> Self {
        Self { stream }
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        timeout(DEADLINE, self.stream.write_all(bytes)).await.unwrap().unwrap();
    }

    /// Sends to a server that may close while it is being written to.
    pub async fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        timeout(DEADLINE, self.stream.write_all(bytes)).await.unwrap()
    }

    /// Says that nothing more will be said, and still listens.
    pub async fn finish(&mut self) {
        // The server may have closed before.
        let _ = timeout(DEADLINE, self.stream.shutdown()).await.unwrap();
    }

    pub async fn next(&mut self) -> Answer {
        match self.try_next().await {
            Some(answer) => answer,
            None => panic!("the connection was closed instead of an answer"),
        }
    }

    /// The next message, or `None` when the server has closed.
    pub async fn try_next(&mut self) -> Option<Answer> {
        let read = async {
            let mut header = [0; 8];
            self.stream.read_exact(&mut header).await.ok()?;
            let words = u32::from_le_bytes(header[..4].try_into().unwrap()) as usize;
            assert!(words > 0, "an answer without a body");
            assert_eq!(header[6..], [0, 0], "extra");
            let mut body = vec![0; words * 8];
            self.stream.read_exact(&mut body).await.ok()?;
            Some(Answer { kind: header[4], schema: header[5], body })
        };
        timeout(DEADLINE, read).await.expect("an answer or a close")
    }

    /// The server closes, without another word.
    pub async fn expect_close(&mut self) {
        assert_eq!(self.try_next().await, None);
    }

    pub async fn ask(&mut self, kind: u8, body: impl AsRef<[u8]>) -> Answer {
        self.ask_schema(kind, 0, body).await
    }

    pub async fn ask_schema(&mut self, kind: u8, schema: u8, body: impl AsRef<[u8]>) -> Answer {
        self.send(&frame(kind, schema, body.as_ref())).await;
        self.next().await
    }

    /// The answer to `request` is `answer`, both written as in a capture.
    pub async fn expect(&mut self, request: &str, answer: &str) {
        self.send(&hex(request)).await;
        let got = self.next().await;
        assert_eq!(frame(got.kind, got.schema, &got.body), hex(answer), "{request}");
    }

    /// Shows that the connection is in step: nothing else is on its way.
    pub async fn expect_in_step(&mut self) {
        let answer = self.ask(ask::CLIENT, Body::new().u64(1)).await;
        assert_eq!(answer.kind, say::WELCOME, "{answer:02x?}");
    }

    pub async fn open(&mut self, name: &str) {
        let answer = self.ask(ask::OPEN, Body::new().text(name).u64(0).text("volatile")).await;
        assert_eq!((answer.kind, answer.body.as_slice()), (say::DB, &[0; 8][..]), "{answer:02x?}");
    }

    pub async fn exec(&mut self, sql: &str, params: &[V]) -> Executed {
        self.send(&exec_sql(sql, params)).await;
        self.next().await.executed()
    }

    /// Runs what must work.
    pub async fn run(&mut self, sql: &str) -> (i64, u64) {
        match self.exec(sql, &[]).await {
            Ok(executed) => executed,
            Err(failure) => panic!("{sql}: {failure:?}"),
        }
    }

    /// Runs what must fail.
    pub async fn fails(&mut self, sql: &str) -> Failure {
        self.exec(sql, &[]).await.expect_err(sql)
    }

    pub async fn query(&mut self, sql: &str, params: &[V]) -> Result<Table, Failure> {
        self.send(&query_sql(sql, params)).await;
        self.table().await
    }

    /// The whole result that is on its way.
    pub async fn table(&mut self) -> Result<Table, Failure> {
        let mut table = Table::default();
        loop {
            let answer = self.next().await;
            if answer.kind == say::FAILURE {
                return Err(answer.failure());
            }
            if table.take(&answer) {
                return Ok(table);
            }
        }
    }

    /// The rows of a query that must work.
    pub async fn rows(&mut self, sql: &str) -> Vec<Vec<V>> {
        match self.query(sql, &[]).await {
            Ok(table) => table.rows,
            Err(failure) => panic!("{sql}: {failure:?}"),
        }
    }

    /// The one integer that a query gives.
    pub async fn number(&mut self, sql: &str) -> i64 {
        match self.rows(sql).await.as_slice() {
            [row] => match row.as_slice() {
                [V::Integer(number)] => *number,
                other => panic!("{sql}: {other:?}"),
            },
            other => panic!("{sql}: {other:?}"),
        }
    }

    /// Prepares one statement and gives its id and its number of parameters.
    pub async fn prepare(&mut self, sql: &str) -> Result<(u32, u64), Failure> {
        let answer = self.ask(ask::PREPARE, Body::new().u64(0).text(sql)).await;
        if answer.kind == say::FAILURE {
            return Err(answer.failure());
        }
        assert_eq!((answer.kind, answer.schema, answer.body.len()), (say::STMT, 0, 16));
        let mut reader = body::Reader::new(&answer.body);
        assert_eq!(reader.u32(), 0, "the database");
        Ok((reader.u32(), reader.u64()))
    }
}

pub fn exec_sql(sql: &str, params: &[V]) -> Vec<u8> {
    let body = Body::new().u64(0).text(sql).params(params);
    frame(ask::EXEC_SQL, schema_for(params), &body)
}

pub fn query_sql(sql: &str, params: &[V]) -> Vec<u8> {
    let body = Body::new().u64(0).text(sql).params(params);
    frame(ask::QUERY_SQL, schema_for(params), &body)
}

pub fn interrupt() -> Vec<u8> {
    frame(ask::INTERRUPT, 0, &[0; 8])
}

pub fn schema_for(params: &[V]) -> u8 {
    u8::from(params.len() > 255)
}
