//! Finding the leader and following it.

mod mock;

use std::time::Duration;

use dqlite_client::{Client, ClientOptions, Env, ErrorKind, Outcome};
use dqlite_wire::{NodeInfo, Request, Response, Role};
use mock::{Answer, Mock, NOT_LEADER, client, quick};

#[tokio::test]
async fn a_follower_that_names_the_leader_is_followed() {
    let (leader, follower) = (Mock::start().await, Mock::start().await);
    follower.names(&leader.address);
    let client = follower.client();
    client.execute("INSERT INTO t VALUES (1)", ()).await.unwrap();
    assert_eq!(leader.statements(), ["INSERT INTO t VALUES (1)"]);
    assert_eq!(follower.statements(), [] as [&str; 0]);
    assert_eq!(*client.cluster().leader().await.unwrap().address, *leader.address);
}

#[tokio::test]
async fn a_leader_must_name_itself() {
    let (stale, other) = (Mock::start().await, Mock::start().await);
    stale.names(&other.address);
    other.names(&stale.address);
    let options = ClientOptions { timeout: Duration::from_millis(300), ..quick() };
    let error = client([&stale, &other], options).execute("DELETE FROM t", ()).await.unwrap_err();
    assert_eq!((error.kind, error.outcome), (ErrorKind::Unavailable, Outcome::NotApplied));
    let named = format!("{} names {}, which names {}", stale.address, other.address, stale.address);
    assert!(error.message.contains(&named), "{error}");
    assert!(stale.statements().is_empty() && other.statements().is_empty());
}

#[tokio::test]
async fn without_a_leader_the_error_says_what_each_address_answered() {
    let mock = Mock::start().await;
    mock.names("");
    let gone = Mock::start().await.address.replace("127.0.0.1", "127.255.255.254");
    let options = ClientOptions { timeout: Duration::from_millis(300), ..quick() };
    let addresses = [mock.address.clone(), gone.clone()];
    let client = Client::with_options(Env::real(), addresses, "test", options);
    let error = client.query_all("SELECT 1", ()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    let known = format!("{} knows of no leader", mock.address);
    assert!(error.message.contains(&known) && error.message.contains(&gone), "{error}");
}

#[tokio::test]
async fn the_search_goes_on_until_someone_leads() {
    let mock = Mock::start().await;
    mock.names("");
    let client = mock.client();
    let call = tokio::spawn(async move { client.execute("DELETE FROM t", ()).await });
    while mock.requests().iter().filter(|request| **request == Request::Leader).count() < 3 {
        tokio::task::yield_now().await;
    }
    mock.names(&mock.address);
    call.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_node_that_ceased_to_lead_is_left() {
    let next = Mock::start().await;
    let named = next.address.clone();
    let mut writes = 0;
    let first = Mock::scripted(move |_, request| match request {
        Request::ExecSql { .. } => {
            writes += 1;
            (writes > 1).then_some(NOT_LEADER)
        }
        _ => None,
    })
    .await;
    let client = first.client();
    client.execute("INSERT INTO t VALUES (1)", ()).await.unwrap();
    first.names(&named);
    client.execute("INSERT INTO t VALUES (2)", ()).await.unwrap();
    client.execute("INSERT INTO t VALUES (3)", ()).await.unwrap();
    assert_eq!(first.statements().len(), 2);
    assert_eq!(next.statements(), ["INSERT INTO t VALUES (2)", "INSERT INTO t VALUES (3)"]);
}

#[tokio::test]
async fn members_are_learnt_from_whoever_answers() {
    let leader = Mock::start().await;
    let address = leader.address.clone();
    // A stand-by never says who leads, but it knows the members.
    let standby = Mock::scripted(move |_, request| match request {
        Request::Cluster { .. } => Some(Answer::Response(Response::Servers(vec![NodeInfo {
            id: 9,
            address: address.as_str().into(),
            role: Role::Voter,
        }]))),
        _ => None,
    })
    .await;
    standby.names("");
    standby.client().execute("DELETE FROM t", ()).await.unwrap();
    assert_eq!(leader.statements(), ["DELETE FROM t"]);
}

#[tokio::test]
async fn a_node_that_is_silent_does_not_stop_the_search() {
    let silent = Mock::scripted(|_, _| Some(Answer::Silence)).await;
    let leader = Mock::start().await;
    client([&silent, &leader], quick()).execute("DELETE FROM t", ()).await.unwrap();
}

#[tokio::test]
async fn one_node_alone_is_asked_about_itself() {
    let mock = Mock::start().await;
    mock.names("");
    let cluster = mock.client().cluster();
    let metadata = cluster.describe(&mock.address).await.unwrap();
    assert_eq!((metadata.failure_domain, metadata.weight), (3, 4));
    cluster.set_weight(&mock.address, 8).await.unwrap();
    assert_eq!(mock.requests().last(), Some(&Request::Weight { weight: 8 }));
}
