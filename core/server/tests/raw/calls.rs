//! A driver's calls, written and read by their description.

use super::body::{Body, Reader, V};
use super::{Answer, Failure, Wire, ask, frame, say};

/// RUN, but for the text and the parameters.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    pub kind: u64,
    pub begin: u64,
    pub consistency: (u64, u64),
    pub mark: u64,
    pub timeout_ms: u64,
    pub rows: u32,
    pub bytes: u32,
}

/// One statement, linearizable, 256 rows.
pub const ONE: Call = Call {
    kind: 0,
    begin: 0,
    consistency: (0, 0),
    mark: 0,
    timeout_ms: 0,
    rows: 256,
    bytes: 64 << 10,
};
pub const MANY: Call = Call { kind: 1, ..ONE };
pub const SCRIPT: Call = Call { kind: 2, ..ONE };

/// A set of parameters.
#[derive(Clone, Debug)]
pub enum Set<'a> {
    Positional(Vec<V>),
    Named(Vec<(&'a str, V)>),
}

impl Call {
    pub fn body(self, sql: &str, sets: &[Set<'_>]) -> Body {
        self.body_with(sql.as_bytes(), &parameters(sets))
    }

    pub fn body_with(self, sql: &[u8], parameters: &[u8]) -> Body {
        let body = Body::new().u64(self.kind).u64(self.begin);
        let body = body.u64(self.consistency.0).u64(self.consistency.1);
        let body = body.u64(self.mark).u64(self.timeout_ms).u32(self.rows).u32(self.bytes);
        body.blob(sql).blob(parameters)
    }

    pub fn frame(self, sql: &str, sets: &[Set<'_>]) -> Vec<u8> {
        frame(ask::RUN, 0, &self.body(sql, sets))
    }
}

/// Parameters as they stand in their blob.
pub fn parameters(sets: &[Set<'_>]) -> Vec<u8> {
    let length = |count: usize| u32::try_from(count).unwrap().to_le_bytes();
    let mut bytes = length(sets.len()).to_vec();
    let put_value = |bytes: &mut Vec<u8>, value: &V| match value {
        V::Null => bytes.push(0),
        V::Integer(number) => {
            bytes.push(1);
            bytes.extend(number.to_le_bytes());
        }
        V::Float(number) => {
            bytes.push(2);
            bytes.extend(number.to_le_bytes());
        }
        V::Text(text) => {
            bytes.push(3);
            bytes.extend(length(text.len()));
            bytes.extend(text.as_bytes());
        }
        V::Blob(blob) => {
            bytes.push(4);
            bytes.extend(length(blob.len()));
            bytes.extend(blob);
        }
        other => panic!("{other:?} is none of SQLite's"),
    };
    for set in sets {
        match set {
            Set::Positional(values) => {
                bytes.push(0);
                bytes.extend(length(values.len()));
                values.iter().for_each(|value| put_value(&mut bytes, value));
            }
            Set::Named(values) => {
                bytes.push(1);
                bytes.extend(length(values.len()));
                for (name, value) in values {
                    bytes.extend(length(name.len()));
                    bytes.extend(name.as_bytes());
                    put_value(&mut bytes, value);
                }
            }
        }
    }
    bytes
}

/// What RAN says.
#[derive(Clone, Debug, PartialEq)]
pub struct Ran {
    pub in_transaction: bool,
    pub changes: Option<u64>,
    pub last_insert_rowid: i64,
    pub total_changes: u64,
    pub index: u64,
    pub cursor: Option<u32>,
    /// Names and declared types.
    pub columns: Vec<(String, String)>,
    pub rows: Vec<Vec<V>>,
}

impl Answer {
    pub fn ran(&self) -> Result<Ran, Failure> {
        if self.kind == say::FAILURE {
            return Err(self.failure());
        }
        assert_eq!((self.kind, self.schema), (say::RAN, 0), "{self:02x?}");
        let mut reader = Reader::new(&self.body);
        let flags = reader.u64();
        assert!(flags < 8, "flags {flags}");
        let (changes, last_insert_rowid) = (reader.u64(), reader.u64() as i64);
        let (total_changes, index) = (reader.u64(), reader.u64());
        let cursor = reader.u32();
        assert_eq!(reader.u32(), 0);
        let columns: Vec<_> = (0..reader.u64()).map(|_| (reader.text(), reader.text())).collect();
        let rows = batch(&mut reader, columns.len());
        assert!(reader.is_empty());
        Ok(Ran {
            in_transaction: flags & 1 != 0,
            changes: Some(changes).filter(|_| flags & 2 != 0),
            last_insert_rowid,
            total_changes,
            index,
            cursor: Some(cursor).filter(|_| flags & 4 != 0),
            columns,
            rows,
        })
    }

    /// The rows of a BATCH, and whether more may follow.
    pub fn batch(&self, columns: usize) -> (Vec<Vec<V>>, bool) {
        assert_eq!((self.kind, self.schema), (say::BATCH, 0), "{self:02x?}");
        let mut reader = Reader::new(&self.body);
        let more = reader.u64();
        assert!(more < 2);
        let rows = batch(&mut reader, columns);
        assert!(reader.is_empty());
        (rows, more == 1)
    }

    pub fn index(&self) -> u64 {
        assert_eq!((self.kind, self.body.len()), (say::INDEX, 8), "{self:02x?}");
        Reader::new(&self.body).u64()
    }

    /// The size of the whole, and a piece of it.
    pub fn piece(&self) -> (u64, Vec<u8>) {
        assert_eq!((self.kind, self.schema), (say::PIECE, 0), "{self:02x?}");
        let mut reader = Reader::new(&self.body);
        let piece = (reader.u64(), reader.blob().to_vec());
        assert!(reader.is_empty());
        piece
    }
}

fn batch(reader: &mut Reader<'_>, columns: usize) -> Vec<Vec<V>> {
    let bytes = reader.blob();
    if bytes.is_empty() {
        return Vec::new();
    }
    let mut reader = Reader::new(bytes);
    let rows = reader.u32();
    assert_eq!(reader.u32() as usize, columns);
    let value = |reader: &mut Reader<'_>| match reader.take(1)[0] {
        0 => V::Null,
        1 => V::Integer(reader.u64() as i64),
        2 => V::Float(f64::from_bits(reader.u64())),
        3 => {
            let length = reader.u32() as usize;
            V::Text(String::from_utf8(reader.take(length).to_vec()).unwrap())
        }
        4 => {
            let length = reader.u32() as usize;
            V::Blob(reader.take(length).to_vec())
        }
        other => panic!("tag {other}"),
    };
    let rows = (0..rows).map(|_| (0..columns).map(|_| value(&mut reader)).collect()).collect();
    assert!(reader.is_empty());
    rows
}

/// SESSION of `test`: 0 for the leader, 1 to read here.
pub fn session(place: u64) -> Body {
    session_of(place, 0)
}

/// The same for this client.
pub fn session_of(place: u64, client: u64) -> Body {
    Body::new().u64(place).u64(5000).u64(client).u64(0).text("test")
}

impl Wire {
    /// Runs one statement without parameters that must work.
    pub async fn call(&mut self, sql: &str) -> Ran {
        self.call_with(ONE, sql, &[]).await.unwrap_or_else(|failure| panic!("{sql}: {failure:?}"))
    }

    pub async fn call_with(
        &mut self,
        call: Call,
        sql: &str,
        sets: &[Set<'_>],
    ) -> Result<Ran, Failure> {
        self.send(&call.frame(sql, sets)).await;
        self.next().await.ran()
    }

    /// Runs one statement that must fail.
    pub async fn call_fails(&mut self, sql: &str) -> Failure {
        self.call_with(ONE, sql, &[]).await.expect_err(sql)
    }

    pub async fn fetch(&mut self, cursor: u32, rows: u32) -> Answer {
        self.ask(ask::FETCH, Body::new().u32(cursor).u32(0).u32(rows).u32(64 << 10)).await
    }
}
