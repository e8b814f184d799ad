//! A server that answers as a test tells it, on a real socket.

#![allow(dead_code, clippy::unwrap_used, reason = "a test may, and each uses what it needs")]

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use dqlite_client::{Client, ClientOptions};
use dqlite_env::{BoxFuture, Env, Listener, Network, RealNetwork, Stream};
use dqlite_wire::call::{Fetched, Opened, Ran, Wait};
use dqlite_wire::{
    ClusterFormat, NodeInfo, Request, Response, Role, RowsEncoder, RowsEnd, ValueRef, codes,
    encode_failure, limits, read_frame, read_hello,
};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

/// What the server does with a request.
#[derive(Debug, Clone)]
pub enum Answer {
    Response(Response),
    Failure(u64, &'static str),
    /// Frames of one column of integers, each of these; PART but for the last.
    Rows(Vec<Vec<i64>>),
    /// The same, with PART at the end of all, and a FAILURE behind.
    RowsThenFailure(Vec<Vec<i64>>, u64, &'static str),
    /// PART frames without an end, each one row, until an INTERRUPT comes.
    Endless,
    /// Nothing until an INTERRUPT comes, then this answer, and EMPTY.
    UntilInterrupted(Box<Answer>),
    /// The same without the EMPTY.
    HalfInterrupted(Box<Answer>),
    /// These bytes, then the end of the stream.
    BytesThenClose(Vec<u8>),
    Close,
    /// Nothing, ever.
    Silence,
    /// Nothing until the test says so, then an ordinary answer.
    Held(Arc<Notify>),
}

/// Decides on an answer to a request of the connection with this number; `None`: the usual one.
pub type Script = Box<dyn FnMut(usize, &Request) -> Option<Answer> + Send>;

/// A server. It says that it leads and does everything it is asked, but for its script.
#[derive(Clone)]
pub struct Mock {
    pub address: String,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    leader: String,
    script: Script,
    /// Every request that came, with the number of its connection.
    requests: Vec<(usize, Request)>,
    connections: usize,
}

impl Mock {
    pub async fn start() -> Self {
        Self::scripted(|_, _| None).await
    }

    pub async fn scripted(
        script: impl FnMut(usize, &Request) -> Option<Answer> + Send + 'static,
    ) -> Self {
        let listener = RealNetwork.listen("127.0.0.1:0").await.unwrap();
        let address = listener.address();
        let shared = Shared {
            leader: address.clone(),
            script: Box::new(script),
            requests: Vec::new(),
            connections: 0,
        };
        let mock = Self { address, shared: Arc::new(Mutex::new(shared)) };
        tokio::spawn(mock.clone().accept(listener));
        mock
    }

    /// Whom the server says to lead.
    pub fn names(&self, leader: &str) {
        self.shared.lock().leader = leader.to_owned();
    }

    pub fn client(&self) -> Client {
        client([self], quick())
    }

    pub fn connections(&self) -> usize {
        self.shared.lock().connections
    }

    /// The SQL that came, in order, with INTERRUPT by name.
    pub fn statements(&self) -> Vec<String> {
        let shared = self.shared.lock();
        let text = |(_, request): &(usize, Request)| match request {
            Request::ExecSql { sql, .. } | Request::QuerySql { sql, .. } => Some(sql.to_string()),
            Request::Interrupt { .. } => Some("INTERRUPT".to_owned()),
            Request::Finalize { statement, .. } => Some(format!("FINALIZE {statement}")),
            _ => None,
        };
        shared.requests.iter().filter_map(text).collect()
    }

    pub fn requests(&self) -> Vec<Request> {
        self.shared.lock().requests.iter().map(|(_, request)| request.clone()).collect()
    }

    /// A world in which the server alone is reached, through memory.
    pub fn in_memory(&self) -> Env {
        Env { network: Arc::new(Memory(self.clone())), ..Env::real() }
    }

    async fn accept(self, listener: Arc<dyn Listener>) {
        while let Ok(stream) = listener.accept().await {
            self.attend(stream);
        }
    }

    fn attend(&self, stream: Box<dyn Stream>) {
        let number = {
            let mut shared = self.shared.lock();
            shared.connections += 1;
            shared.connections
        };
        tokio::spawn(self.clone().serve(stream, number));
    }

    /// `None` when the client went away or the script ended the connection.
    async fn serve(self, mut stream: Box<dyn Stream>, number: usize) -> Option<()> {
        let mut input = BytesMut::new();
        while read_hello(&mut input).unwrap().is_none() {
            read(&mut stream, &mut input).await?;
        }
        loop {
            let request = next(&mut stream, &mut input).await?;
            let answer = {
                let mut shared = self.shared.lock();
                shared.requests.push((number, request.clone()));
                let scripted = (shared.script)(number, &request);
                scripted.unwrap_or_else(|| usual(&request, &shared.leader))
            };
            let mut out = BytesMut::new();
            let is_half = matches!(answer, Answer::HalfInterrupted(_));
            let (answer, interrupt) = match answer {
                Answer::UntilInterrupted(answer) | Answer::HalfInterrupted(answer) => {
                    let interrupt = next(&mut stream, &mut input).await?;
                    assert!(matches!(interrupt, Request::Interrupt { .. }), "{interrupt:?}");
                    self.shared.lock().requests.push((number, interrupt));
                    (*answer, !is_half)
                }
                answer => (answer, false),
            };
            match answer {
                Answer::Response(response) => response.encode(&mut out).unwrap(),
                Answer::Failure(code, message) => encode_failure(&mut out, code, message),
                Answer::Rows(frames) => {
                    let last = frames.len() - 1;
                    for (at, rows) in frames.iter().enumerate() {
                        let end = if at == last { RowsEnd::Done } else { RowsEnd::Part };
                        put_rows(&mut out, rows, end);
                    }
                }
                Answer::RowsThenFailure(frames, code, message) => {
                    frames.iter().for_each(|rows| put_rows(&mut out, rows, RowsEnd::Part));
                    encode_failure(&mut out, code, message);
                }
                Answer::Endless => {
                    let interrupt = self.stream_endlessly(&mut stream, &mut input).await?;
                    self.shared.lock().requests.push((number, interrupt));
                    Response::Empty.encode(&mut out).unwrap();
                }
                Answer::BytesThenClose(bytes) => {
                    stream.write_all(&bytes).await.ok()?;
                    stream.shutdown().await.ok()?;
                    // It still takes what comes, as a socket would for a while.
                    loop {
                        read(&mut stream, &mut input).await?;
                    }
                }
                Answer::Close => return None,
                Answer::Silence => std::future::pending::<()>().await,
                Answer::UntilInterrupted(_) | Answer::HalfInterrupted(_) => {
                    unreachable!("answered above")
                }
                Answer::Held(release) => {
                    release.notified().await;
                    match usual(&request, "") {
                        Answer::Response(response) => response.encode(&mut out).unwrap(),
                        _ => return None,
                    }
                }
            }
            if interrupt {
                Response::Empty.encode(&mut out).unwrap();
            }
            stream.write_all(&out).await.ok()?;
        }
    }

    async fn stream_endlessly(
        &self,
        stream: &mut Box<dyn Stream>,
        input: &mut BytesMut,
    ) -> Option<Request> {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut out = BytesMut::new();
        put_rows(&mut out, &[7], RowsEnd::Part);
        let interrupt = async {
            loop {
                if let Some(frame) = read_frame(input, limits::BODY_BYTES_MAX).unwrap() {
                    return Some(Request::decode(&frame).unwrap());
                }
                (reader.read_buf(input).await.ok()? > 0).then_some(())?;
            }
        };
        // A frame that has begun is written to its end.
        let stop = Arc::new(Notify::new());
        let frames = async {
            while writer.write_all(&out).await.is_ok() {
                tokio::select! {
                    biased;
                    () = stop.notified() => break,
                    () = tokio::task::yield_now() => {}
                }
            }
        };
        let (request, ()) = tokio::join!(
            async {
                let request = interrupt.await;
                stop.notify_one();
                request
            },
            frames
        );
        request
    }
}

#[derive(Clone)]
struct Memory(Mock);

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "memory to {}", self.0.address)
    }
}

impl Network for Memory {
    fn connect<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        let (near, far) = tokio::io::duplex(1 << 16);
        self.0.attend(Box::new(far));
        Box::pin(async move { Ok(Box::new(near) as Box<dyn Stream>) })
    }

    fn listen<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Arc<dyn Listener>>> {
        RealNetwork.listen(address)
    }
}

/// Settings for tests in which something fails on purpose.
pub fn quick() -> ClientOptions {
    ClientOptions { timeout: Duration::from_secs(20), ..ClientOptions::default() }
}

pub fn client<'a>(mocks: impl IntoIterator<Item = &'a Mock>, options: ClientOptions) -> Client {
    let addresses = mocks.into_iter().map(|mock| mock.address.clone());
    Client::with_options(Env::real(), addresses, "test", options)
}

pub fn integers(rows: &[dqlite_client::Row]) -> Vec<i64> {
    rows.iter().map(|row| row.get(0).unwrap()).collect()
}

pub const NOT_LEADER: Answer = Answer::Failure(codes::NOT_LEADER, codes::messages::NOT_LEADER);

/// A whole answer to a write.
pub fn an_answer() -> Vec<u8> {
    let mut out = BytesMut::new();
    Response::Result { last_insert_id: 1, rows_affected: 1 }.encode(&mut out).unwrap();
    out.to_vec()
}

/// An answer that breaks off in the middle of its frame.
pub fn half_an_answer() -> Answer {
    Answer::BytesThenClose(an_answer()[..12].to_vec())
}

fn usual(request: &Request, leader: &str) -> Answer {
    Answer::Response(match request {
        Request::Leader if leader.is_empty() => Response::Server { id: 0, address: "".into() },
        Request::Leader => Response::Server { id: 1, address: leader.into() },
        Request::Client { .. } => Response::Welcome { heartbeat_timeout_ms: 15_000 },
        Request::Cluster { format: ClusterFormat::Roles } if leader.is_empty() => {
            Response::Servers(Vec::new())
        }
        Request::Cluster { format: ClusterFormat::Roles } => {
            Response::Servers(vec![NodeInfo { id: 1, address: leader.into(), role: Role::Voter }])
        }
        Request::Open { .. } => Response::Database { id: 0 },
        Request::Prepare { .. } => {
            Response::Statement { database: 0, id: 0, params: 1, tail_bytes: None }
        }
        Request::Exec { .. } | Request::ExecSql { .. } => {
            Response::Result { last_insert_id: 1, rows_affected: 1 }
        }
        Request::Query { .. } | Request::QuerySql { .. } => return Answer::Rows(vec![vec![1, 2]]),
        Request::Session(_) => Response::Session(Opened { node: 1, index: 7 }),
        Request::Run(run) => Response::Ran(Ran { changes: Some(run.mark), ..Ran::default() }),
        Request::Fetch(_) => Response::Batch(Fetched::default()),
        Request::Wait(Wait { index, .. }) => Response::Index { index: *index },
        Request::Barrier => Response::Index { index: 12 },
        Request::Outcome(_) => Response::Outcome(dqlite_wire::call::Outcome::Applied(9)),
        Request::Describe => Response::Metadata { failure_domain: 3, weight: 4 },
        _ => Response::Empty,
    })
}

fn put_rows(out: &mut BytesMut, rows: &[i64], end: RowsEnd) {
    let mut encoder = RowsEncoder::begin(out, &["n"]).unwrap();
    for number in rows {
        encoder.begin_row().unwrap();
        encoder.push(ValueRef::Integer(*number)).unwrap();
    }
    encoder.finish(end).unwrap();
}

async fn next(stream: &mut Box<dyn Stream>, input: &mut BytesMut) -> Option<Request> {
    loop {
        if let Some(frame) = read_frame(input, limits::BODY_BYTES_MAX).unwrap() {
            return Some(Request::decode(&frame).unwrap());
        }
        read(stream, input).await?;
    }
}

async fn read(stream: &mut Box<dyn Stream>, input: &mut BytesMut) -> Option<()> {
    (stream.read_buf(input).await.ok()? > 0).then_some(())
}
