//! Sessions of drivers: calls and their answers, and calls that do not get to their end.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod mock;

use std::future::Future;
use std::time::Duration;

use dqlite_client::{CallSession, ErrorKind, Fault, LeaderSearch, Value};
use dqlite_env::{Env, Network};
use dqlite_wire::call::{
    AskOutcome, BatchLimits, Column, Fetch, Fetched, OpenSession, Opened, Outcome, ParameterSet,
    Ran, RowBatch, Run, RunKind, Wait,
};
use dqlite_wire::{Request, Response, codes};
use mock::{Answer, Mock};
use tokio::time::Instant;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn open_here() -> OpenSession {
    OpenSession {
        database: "test".into(),
        client: 42,
        place: dqlite_wire::call::Place::Leader,
        busy_timeout_ms: 5000,
    }
}

fn run(mark: u64) -> Run {
    Run { sql: "UPDATE t SET n = 1".into(), mark, ..Run::default() }
}

/// The answer that the mock gives to `run(mark)`.
fn ran(mark: u64) -> Ran {
    Ran { changes: Some(mark), ..Ran::default() }
}

async fn session(mock: &Mock, network: &dyn Network) -> CallSession {
    CallSession::open(network, &mock.address, &open_here(), soon()).await.unwrap()
}

async fn tcp(mock: &Mock) -> CallSession {
    session(mock, &*Env::real().network).await
}

fn interrupts(mock: &Mock) -> usize {
    let is_interrupt = |request: &Request| matches!(request, Request::Interrupt { .. });
    mock.requests().iter().filter(|request| is_interrupt(request)).count()
}

fn interrupted() -> Answer {
    Answer::Failure(codes::INTERRUPT, codes::messages::INTERRUPTED)
}

/// A mock that answers the call with mark 1 so, and all others as usual.
async fn first_call(answer: Answer) -> Mock {
    Mock::scripted(move |_, request| match request {
        Request::Run(Run { mark: 1, .. }) => Some(answer.clone()),
        _ => None,
    })
    .await
}

/// Drives `call` until the mock has `requests` requests.
async fn until_sent<T: std::fmt::Debug>(
    call: &mut (impl Future<Output = T> + Unpin),
    mock: &Mock,
    requests: usize,
) {
    while mock.requests().len() < requests {
        tokio::select! {
            biased;
            early = &mut *call => panic!("{early:?}"),
            () = tokio::task::yield_now() => {}
        }
    }
}

#[tokio::test]
async fn calls_and_answers_arrive_whole() {
    let answer = Ran {
        columns: vec![Column { name: "n".into(), declared_type: Some("INT".into()) }].into(),
        index: 9,
        rows: RowBatch(vec![0; 8].into()),
        cursor: Some(3),
        ..Ran::default()
    };
    let scripted = answer.clone();
    let mock = Mock::scripted(move |_, request| match request {
        Request::Run(_) => Some(Answer::Response(Response::Ran(scripted.clone()))),
        Request::Close { cursor: 9 } => Some(Answer::Failure(codes::NOT_FOUND, "no cursor")),
        _ => None,
    })
    .await;
    let mut session = tcp(&mock).await;
    assert_eq!(session.opened(), Opened { node: 1, index: 7 });
    let run = Run {
        sql: "SELECT :a".into(),
        parameters: vec![ParameterSet::Named(vec![("a".into(), Value::Text("\0".into()))])],
        ..run(8)
    };
    assert_eq!(session.run(&run, soon()).await.unwrap(), answer);
    let limits = BatchLimits { rows: 1, bytes: 2 };
    assert_eq!(session.fetch(3, limits, soon()).await.unwrap(), Fetched::default());
    session.close_cursor(3, soon()).await.unwrap();
    let refused = session.close_cursor(9, soon()).await.unwrap_err();
    assert_eq!(refused, Fault::Refused { code: 12, message: "no cursor".to_owned() });
    assert_eq!(session.wait(11, soon()).await.unwrap(), 11);
    assert_eq!(session.barrier(soon()).await.unwrap(), 12);
    let ask = AskOutcome { database: "test".into(), client: 42, mark: 8, since: 7 };
    assert_eq!(session.outcome(&ask, soon()).await.unwrap(), Outcome::Applied(9));
    assert!(session.is_fit());
    let requests = mock.requests();
    let [opened, ran, fetch, close, _, wait, barrier, outcome] = &requests[..] else {
        panic!("{requests:?}");
    };
    assert_eq!(*opened, Request::Session(open_here()));
    assert_eq!(*ran, Request::Run(run));
    assert_eq!(*fetch, Request::Fetch(Fetch { cursor: 3, limits }));
    assert_eq!(*close, Request::Close { cursor: 3 });
    assert!(matches!(wait, Request::Wait(Wait { index: 11, timeout_ms: 1..=20_000 })));
    assert_eq!((barrier, outcome), (&Request::Barrier, &Request::Outcome(ask)));
}

#[tokio::test]
async fn a_session_that_is_refused_is_none() {
    let mock = Mock::scripted(|_, request| match request {
        Request::Session(_) => Some(mock::NOT_LEADER),
        _ => None,
    })
    .await;
    let network = Env::real().network;
    let refused = CallSession::open(&*network, &mock.address, &open_here(), soon()).await;
    assert!(refused.unwrap_err().is_not_leader());
}

#[tokio::test]
async fn a_cancel_sends_one_interrupt_and_waits_for_both_answers() {
    let mock = first_call(Answer::UntilInterrupted(Box::new(interrupted()))).await;
    let mut session = tcp(&mock).await;
    let canceller = session.canceller();
    let first = run(1);
    let mut call = Box::pin(session.run(&first, soon()));
    until_sent(&mut call, &mock, 2).await;
    canceller.cancel();
    canceller.clone().cancel();
    let fault = call.await.unwrap_err();
    assert_eq!(fault, Fault::Refused { code: 9, message: "interrupted".to_owned() });
    assert!(session.is_fit());
    assert_eq!(session.run(&run(2), soon()).await.unwrap(), ran(2));
    assert_eq!(interrupts(&mock), 1);
}

#[tokio::test]
async fn a_call_that_ended_before_it_was_interrupted_keeps_its_answer() {
    let answer = Answer::Response(Response::Ran(ran(77)));
    let mock = first_call(Answer::UntilInterrupted(Box::new(answer))).await;
    let mut session = tcp(&mock).await;
    let canceller = session.canceller();
    let first = run(1);
    let mut call = Box::pin(session.run(&first, soon()));
    until_sent(&mut call, &mock, 2).await;
    canceller.cancel();
    assert_eq!(call.await.unwrap(), ran(77));
    assert_eq!(session.run(&run(2), soon()).await.unwrap(), ran(2));
}

#[tokio::test]
async fn a_cancel_between_two_calls_has_no_effect() {
    let mock = Mock::start().await;
    let mut session = tcp(&mock).await;
    let canceller = session.canceller();
    canceller.cancel();
    assert_eq!(session.run(&run(1), soon()).await.unwrap(), ran(1));
    canceller.cancel();
    assert_eq!(session.run(&run(2), soon()).await.unwrap(), ran(2));
    assert_eq!(interrupts(&mock), 0);
}

#[tokio::test]
async fn a_call_that_is_dropped_leaves_the_session_unfit() {
    let mock = first_call(Answer::Silence).await;
    let mut session = tcp(&mock).await;
    assert!(session.is_fit());
    let first = run(1);
    let mut call = Box::pin(session.run(&first, soon()));
    until_sent(&mut call, &mock, 2).await;
    drop(call);
    assert!(!session.is_fit());
    let fault = session.run(&run(2), soon()).await.unwrap_err();
    assert!(matches!(fault, Fault::Unsent(_)), "{fault:?}");
    assert_eq!(mock.requests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_stops_the_call_and_the_session_goes_on() {
    let mock = first_call(Answer::UntilInterrupted(Box::new(interrupted()))).await;
    let mut session = session(&mock, &*mock.in_memory().network).await;
    let deadline = Instant::now() + Duration::from_millis(1500);
    let fault = session.run(&run(1), deadline).await.unwrap_err();
    let message = "timed out after 1500 ms".to_owned();
    assert_eq!(fault, Fault::Refused { code: 9, message });
    assert!(!fault.is_in_doubt());
    assert_eq!(session.run(&run(2), soon()).await.unwrap(), ran(2));
    assert_eq!(interrupts(&mock), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_in_the_grace_counts() {
    let late = Answer::Response(Response::Ran(ran(77)));
    let mock = first_call(Answer::UntilInterrupted(Box::new(late))).await;
    let mut session = session(&mock, &*mock.in_memory().network).await;
    let deadline = Instant::now() + Duration::from_secs(1);
    assert_eq!(session.run(&run(1), deadline).await.unwrap(), ran(77));
    assert_eq!(session.run(&run(2), soon()).await.unwrap(), ran(2));
}

/// The answer is known; what comes next on the stream is not.
#[tokio::test(start_paused = true)]
async fn without_the_answer_to_the_interrupt_the_session_is_unfit() {
    let answer = Answer::Response(Response::Ran(ran(77)));
    let mock = first_call(Answer::HalfInterrupted(Box::new(answer))).await;
    let mut session = session(&mock, &*mock.in_memory().network).await;
    let deadline = Instant::now() + Duration::from_secs(1);
    assert_eq!(session.run(&run(1), deadline).await.unwrap(), ran(77));
    assert!(!session.is_fit());
    let fault = session.run(&run(2), soon()).await.unwrap_err();
    assert!(matches!(fault, Fault::Unsent(_)), "{fault:?}");
}

#[tokio::test(start_paused = true)]
async fn without_an_answer_in_the_grace_the_outcome_is_in_doubt() {
    let mock = first_call(Answer::Silence).await;
    let mut session = session(&mock, &*mock.in_memory().network).await;
    let began = Instant::now();
    let fault = session.run(&run(1), began + Duration::from_secs(1)).await.unwrap_err();
    assert_eq!(fault, Fault::TimedOut { sent: true });
    assert!(fault.is_in_doubt());
    assert!(began.elapsed() < Duration::from_secs(2));
    assert!(!session.is_fit());
}

#[tokio::test]
async fn a_stream_that_breaks_leaves_the_session_unfit() {
    for answer in [Answer::Close, mock::half_an_answer()] {
        let mock = first_call(answer).await;
        let mut session = tcp(&mock).await;
        let fault = session.run(&run(1), soon()).await.unwrap_err();
        assert!(matches!(fault, Fault::Lost(_)), "{fault:?}");
        assert!(!session.is_fit());
    }
    // The answer to something else.
    let mock = first_call(Answer::Response(Response::Empty)).await;
    let mut session = tcp(&mock).await;
    let fault = session.run(&run(1), soon()).await.unwrap_err();
    assert!(matches!(fault, Fault::Garbled(_)), "{fault:?}");
    assert!(!session.is_fit());
}

#[tokio::test]
async fn what_cannot_be_sent_as_it_is_meant_is_not_sent() {
    let mock = Mock::start().await;
    let mut session = tcp(&mock).await;
    let nan = || Value::Float(f64::NAN);
    let unusable = [
        (RunKind::One, vec![ParameterSet::Positional(vec![Value::Null, nan()])]),
        (RunKind::Many, vec![ParameterSet::Named(vec![("a".into(), nan())])]),
        (RunKind::One, vec![ParameterSet::default(); 2]),
        (RunKind::Script, vec![ParameterSet::default()]),
    ];
    for (kind, parameters) in unusable {
        let fault = session.run(&Run { kind, parameters, ..run(1) }, soon()).await.unwrap_err();
        assert!(matches!(fault, Fault::Unusable(_)), "{fault:?}");
    }
    assert_eq!(session.run(&run(2), soon()).await.unwrap(), ran(2));
    assert_eq!(mock.requests().len(), 2);
}

#[tokio::test]
async fn a_session_opens_on_the_link_that_the_search_found() {
    let (leader, other) = (Mock::start().await, Mock::start().await);
    other.names(&leader.address);
    let timeout = Duration::from_secs(5);
    let search = LeaderSearch::new(Env::real(), vec![other.address.clone()], timeout);
    let found = search.find(soon()).await.unwrap();
    assert_eq!(*found.leader.address, *leader.address);
    assert_eq!(found.link.address(), leader.address);
    let mut session = CallSession::open_on(found.link, &open_here(), soon()).await.unwrap();
    assert_eq!(session.run(&run(2), soon()).await.unwrap(), ran(2));

    // What is forgotten is not asked alone: the first to be asked is again the other.
    search.forget(&leader.address);
    let connections = other.connections();
    search.find(soon()).await.unwrap();
    assert!(other.connections() > connections);

    let mut link = search.dial(&other.address, soon()).await.unwrap();
    let ask = AskOutcome { database: "test".into(), client: 42, mark: 8, since: 7 };
    assert_eq!(link.outcome(&ask, soon()).await.unwrap(), Outcome::Applied(9));
    let nobody = search.dial("127.0.0.1:1", soon()).await.unwrap_err();
    assert_eq!(nobody.kind, ErrorKind::Unavailable);
}
