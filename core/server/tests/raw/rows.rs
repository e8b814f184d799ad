//! Results, read as strictly as the strictest client reads them.

use super::body::{Reader, V};
use super::{Answer, say};

const DONE: u64 = u64::MAX;
const PART: u64 = 0xeeee_eeee_eeee_eeee;

/// A result, and how it came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<V>>,
    /// The rows in each of the frames.
    pub frames: Vec<usize>,
}

impl Table {
    /// Takes one ROWS in. True when the result is complete.
    pub fn take(&mut self, answer: &Answer) -> bool {
        assert_eq!((answer.kind, answer.schema), (say::ROWS, 0), "{answer:02x?}");
        let mut reader = Reader::new(&answer.body);
        let count = reader.u64() as usize;
        let columns: Vec<_> = (0..count).map(|_| reader.text()).collect();
        if self.frames.is_empty() {
            self.columns = columns;
        } else {
            assert_eq!(self.columns, columns, "every frame repeats the columns");
        }
        let rows_before = self.rows.len();
        loop {
            let marker = reader.clone().u64();
            if marker == DONE || marker == PART {
                reader.u64();
                assert!(reader.is_empty(), "the marker is the last word");
                let rows = self.rows.len() - rows_before;
                assert!(rows > 0 || marker == DONE, "a part without rows");
                self.frames.push(rows);
                return marker == DONE;
            }
            assert!(count > 0, "a row without columns");
            let header = reader.take(count.div_ceil(16) * 8);
            let codes = header.iter().flat_map(|pair| [pair & 15, pair >> 4]);
            self.rows.push(codes.clone().take(count).map(|code| reader.value(code)).collect());
            assert!(codes.skip(count).all(|code| code == 0), "the header's padding");
        }
    }
}
