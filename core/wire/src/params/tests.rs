use super::*;

fn decode(schema: TupleSchema, body: &[u8]) -> Result<Params, DecodeError> {
    let body = Bytes::copy_from_slice(body);
    Params::decode(&mut Reader::new(&body), schema)
}

fn encoded(values: &[ValueRef<'_>]) -> BytesMut {
    let mut out = BytesMut::new();
    put_params(&mut out, values).unwrap();
    out
}

#[test]
fn both_spellings_of_no_parameters_are_one() {
    for schema in [TupleSchema::Short, TupleSchema::Long] {
        let nothing = decode(schema, &[]).unwrap();
        let empty_tuple = decode(schema, &[0; 8]).unwrap();
        assert_eq!(nothing, empty_tuple);
        assert!(nothing.is_empty());
        assert_eq!(nothing.iter().next(), None);
    }
    assert!(encoded(&[]).is_empty());
}

#[test]
fn headers_grow_by_words_and_the_count_widens_above_255() {
    for (count, header_bytes) in [(1, 8), (7, 8), (8, 16), (15, 16), (16, 24), (255, 256)] {
        assert_eq!(encoded(&vec![ValueRef::Null; count]).len(), header_bytes + 8 * count);
    }
    for count in [1, 255, 256, 32_766] {
        let values: Vec<_> = (0..count).map(|n| ValueRef::Integer(n as i64)).collect();
        let schema = TupleSchema::for_count(count);
        assert_eq!(schema == TupleSchema::Long, count > 255);
        let params = decode(schema, &encoded(&values)).unwrap();
        assert_eq!(params, Params::new(&values).unwrap());
        assert_eq!(params.iter().len(), count);
        assert!(params.iter().eq(values));
    }
    let five = [5, 0, 0, 0, 5, 5, 5, 5, 5, 0, 0, 0, 0, 0, 0, 0];
    let body = [&five[..], &[0; 40]].concat();
    assert_eq!(decode(TupleSchema::Long, &body).unwrap().len(), 5);
}

#[test]
fn types_that_cannot_be_bound_are_told_apart_from_malformed_bodies() {
    for code in [0, 6, 9, 12, 14, 15, 255] {
        let body = [1, code, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(decode(TupleSchema::Short, &body), Err(DecodeError::ParameterType { code }));
    }
    let missing_value = [2, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(decode(TupleSchema::Short, &missing_value), Err(DecodeError::Truncated));
    assert_eq!(decode(TupleSchema::Short, &[9; 8]), Err(DecodeError::Truncated));
    assert_eq!(decode(TupleSchema::Long, &[0xff; 8]), Err(DecodeError::Truncated));
    let not_text = [1, 3, 0, 0, 0, 0, 0, 0, 0xff, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(decode(TupleSchema::Short, &not_text), Err(DecodeError::InvalidUtf8));
}

#[test]
fn what_would_not_arrive_is_not_sent() {
    let mut out = BytesMut::new();
    let seconds = [ValueRef::UnixTime(1)];
    assert_eq!(put_params(&mut out, &seconds), Err(EncodeError::UnixTimeParameter));
    for text in [ValueRef::Text(b"a\0b"), ValueRef::Iso8601(b"\0")] {
        assert_eq!(put_params(&mut out, &[text]), Err(EncodeError::NulInText));
    }
}
