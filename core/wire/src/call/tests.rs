use bytes::{Bytes, BytesMut};

use super::parameters::{decode_sets, put_sets};
use super::*;
use crate::error::{DecodeError, EncodeError, RequestError};
use crate::frame::read_frame;
use crate::limits;
use crate::reader::Reader;
use crate::request::Request;

fn through(sets: &[ParameterSet]) -> Vec<ParameterSet> {
    let mut out = BytesMut::new();
    put_sets(&mut out, sets).unwrap();
    assert!(out.len().is_multiple_of(8));
    let body = out.freeze();
    decode_sets(&Reader::new(&body).blob().unwrap()).unwrap()
}

#[test]
fn parameters_come_back_as_sqlite_binds_them() {
    let plain = vec![
        Value::Null,
        Value::Integer(i64::MIN),
        Value::Float(-0.0),
        Value::Text("a\0b\0".into()),
        Value::Text("".into()),
        Value::Blob(Bytes::from_static(b"\0\xff")),
    ];
    let named = |name: &'static str| (Text::from(name), Value::Text(name.into()));
    let sets = [
        ParameterSet::Positional(plain),
        ParameterSet::default(),
        ParameterSet::Named(vec![named("é"), named(""), named("nul\0inside")]),
        ParameterSet::Named(Vec::new()),
    ];
    assert_eq!(through(&sets), sets);
    assert_eq!(through(&[]), []);
    let odd = vec![Value::UnixTime(-1), Value::Iso8601("2024".into()), Value::Boolean(7)];
    let bound = vec![Value::Integer(-1), Value::Text("2024".into()), Value::Integer(1)];
    assert_eq!(through(&[ParameterSet::Positional(odd)]), [ParameterSet::Positional(bound)]);
}

#[test]
fn parameters_that_lie_are_refused() {
    let decode = |bytes: &'static [u8]| decode_sets(&Bytes::from_static(bytes));
    let truncated: [&[u8]; 8] = [
        b"",
        b"\x01\0\0",
        b"\x01\0\0\0",
        b"\xff\xff\xff\xff\0\0\0\0\0",
        b"\x01\0\0\0\0\xff\xff\xff\xff\0",
        b"\x01\0\0\0\x01\x01\0\0\0\0\0\0\0",
        b"\x01\0\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0",
        b"\x01\0\0\0\0\x01\0\0\0\x04\xff\xff\xff\xff",
    ];
    for bytes in truncated {
        assert_eq!(decode(bytes), Err(DecodeError::Truncated), "{bytes:?}");
    }
    let kind = decode(b"\x01\0\0\0\x02\0\0\0\0");
    assert_eq!(kind, Err(DecodeError::UnknownFormat { format: 2 }));
    let tag = decode(b"\x01\0\0\0\0\x01\0\0\0\x05");
    assert_eq!(tag, Err(DecodeError::ParameterType { code: 5 }));
    let text = decode(b"\x01\0\0\0\0\x01\0\0\0\x03\x01\0\0\0\xff");
    assert_eq!(text, Err(DecodeError::InvalidUtf8));
    let name = decode(b"\x01\0\0\0\x01\x01\0\0\0\x01\0\0\0\xff\0");
    assert_eq!(name, Err(DecodeError::InvalidUtf8));
}

/// A NULL is one byte of the message and many of memory.
#[test]
fn what_a_message_unfolds_to_is_bounded() {
    let fits = limits::RUN_VALUES_MAX - 1;
    let nulls = |count: usize| {
        let mut bytes = vec![1, 0, 0, 0, 0];
        bytes.extend_from_slice(&u32::try_from(count).unwrap().to_le_bytes());
        bytes.resize(bytes.len() + count, 0);
        Bytes::from(bytes)
    };
    assert_eq!(decode_sets(&nulls(fits + 1)), Err(DecodeError::TooManyParams));
    assert!(decode_sets(&nulls(fits)).is_ok());
    let answer = RequestError::from(DecodeError::TooManyParams).failure();
    assert_eq!(answer, Some((18, "too many parameters in one call")));

    let run = |count| Run {
        parameters: vec![ParameterSet::Positional(vec![Value::Null; count])],
        ..Run::default()
    };
    let mut out = BytesMut::new();
    let refused = run(fits + 1).encode(&mut out);
    assert_eq!(refused, Err(EncodeError::TooManyParams { params: fits + 2 }));
    assert!(out.is_empty());
    run(fits).encode(&mut out).unwrap();
}

#[test]
fn decoded_values_share_the_memory_of_their_frame() {
    let blob = Bytes::from(vec![7; 1 << 20]);
    let run = Run {
        sql: "SELECT ?\0".into(),
        parameters: vec![ParameterSet::Positional(vec![Value::Blob(blob.clone())])],
        ..Run::default()
    };
    let (mut direct, mut through) = (BytesMut::new(), BytesMut::new());
    run.encode(&mut direct).unwrap();
    Request::Run(run.clone()).encode(&mut through).unwrap();
    assert_eq!(direct, through);
    let frame = read_frame(&mut direct, limits::BODY_BYTES_MAX).unwrap().unwrap();
    let Request::Run(decoded) = Request::decode(&frame).unwrap() else { panic!("not a RUN") };
    assert_eq!(decoded, run);
    let [ParameterSet::Positional(values)] = &decoded.parameters[..] else { panic!("one set") };
    let [Value::Blob(shared)] = &values[..] else { panic!("one blob") };
    assert!(frame.body.as_ptr_range().contains(&shared.as_ptr()));
}
