//! The commands that stand in the log, byte for byte (`docs/formats/command.md`).
//!
//! ```text
//!  0  u8   version, 1              24 u64  sequence in the session
//!  1  u8   kind, 1: pages          32 u64  index of the base, where flag 2 is set
//!  2  u16  flags                   40 u32  database size in pages, in the last part
//!          1: the last part        44 u16  length of the database's name in bytes
//!          2: the base is an index 46 u16  zero
//!          4: a call committed it  48 u128 client of the call, where flag 4 is set
//!  4  u32  part, from 0               u64  its mark, likewise
//!  8  u64  session: term                   the name, zero-padded to a multiple of 8
//! 16  u32  session: epoch              n × u32  page numbers, zero-padded likewise
//! 20  u32  n, the number of pages      n × 4096 page images
//! ```

use bytes::{Buf, BufMut, Bytes, BytesMut};
use dqlite_vfs::{PAGE_BYTES, Page};

use crate::chain::{Base, Link, SessionId};
use crate::consensus::Payload;
use crate::name::DatabaseName;
use crate::outcomes::Call;

const VERSION: u8 = 1;
const KIND_PAGES: u8 = 1;
const FLAG_LAST: u16 = 1;
const FLAG_BASE_INDEX: u16 = 2;
const FLAG_CALL: u16 = 4;
const HEADER_BYTES: usize = 48;
const CALL_BYTES: usize = 24;

/// The most page images that one command holds: 1 MiB of them.
pub(crate) const PAGES_MAX: usize = 256;

/// One transaction, or one part of a large one.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub database: DatabaseName,
    pub link: Link,
    /// The database's size after the transaction, in pages; only the last part's counts.
    pub page_count: u32,
    /// The call that committed the transaction, if its outcome may be asked for; in the last part.
    pub call: Option<Call>,
    pub pages: Vec<(u32, Page)>,
}

/// Bytes that are no command.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum DecodeError {
    #[error("command of {0} bytes is cut short")]
    Short(usize),
    #[error("command of version {0} and kind {1} is not known to this release")]
    Unknown(u8, u8),
    #[error("command has flags {0:#x}, which are not known to this release")]
    Flags(u16),
    #[error("command names no valid database")]
    Name,
    #[error("command holds {0} bytes past its end")]
    Tail(usize),
}

impl Command {
    /// The command's bytes: one part for all but the page images, which are shared.
    pub fn encode(&self) -> Payload {
        let name = self.database.as_str().as_bytes();
        let numbers_bytes = (self.pages.len() * 4).next_multiple_of(8);
        let call_bytes = self.call.map_or(0, |_| CALL_BYTES);
        let capacity = HEADER_BYTES + call_bytes + name.len().next_multiple_of(8) + numbers_bytes;
        let (base_flag, base_index) = match self.link.base {
            Base::Previous => (0, 0),
            Base::Index(index) => (FLAG_BASE_INDEX, index),
        };
        let mut head = BytesMut::with_capacity(capacity);
        head.put_u8(VERSION);
        head.put_u8(KIND_PAGES);
        let last_flag = if self.link.last { FLAG_LAST } else { 0 };
        head.put_u16_le(base_flag | last_flag | self.call.map_or(0, |_| FLAG_CALL));
        head.put_u32_le(self.link.part);
        head.put_u64_le(self.link.session.term);
        head.put_u32_le(self.link.session.epoch);
        head.put_u32_le(self.pages.len() as u32);
        head.put_u64_le(self.link.sequence);
        head.put_u64_le(base_index);
        head.put_u32_le(self.page_count);
        head.put_u16_le(name.len() as u16);
        head.put_u16_le(0);
        if let Some(call) = self.call {
            head.put_u128_le(call.client);
            head.put_u64_le(call.mark);
        }
        head.put_slice(name);
        head.put_bytes(0, head.len().next_multiple_of(8) - head.len());
        for (number, _) in &self.pages {
            head.put_u32_le(*number);
        }
        head.put_bytes(0, capacity - head.len());
        let mut payload = Vec::with_capacity(1 + self.pages.len());
        payload.push(head.freeze());
        payload.extend(self.pages.iter().map(|(_, page)| page.clone()));
        payload
    }

    /// Reads a command from the parts of a payload, however it is cut. Page images are slices of
    /// the payload wherever a part holds them whole.
    pub fn decode(payload: &[Bytes]) -> Result<Self, DecodeError> {
        let total = payload.iter().map(Bytes::len).sum();
        let mut reader = Reader { parts: payload, offset: 0, total };
        let head = reader.take(HEADER_BYTES)?;
        let u16_at = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
        let u32_at = |at: usize| (0..4).fold(0, |n, i| n | u32::from(head[at + i]) << (8 * i));
        let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
        if head[0] != VERSION || head[1] != KIND_PAGES {
            return Err(DecodeError::Unknown(head[0], head[1]));
        }
        let flags = u16_at(2);
        if flags & !(FLAG_LAST | FLAG_BASE_INDEX | FLAG_CALL) != 0 {
            return Err(DecodeError::Flags(flags));
        }
        let link = Link {
            session: SessionId { term: u64_at(8), epoch: u32_at(16) },
            sequence: u64_at(24),
            base: if flags & FLAG_BASE_INDEX != 0 {
                Base::Index(u64_at(32))
            } else {
                Base::Previous
            },
            part: u32_at(4),
            last: flags & FLAG_LAST != 0,
        };
        let call = if flags & FLAG_CALL != 0 {
            let mut bytes = reader.take(CALL_BYTES)?;
            Call::new(bytes.get_u128_le(), bytes.get_u64_le())
        } else {
            None
        };
        let name_bytes = usize::from(u16_at(44));
        let name = reader.take(name_bytes.next_multiple_of(8))?;
        let database = std::str::from_utf8(&name[..name_bytes])
            .ok()
            .and_then(|name| DatabaseName::new(name).ok())
            .ok_or(DecodeError::Name)?;
        let page_total = u32_at(20) as usize;
        if page_total > total / PAGE_BYTES {
            return Err(DecodeError::Short(total));
        }
        let numbers = reader.take((page_total * 4).next_multiple_of(8))?;
        let mut pages = Vec::with_capacity(page_total);
        for number in numbers.chunks_exact(4).take(page_total) {
            let number = u32::from_le_bytes([number[0], number[1], number[2], number[3]]);
            pages.push((number, reader.take(PAGE_BYTES)?));
        }
        match reader.left() {
            0 => Ok(Self { database, link, page_count: u32_at(40), call, pages }),
            left => Err(DecodeError::Tail(left)),
        }
    }
}

/// Takes runs of bytes from a list of parts, in order.
struct Reader<'a> {
    parts: &'a [Bytes],
    offset: usize,
    total: usize,
}

impl Reader<'_> {
    fn take(&mut self, count: usize) -> Result<Bytes, DecodeError> {
        while let Some(part) = self.parts.first() {
            if self.offset < part.len() || count == 0 {
                break;
            }
            self.parts = &self.parts[1..];
            self.offset = 0;
        }
        if let Some(part) = self.parts.first()
            && part.len() - self.offset >= count
        {
            let bytes = part.slice(self.offset..self.offset + count);
            self.offset += count;
            return Ok(bytes);
        }
        if count == 0 {
            return Ok(Bytes::new());
        }
        let mut joined = BytesMut::with_capacity(count.min(self.total));
        while joined.len() < count {
            let Some(part) = self.parts.first() else {
                return Err(DecodeError::Short(self.total));
            };
            let length = (part.len() - self.offset).min(count - joined.len());
            joined.extend_from_slice(&part[self.offset..self.offset + length]);
            self.offset += length;
            if self.offset == part.len() {
                self.parts = &self.parts[1..];
                self.offset = 0;
            }
        }
        Ok(joined.freeze())
    }

    fn left(&self) -> usize {
        self.parts.iter().map(Bytes::len).sum::<usize>() - self.offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Option<Call> = Some(Call {
        client: 0x100f_0e0d_0c0b_0a09_0807_0605_0403_0201,
        mark: 0xa1a2_a3a4_a5a6_a7a8,
    });

    fn command(page_total: u32) -> Command {
        Command {
            database: DatabaseName::new("größe").unwrap(),
            link: Link {
                session: SessionId { term: 0x0102_0304_0506_0708, epoch: 9 },
                sequence: 11,
                base: Base::Index(12),
                part: 3,
                last: true,
            },
            page_count: 77,
            call: None,
            pages: (0..page_total)
                .map(|n| (n + 5, Page::from(vec![n as u8; PAGE_BYTES])))
                .collect(),
        }
    }

    fn same(left: &Command, right: &Command) {
        assert_eq!(left.database, right.database);
        assert_eq!(left.link, right.link);
        assert_eq!(left.page_count, right.page_count);
        assert_eq!(left.call, right.call);
        assert_eq!(left.pages, right.pages);
    }

    #[test]
    fn a_command_survives_any_cut_of_its_bytes() {
        for (page_total, call) in [(0, None), (1, None), (2, CALL), (3, None), (3, CALL)] {
            let command = Command { call, ..command(page_total) };
            let payload = command.encode();
            same(&command, &Command::decode(&payload).unwrap());
            let joined = Bytes::from(payload.concat());
            same(&command, &Command::decode(std::slice::from_ref(&joined)).unwrap());
            for cut in [1, 8, 47, 48, 52, joined.len() / 2, joined.len() - 1] {
                let parts = [joined.slice(..cut), Bytes::new(), joined.slice(cut..)];
                same(&command, &Command::decode(&parts).unwrap());
            }
        }
    }

    /// Byte for byte, as nodes of every release have it in their logs.
    #[test]
    fn the_bytes_are_those_of_the_format() {
        let without = [
            b"\x01\x01\x03\0\x03\0\0\0".as_slice(),
            b"\x08\x07\x06\x05\x04\x03\x02\x01",
            b"\x09\0\0\0\x01\0\0\0",
            b"\x0b\0\0\0\0\0\0\0",
            b"\x0c\0\0\0\0\0\0\0",
            b"\x4d\0\0\0\x07\0\0\0",
        ]
        .concat();
        let end = [b"gr\xc3\xb6\xc3\x9fe\0".as_slice(), b"\x05\0\0\0\0\0\0\0"].concat();
        let page = [0; PAGE_BYTES].to_vec();
        let old = [without.clone(), end.clone(), page.clone()].concat();
        assert!(command(1).encode().concat() == old);
        same(&command(1), &Command::decode(&[old.into()]).unwrap());
        let mut with = without;
        with[2] = 7;
        with.extend(1..=16);
        with.extend_from_slice(b"\xa8\xa7\xa6\xa5\xa4\xa3\xa2\xa1");
        let new = [with, end, page].concat();
        let called = Command { call: CALL, ..command(1) };
        assert!(called.encode().concat() == new);
        same(&called, &Command::decode(&[new.into()]).unwrap());
    }

    #[test]
    fn page_images_are_shared_not_copied() {
        let command = command(2);
        let joined = Bytes::from(command.encode().concat());
        let decoded = Command::decode(std::slice::from_ref(&joined)).unwrap();
        let range = joined.as_ptr_range();
        assert!(decoded.pages.iter().all(|(_, page)| range.contains(&page.as_ptr())));
    }

    #[test]
    fn bytes_that_are_no_command_are_refused() {
        let joined = Command { call: CALL, ..command(2) }.encode().concat();
        for length in 0..joined.len() {
            assert!(Command::decode(&[Bytes::copy_from_slice(&joined[..length])]).is_err());
        }
        let mut longer = joined.clone();
        longer.push(0);
        assert_eq!(Command::decode(&[longer.into()]).unwrap_err(), DecodeError::Tail(1));
        let mut newer = joined.clone();
        newer[0] = 2;
        assert_eq!(Command::decode(&[newer.into()]).unwrap_err(), DecodeError::Unknown(2, 1));
        let mut flagged = joined.clone();
        flagged[2] |= 8;
        assert_eq!(Command::decode(&[flagged.into()]).unwrap_err(), DecodeError::Flags(15));
        let mut huge = joined;
        huge[20..24].fill(0xff);
        assert!(Command::decode(&[huge.into()]).is_err());
    }
}
