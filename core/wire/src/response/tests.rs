use bytes::{Bytes, BytesMut};

use super::*;
use crate::error::{DecodeError, EncodeError};
use crate::frame::{Frame, read_frame};
use crate::limits;
use crate::node::Role;
use crate::status::DatabaseStatus;

fn through(response: &Response) -> Response {
    let mut out = BytesMut::new();
    response.encode(&mut out).unwrap();
    let frame = read_frame(&mut out, usize::MAX).unwrap().unwrap();
    assert!(out.is_empty());
    Response::decode(&frame, ResponseContext::default()).unwrap()
}

fn frame(kind: u8, schema: u8, words: &[u64]) -> Frame {
    let body: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    Frame { kind, schema, body: Bytes::from(body) }
}

#[test]
fn types_and_numbers_are_inverse_and_others_are_refused() {
    for kind in 0..=255 {
        match ResponseType::from_number(kind) {
            Some(found) => assert_eq!(found.number(), kind),
            None => {
                let refused = Response::decode(&frame(kind, 0, &[0]), ResponseContext::default());
                assert_eq!(refused, Err(DecodeError::UnknownResponseType { kind }));
            }
        }
    }
    for (kind, schema) in [(8, 1), (5, 2)] {
        let refused = Response::decode(&frame(kind, schema, &[0]), ResponseContext::default());
        assert_eq!(refused, Err(DecodeError::UnknownResponseSchema { kind, schema }));
    }
}

#[test]
fn own_responses_come_back_as_they_went() {
    let status = NodeStatus {
        id: 1,
        role: Some(Role::Standby),
        leader_id: 2,
        term: 3,
        last_log_index: 4,
        commit_index: 5,
        applied_index: 6,
        databases: vec![DatabaseStatus {
            name: "main".into(),
            applied_index: 7,
            checkpoint_index: 8,
            page_count: 9,
        }],
    };
    let unknown = NodeStatus { role: None, databases: Vec::new(), ..status.clone() };
    for status in [status, unknown] {
        let response = Response::Status(status);
        assert_eq!(through(&response), response);
    }
    let metrics = Response::Metrics(vec![Metric { name: "commits".into(), value: 1 }]);
    assert_eq!(through(&metrics), metrics);
    assert_eq!(through(&Response::Metrics(Vec::new())), Response::Metrics(Vec::new()));
}

#[test]
fn counts_beyond_the_body_are_refused() {
    for kind in [3, 9, 130] {
        let lie = Response::decode(&frame(kind, 0, &[1 << 60]), ResponseContext::default());
        assert_eq!(lie, Err(DecodeError::Truncated));
    }
}

#[test]
fn a_long_failure_is_cut_between_characters() {
    let message = "é".repeat(limits::FAILURE_MESSAGE_BYTES_MAX);
    let mut out = BytesMut::new();
    encode_failure(&mut out, 1, &message);
    let frame = read_frame(&mut out, limits::BODY_BYTES_MAX).unwrap().unwrap();
    let cut = Response::decode(&frame, ResponseContext::default()).unwrap();
    let Response::Failure { code: 1, message } = cut else { panic!("{cut:?}") };
    assert_eq!(message.len(), limits::FAILURE_MESSAGE_BYTES_MAX - 1);
}

#[test]
fn a_dump_can_be_written_in_pieces() {
    let contents: [(&str, &[u8]); 2] = [("main", &[1; 4096]), ("main-wal", &[])];
    let mut pieces = BytesMut::new();
    let sizes = contents.map(|(name, content)| (name, content.len() as u64));
    encode_files_header(&mut pieces, &sizes).unwrap();
    for (name, content) in contents {
        encode_file_header(&mut pieces, name, content.len() as u64).unwrap();
        pieces.extend_from_slice(content);
    }
    let files = contents.map(|(name, content)| DumpFile {
        name: name.into(),
        content: Bytes::from_static(content),
    });
    let mut whole = BytesMut::new();
    Response::Files(files.to_vec()).encode(&mut whole).unwrap();
    assert_eq!(pieces, whole);
    assert_eq!(through(&Response::Files(files.to_vec())), Response::Files(files.to_vec()));
}

#[test]
fn a_dump_that_a_frame_cannot_hold_is_refused() {
    let mut out = BytesMut::new();
    let odd = encode_files_header(&mut out, &[("a", 7)]);
    assert_eq!(odd, Err(EncodeError::UnalignedFile { bytes: 7 }));
    for bytes in [1 << 32, u64::MAX - 7] {
        let large = encode_files_header(&mut out, &[("a", bytes), ("b", bytes)]);
        assert!(matches!(large, Err(EncodeError::BodyTooLarge { .. })));
    }
    let content = Bytes::from_static(b"seven b");
    let file = Response::Files(vec![DumpFile { name: "a".into(), content }]);
    assert_eq!(file.encode(&mut out), Err(EncodeError::UnalignedFile { bytes: 7 }));
    assert!(out.is_empty());
    let odd = Response::decode(&frame(9, 0, &[1, 0x61, 7, 0]), ResponseContext::default());
    assert_eq!(odd, Err(DecodeError::UnalignedFile { bytes: 7 }));
}
