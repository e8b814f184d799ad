use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use dqlite_engine::Position;
use openraft::raft::{AppendEntriesRequest, TransferLeaderRequest, VoteRequest, VoteResponse};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::member::{MemberInfo, Role};
use crate::types::{Command, Entry, EntryPayload, Membership, SnapshotMeta, StoredMembership};

fn id(term: u64, index: u64) -> LogId {
    types::log_id(Position { term, index })
}

fn members() -> Membership {
    let info = |role| MemberInfo { address: format!("host-{role}:9000"), role };
    let nodes = [(1, Role::Voter), (2, Role::Voter), (3, Role::StandBy), (u64::MAX, Role::Spare)];
    let nodes: BTreeMap<_, _> = nodes.into_iter().map(|(id, role)| (id, info(role))).collect();
    Membership::new(vec![[1].into(), [1, 2].into()], nodes).unwrap()
}

fn append(payloads: Vec<Vec<Bytes>>) -> Request {
    let mut entries: Vec<Entry> = payloads
        .into_iter()
        .zip(8..)
        .map(|(payload, index)| Entry {
            log_id: id(5, index),
            payload: EntryPayload::Normal(Command(payload)),
        })
        .collect();
    let next = 8 + entries.len() as u64;
    entries.push(Entry { log_id: id(6, next), payload: EntryPayload::Blank });
    let payload = EntryPayload::Membership(members());
    entries.push(Entry { log_id: id(6, next + 1), payload });
    Request::Append(AppendEntriesRequest {
        vote: types::vote(6, 1, true),
        prev_log_id: Some(id(5, 7)),
        leader_commit: Some(id(4, 3)),
        entries,
    })
}

fn requests() -> Vec<Request> {
    let mut transfer = VoteRequest::new(types::vote(7, 2, false), Some(id(6, 9)));
    transfer.leadership_transfer = true;
    let last_membership = StoredMembership::new(Some(id(2, 3)), members());
    let meta = SnapshotMeta { last_log_id: Some(id(6, 4)), last_membership };
    vec![
        Request::Vote(transfer),
        Request::PreVote(VoteRequest::new(types::vote(1, 1, false), None)),
        append(vec![]),
        append(vec![vec![Bytes::from(vec![1; 700]), Bytes::from_static(b"tail")], vec![]]),
        Request::Transfer(TransferLeaderRequest::new(types::vote(6, 1, true), 2, None)),
        Request::SnapshotBegin { vote: types::vote(6, 1, true), meta },
        Request::SnapshotChunk(Bytes::from(vec![7; 5000])),
        Request::SnapshotEnd { chunks: 3, bytes: 5000 },
    ]
}

fn answers() -> Vec<Answer> {
    use openraft::raft::TransferLeaderError::{LogNotFlushed, VoteChanged};
    let (expected, actual) = (types::vote(3, 1, true), types::vote(4, 2, false));
    vec![
        Answer::Vote(VoteResponse::new(actual, Some(id(1, 1)), true)),
        Answer::Append(AppendAnswer::Matching(None)),
        Answer::Append(AppendAnswer::Conflict(id(2, 9))),
        Answer::Append(AppendAnswer::HigherVote(actual)),
        Answer::Transfer(Ok(())),
        Answer::Transfer(Err(VoteChanged { expected, actual })),
        Answer::Transfer(Err(LogNotFlushed { expected: Some(id(2, 9)), actual: None })),
        Answer::Snapshot(expected),
    ]
}

fn frame_of(outgoing: &Outgoing) -> Frame {
    let mut buffer = BytesMut::from(&outgoing.concat()[..]);
    let frame = parse_frame(&mut buffer).unwrap().unwrap();
    assert!(buffer.is_empty());
    frame
}

/// Payloads may come back cut in other places, so what is compared is the bytes.
#[test]
fn messages_survive_the_journey() {
    for request in requests() {
        let sent = request.encode();
        let read = Request::decode(frame_of(&sent)).unwrap();
        assert_eq!(read.encode().concat(), sent.concat(), "{request:?}");
    }
    for answer in answers() {
        let sent = answer.encode();
        let read = Answer::decode(frame_of(&sent)).unwrap();
        assert_eq!(format!("{read:?}"), format!("{answer:?}"));
    }
}

#[test]
fn payloads_are_shared_both_ways() {
    let page = Bytes::from(vec![3; 4096]);
    let sent = append(vec![vec![page.clone()]]).encode();
    assert!(sent.slices().iter().any(|part| part.as_ptr() == page.as_ptr()));
    let frame = frame_of(&sent);
    let body = frame.body.clone();
    let Ok(Request::Append(read)) = Request::decode(frame) else { panic!("not an append") };
    let EntryPayload::Normal(Command(parts)) = &read.entries[0].payload else { panic!("blank") };
    assert!(body.as_ptr_range().contains(&parts[0].as_ptr()));
}

#[test]
fn a_message_cut_short_or_too_long_is_an_error() {
    let bodies = requests().into_iter().map(|request| frame_of(&request.encode()));
    for frame in bodies.filter(|frame| frame.kind != 6) {
        for at in 0..frame.body.len() {
            let cut = Frame { kind: frame.kind, body: frame.body.slice(..at) };
            assert!(Request::decode(cut).is_err(), "kind {} cut at {at}", frame.kind);
        }
        let mut long = frame.body.to_vec();
        long.push(0);
        assert!(Request::decode(Frame { kind: frame.kind, body: long.into() }).is_err());
    }
}

#[test]
fn a_damaged_frame_is_not_read() {
    let whole = append(vec![vec![Bytes::from(vec![9; 60])]]).encode().concat();
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        let read = parse_frame(&mut BytesMut::from(&damaged[..]));
        assert!(!matches!(read, Ok(Some(_))), "byte {at}");
    }
    let mut endless = whole;
    endless[..4].copy_from_slice(&u32::MAX.to_le_bytes());
    let read = parse_frame(&mut BytesMut::from(&endless[..]));
    assert_eq!(read.unwrap_err(), DecodeError::TooLong(u32::MAX));
}

/// Openraft would panic on these.
#[test]
fn appends_that_contradict_themselves_are_refused() {
    let spoil = |change: fn(&mut AppendEntriesRequest<types::TypeConfig>)| {
        let Request::Append(mut request) = append(vec![vec![], vec![]]) else { panic!() };
        change(&mut request);
        Request::decode(frame_of(&Request::Append(request).encode())).unwrap_err()
    };
    spoil(|request| drop(request.entries.remove(1)));
    spoil(|request| request.entries[0].log_id = id(4, 8));
    spoil(|request| request.entries[3].log_id = id(7, 11));
    spoil(|request| request.prev_log_id = None);
    spoil(|request| request.vote.committed = false);
    spoil(|request| request.leader_commit = Some(id(7, 1)));
    spoil(|request| request.entries[3].payload = EntryPayload::Membership(Default::default()));
}

#[test]
fn a_hello_is_understood_or_refused() {
    let hello = Hello { kind: StreamKind::Snapshot, cluster: 0, sender: 1, receiver: 2 };
    let bytes = hello.encode();
    assert_eq!(&bytes[..8], b"DQLITEP1");
    assert_eq!(Hello::decode(bytes.slice(8..)).unwrap(), hello);
    for at in 8..bytes.len() {
        let mut damaged = bytes.to_vec();
        damaged[at] ^= 4;
        assert!(Hello::decode(Bytes::from(damaged).slice(8..)).is_err(), "byte {at}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(kind in any::<u8>(), body in vec(any::<u8>(), 0..300)) {
        let body = Bytes::from(body);
        let _ = Request::decode(Frame { kind, body: body.clone() });
        let _ = Answer::decode(Frame { kind, body: body.clone() });
        let _ = decode_membership(body.clone());
        let _ = Hello::decode(body.clone());
        let _ = parse_frame(&mut BytesMut::from(&body[..]));
    }

    /// Nearly right bytes get further than random ones.
    #[test]
    fn damaged_messages_are_read_without_a_panic(
        which in 0..8_usize,
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let Frame { kind, body } = frame_of(&requests().swap_remove(which).encode());
        let mut body = body.to_vec();
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        let _ = Request::decode(Frame { kind, body: body.into() });
    }

    #[test]
    fn payloads_of_any_shape_come_back(
        payloads in vec(vec(vec(any::<u8>(), 0..1500), 0..4), 0..5),
    ) {
        let payloads: Vec<Vec<Bytes>> = payloads
            .into_iter()
            .map(|parts| parts.into_iter().map(Bytes::from).collect())
            .collect();
        let read = Request::decode(frame_of(&append(payloads.clone()).encode())).unwrap();
        let Request::Append(read) = read else { panic!("not an append") };
        for (entry, sent) in read.entries.iter().zip(payloads) {
            let EntryPayload::Normal(Command(parts)) = &entry.payload else { panic!("blank") };
            prop_assert_eq!(parts.concat(), sent.concat());
        }
    }

    /// Written a little at a time, a frame is the same.
    #[test]
    fn partial_writes_lose_nothing(steps in vec(1..900_usize, 1..40)) {
        let mut outgoing =
            append(vec![vec![Bytes::from(vec![1; 2000]), Bytes::from(vec![2; 600])]]).encode();
        let whole = outgoing.concat();
        let mut written = Vec::new();
        for step in steps {
            let mut left = step;
            for slice in outgoing.slices() {
                let take = left.min(slice.len());
                written.extend_from_slice(&slice[..take]);
                left -= take;
            }
            outgoing.advance(step - left);
        }
        written.extend(outgoing.concat());
        prop_assert_eq!(written, whole);
    }
}
