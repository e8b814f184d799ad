use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use dqlite_engine::Position;
use dqlite_env::{BoxFuture, Env, Listener, Network, Stream};
use futures::channel::mpsc;
use futures::{FutureExt, StreamExt, poll};
use openraft::network::{RPCOption, RaftNetworkFactory, RaftNetworkV2};
use openraft::raft::{AppendEntriesRequest, VoteRequest};
use parking_lot::Mutex;
use tokio::io::DuplexStream;
use tokio::time::Instant;

use super::peer::Peer;
use super::*;
use crate::codec::{Answer, AppendAnswer, HELLO_REST_BYTES, Request};
use crate::member::MemberInfo;
use crate::testing::Nothing;
use crate::types::{self, TypeConfig};
use crate::{Node, Options};

/// A network whose connections end in this test.
#[derive(Debug, Default)]
struct Wires {
    dials: AtomicU64,
    ends: Mutex<Vec<DuplexStream>>,
}

impl Network for Wires {
    fn connect<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        self.dials.fetch_add(1, Ordering::Relaxed);
        let (near, far) = tokio::io::duplex(1 << 20);
        self.ends.lock().push(far);
        Box::pin(async move { Ok(Box::new(near) as Box<dyn Stream>) })
    }

    fn listen<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Arc<dyn Listener>>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }
}

const WINDOW: usize = 4;

async fn peer(wires: &Arc<Wires>) -> Peer {
    let context = PeerContext {
        network: wires.clone(),
        machine: Arc::new(Nothing::default()),
        id: 1,
        append_window: WINDOW,
        dial_timeout: Duration::from_secs(1),
        append_timeout: Duration::from_secs(2),
        chunk_timeout: Duration::from_secs(1),
        install_timeout: Duration::from_secs(1),
    };
    let mut factory = PeerFactory { context: Arc::new(context) };
    factory.new_client(2, &MemberInfo::default()).await
}

fn option() -> RPCOption {
    RPCOption::new(Duration::from_millis(100))
}

fn append(index: u64) -> AppendEntriesRequest<TypeConfig> {
    AppendEntriesRequest {
        vote: types::vote(1, 1, true),
        prev_log_id: types::log_id_or_none(Position { term: 1, index }),
        entries: Vec::new(),
        leader_commit: None,
    }
}

/// The far end of the newest connection, past the greeting.
async fn far_end(wires: &Wires) -> Connection {
    let end = wires.ends.lock().pop().unwrap();
    let mut connection = Connection::new(Box::new(end), BytesMut::new());
    connection.reader.bytes(8 + HELLO_REST_BYTES).await.unwrap();
    connection
}

/// Takes what has arrived at the far end without waiting.
fn arrived(connection: &mut Connection) -> usize {
    let mut count = 0;
    while let Some(Ok(Some(frame))) = connection.reader.next().now_or_never() {
        assert!(matches!(Request::decode(frame), Ok(Request::Append(_))));
        count += 1;
    }
    count
}

async fn answer(connection: &mut Connection, index: u64) {
    let matching = types::log_id_or_none(Position { term: 1, index });
    let answer = Answer::Append(AppendAnswer::Matching(matching));
    connection.writer.write_all(answer.encode()).await.unwrap();
}

/// Openraft's pause between attempts is in the request stream.
#[tokio::test]
async fn nobody_is_dialled_before_there_is_something_to_say() {
    let wires = Arc::new(Wires::default());
    let mut peer = peer(&wires).await;
    let input = futures::stream::pending();
    assert!(peer.stream_append(input, option()).now_or_never().is_none());
    assert_eq!(wires.dials.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn unanswered_appends_are_bounded() {
    let wires = Arc::new(Wires::default());
    let mut peer = peer(&wires).await;
    let input = futures::stream::iter((1..=10).map(append));
    let Ok(mut answers) = peer.stream_append(input, option()).await else { panic!("no stream") };
    let mut far = far_end(&wires).await;
    assert!(poll!(answers.next()).is_pending());
    assert_eq!(arrived(&mut far), WINDOW);
    answer(&mut far, 1).await;
    assert!(matches!(poll!(answers.next()), Poll::Ready(Some(Ok(Ok(_))))));
    assert!(poll!(answers.next()).is_pending());
    assert_eq!(arrived(&mut far), 1);
}

/// A peer whose goodbye was lost would otherwise never be written to again.
#[tokio::test]
async fn a_stream_ends_with_its_last_answer_and_leaves_its_connection() {
    let wires = Arc::new(Wires::default());
    let mut peer = peer(&wires).await;
    let mut far = None;
    for round in 0..3 {
        let input = futures::stream::iter((1..=2).map(append));
        let Ok(mut answers) = peer.stream_append(input, option()).await else { panic!() };
        let far = match &mut far {
            Some(far) => far,
            none => none.insert(far_end(&wires).await),
        };
        assert!(poll!(answers.next()).is_pending());
        assert_eq!(arrived(far), 2);
        for index in 1..=2 {
            answer(far, index).await;
            let Some(Ok(Ok(matching))) = answers.next().await else { panic!("round {round}") };
            assert_eq!(types::position_or_zero(matching).index, index);
        }
        assert!(answers.next().await.is_none());
    }
    assert_eq!(wires.dials.load(Ordering::Relaxed), 1);
}

/// A stream that was dropped half way may have an answer under way.
#[tokio::test]
async fn a_connection_with_something_unanswered_is_not_used_again() {
    let wires = Arc::new(Wires::default());
    let mut peer = peer(&wires).await;
    let (_keep, input) = mpsc::unbounded();
    let Ok(answers) =
        peer.stream_append(futures::stream::iter([append(1)]).chain(input), option()).await
    else {
        panic!("no stream")
    };
    drop(answers);
    let input = futures::stream::iter([append(1)]);
    drop(peer.stream_append(input, option()).await);
    assert_eq!(wires.dials.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn a_silent_node_is_given_up() {
    let wires = Arc::new(Wires::default());
    let mut peer = peer(&wires).await;
    let (_keep, input) = mpsc::unbounded();
    let input = futures::stream::iter([append(1)]).chain(input);
    let Ok(mut answers) = peer.stream_append(input, option()).await else { panic!("no stream") };
    assert!(matches!(answers.next().await, Some(Err(_))));
    assert!(answers.next().await.is_none());
    let vote = VoteRequest::new(types::vote(1, 1, false), None);
    drop(answers);
    assert!(peer.vote(vote, option()).await.is_err());
}

/// The time is tokio's, which jumps to the next timer when all wait.
#[tokio::test(start_paused = true)]
async fn a_node_that_just_started_keeps_its_last_promise() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = Options::new(2, "nowhere");
    options.election_min = Duration::from_secs(50);
    options.election_max = Duration::from_secs(100);
    let begun = Instant::now();
    let node =
        Node::start(Env::real(), dir.path(), options, Arc::new(Nothing::default())).await.unwrap();
    let hello = Hello { kind: StreamKind::Unary, cluster: CLUSTER, sender: 1, receiver: 2 };
    let (near, far) = tokio::io::duplex(1 << 16);
    let serving = tokio::spawn({
        let node = node.clone();
        async move { node.serve_peer(Box::new(far), &[]).await }
    });
    let mut connection = Connection::greet(Box::new(near), &hello).await.unwrap();

    let vote = VoteRequest::new(types::vote(1, 1, false), None);
    let mut transfer = vote.clone();
    transfer.leadership_transfer = true;
    let Answer::Vote(granted) = connection.exchange(&Request::Vote(vote)).await.unwrap() else {
        panic!("not a vote")
    };
    assert!(granted.vote_granted);
    assert!(begun.elapsed() >= Duration::from_secs(50));
    let Answer::Vote(_) = connection.exchange(&Request::Vote(transfer)).await.unwrap() else {
        panic!("not a vote")
    };
    node.shutdown().await;
    serving.await.unwrap();
}

/// Connections that are not for this node, or not from one, end without an answer.
#[tokio::test]
async fn strangers_are_not_served() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::new(2, "nowhere");
    let node =
        Node::start(Env::real(), dir.path(), options, Arc::new(Nothing::default())).await.unwrap();
    let hello = Hello { kind: StreamKind::Unary, cluster: CLUSTER, sender: 1, receiver: 3 };
    let other_cluster = Hello { cluster: 9, receiver: 2, ..hello };
    let first_words = [&hello.encode()[..], &other_cluster.encode()[..], &[1; 44][..], &[0; 3][..]];
    for words in first_words {
        let (near, far) = tokio::io::duplex(1 << 16);
        drop(near);
        node.serve_peer(Box::new(far), words).await;
    }
    node.shutdown().await;
}
