//! The frames of a WAL, in memory, behind the offsets of the file that SQLite takes it for.
//! <https://www.sqlite.org/fileformat2.html#wal_file_format>
//!
//! 1. Frames are dense: a frame is written only when all before it are there.
//! 2. A page image is never changed in place: overwriting puts a new one, so images can be shared.
//! 3. A frame keeps its 24 header bytes when its image is given back: the checksum of the next
//!    frame continues from them.

use bytes::Bytes;

use crate::checksum::{self, Sums};
use crate::transaction::{PAGE_BYTES, Page, Transaction};

pub(crate) const WAL_HEADER_BYTES: usize = 32;
pub(crate) const FRAME_HEADER_BYTES: usize = 24;
pub(crate) const FRAME_BYTES: usize = FRAME_HEADER_BYTES + PAGE_BYTES;

const MAGIC: u32 = 0x377f_0682 | if cfg!(target_endian = "big") { 1 } else { 0 };
const FORMAT_VERSION: u32 = 3_007_000;

/// One frame. The image is empty when it is not written yet, or was given back.
#[derive(Debug)]
pub(crate) struct Frame {
    header: [u8; FRAME_HEADER_BYTES],
    image: Page,
}

impl Frame {
    pub fn page(&self) -> u32 {
        self.word(0)
    }

    /// The database's size in pages when the frame commits a transaction, otherwise 0.
    pub fn commit(&self) -> u32 {
        self.word(4)
    }

    pub fn sums(&self) -> Sums {
        [self.word(16), self.word(20)]
    }

    pub fn image(&self) -> &Page {
        &self.image
    }

    fn word(&self, offset: usize) -> u32 {
        big_endian(&self.header, offset)
    }
}

/// SQLite asked for bytes that are not there, or not any more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ReadError {
    /// Past the end.
    Short,
    /// The image was given back: no reader can need it.
    GivenBack,
}

/// A write of a shape that SQLite's WAL does not make.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnknownWrite;

#[derive(Debug, Default)]
pub(crate) struct Wal {
    header: Option<[u8; WAL_HEADER_BYTES]>,
    frames: Vec<Frame>,
    images: usize,
    /// Frames whose images were given back.
    given_back: usize,
}

impl Wal {
    /// The number of frames.
    pub fn len(&self) -> u32 {
        // Frame numbers are 32 bits wide in SQLite's own structures.
        self.frames.len() as u32
    }

    /// The size of the file that SQLite sees, in bytes.
    pub fn file_bytes(&self) -> u64 {
        match self.header {
            None => 0,
            Some(_) => (WAL_HEADER_BYTES + self.frames.len() * FRAME_BYTES) as u64,
        }
    }

    /// What the WAL takes, in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.images * PAGE_BYTES + self.frames.capacity() * size_of::<Frame>()
    }

    /// Frame `number`, counted from 1.
    pub fn frame(&self, number: u32) -> Option<&Frame> {
        self.frames.get((number as usize).checked_sub(1)?)
    }

    /// Frames `first` to `last`, with their numbers.
    pub fn range(&self, first: u32, last: u32) -> impl DoubleEndedIterator<Item = &Frame> {
        let end = (last as usize).min(self.frames.len());
        self.frames[(first as usize - 1).min(end)..end].iter()
    }

    /// The salt of the WAL's header, word for word as in the wal-index.
    pub fn salt(&self) -> Option<[u32; 2]> {
        let header = self.header.as_ref()?;
        let [_, _, words @ ..] = header.as_chunks::<4>().0 else { return None };
        Some([u32::from_ne_bytes(words[2]), u32::from_ne_bytes(words[3])])
    }

    /// Drops the header and all frames.
    pub fn clear(&mut self) -> Vec<Frame> {
        self.header = None;
        self.images = 0;
        self.given_back = 0;
        std::mem::take(&mut self.frames)
    }

    /// Drops all frames after `last`.
    pub fn truncate(&mut self, last: u32) -> Vec<Frame> {
        let dropped = self.frames.split_off((last as usize).min(self.frames.len()));
        self.images -= dropped.iter().filter(|frame| !frame.image.is_empty()).count();
        self.given_back = self.given_back.min(self.frames.len());
        dropped
    }

    /// Gives the images of all frames up to `last` back; they go when the result is dropped.
    pub fn give_back(&mut self, last: u32) -> Vec<Page> {
        let end = (last as usize).min(self.frames.len());
        if end <= self.given_back {
            return Vec::new();
        }
        let images: Vec<Page> = self.frames[self.given_back..end]
            .iter_mut()
            .map(|frame| std::mem::take(&mut frame.image))
            .filter(|image| !image.is_empty())
            .collect();
        self.images -= images.len();
        self.given_back = end;
        images
    }

    /// True when there is something to give back up to frame `last`.
    pub fn can_give_back(&self, last: u32) -> bool {
        (last as usize).min(self.frames.len()) > self.given_back
    }

    /// The first transaction after frame `committed`, if its commit frame is there.
    pub fn transaction_after(&self, committed: u32) -> Option<Transaction> {
        let frames = self.frames.get(committed as usize..)?;
        let length = frames.iter().position(|frame| frame.commit() != 0)? + 1;
        let frames = &frames[..length];
        let page_count = frames[length - 1].commit();
        let mut newest: Vec<(u32, usize)> = frames
            .iter()
            .enumerate()
            .map(|(index, frame)| (frame.page(), index))
            // Pages that the transaction wrote early, then cut off, are in no one's database.
            .filter(|(page, _)| *page <= page_count)
            .collect();
        newest.sort_unstable_by(|a, b| (a.0, b.1).cmp(&(b.0, a.1)));
        newest.dedup_by_key(|(page, _)| *page);
        let pages =
            newest.into_iter().map(|(page, index)| (page, frames[index].image.clone())).collect();
        Some(Transaction {
            pages,
            page_count,
            generation: 0,
            last_frame: committed + length as u32,
        })
    }

    /// Begins an empty WAL with a header of our own, and gives the sums that frame 1 continues.
    pub fn begin(&mut self, restarts: u32, salt: [u32; 2]) -> Sums {
        let mut header = [0; WAL_HEADER_BYTES];
        let words = header.as_chunks_mut::<4>().0;
        words[0] = MAGIC.to_be_bytes();
        words[1] = FORMAT_VERSION.to_be_bytes();
        words[2] = (PAGE_BYTES as u32).to_be_bytes();
        words[3] = restarts.to_be_bytes();
        words[4] = salt[0].to_ne_bytes();
        words[5] = salt[1].to_ne_bytes();
        let sums = checksum::extend([0, 0], words[..6].as_flattened());
        words[6] = sums[0].to_be_bytes();
        words[7] = sums[1].to_be_bytes();
        self.clear();
        self.header = Some(header);
        sums
    }

    /// Appends a frame and gives the sums that the next one continues.
    pub fn push(
        &mut self,
        page: u32,
        commit: u32,
        image: Page,
        salt: [u32; 2],
        sums: Sums,
    ) -> Sums {
        debug_assert_eq!(image.len(), PAGE_BYTES);
        let mut header = [0; FRAME_HEADER_BYTES];
        let words = header.as_chunks_mut::<4>().0;
        words[0] = page.to_be_bytes();
        words[1] = commit.to_be_bytes();
        words[2] = salt[0].to_ne_bytes();
        words[3] = salt[1].to_ne_bytes();
        let sums = checksum::extend(sums, words[..2].as_flattened());
        let sums = checksum::extend(sums, &image);
        words[4] = sums[0].to_be_bytes();
        words[5] = sums[1].to_be_bytes();
        self.frames.push(Frame { header, image });
        self.images += 1;
        sums
    }

    /// Whether each frame's checksum continues that of the one before.
    #[cfg(test)]
    pub fn is_chained(&self) -> bool {
        let Some(header) = &self.header else { return self.frames.is_empty() };
        let mut sums = [big_endian(header, 24), big_endian(header, 28)];
        self.frames.iter().all(|frame| {
            sums = checksum::extend(sums, &frame.header[..8]);
            sums = checksum::extend(sums, &frame.image);
            frame.sums() == sums && frame.header[8..16] == header[16..24]
        })
    }

    /// Reads as from the file. What is past the end comes as zeros.
    pub fn read(&self, target: &mut [u8], offset: u64) -> Result<(), ReadError> {
        let mut result = Ok(());
        let mut done = 0;
        while done < target.len() {
            let rest = &mut target[done..];
            let source = match self.bytes_at(offset + done as u64) {
                Ok(source) => source,
                Err(error) => {
                    rest.fill(0);
                    result = Err(error);
                    break;
                }
            };
            let count = source.len().min(rest.len());
            rest[..count].copy_from_slice(&source[..count]);
            done += count;
        }
        result
    }

    /// Bytes from `offset` on, up to the end of what is contiguous in memory.
    fn bytes_at(&self, offset: u64) -> Result<&[u8], ReadError> {
        let offset = usize::try_from(offset).map_err(|_| ReadError::Short)?;
        let Some(offset) = offset.checked_sub(WAL_HEADER_BYTES) else {
            return Ok(&self.header.as_ref().ok_or(ReadError::Short)?[offset..]);
        };
        let frame = self.frames.get(offset / FRAME_BYTES).ok_or(ReadError::Short)?;
        match (offset % FRAME_BYTES).checked_sub(FRAME_HEADER_BYTES) {
            None => Ok(&frame.header[offset % FRAME_BYTES..]),
            Some(_) if frame.image.is_empty() => Err(ReadError::GivenBack),
            Some(within) => Ok(&frame.image[within..]),
        }
    }

    /// Writes as to the file: the WAL's header, a frame's header, or a frame's image.
    pub fn write(&mut self, source: &[u8], offset: u64) -> Result<Vec<Frame>, UnknownWrite> {
        let offset = usize::try_from(offset).map_err(|_| UnknownWrite)?;
        let Some(offset) = offset.checked_sub(WAL_HEADER_BYTES) else {
            if offset != 0 {
                return Err(UnknownWrite);
            }
            let header = source.try_into().map_err(|_| UnknownWrite)?;
            let dropped = self.clear();
            self.header = Some(header);
            return Ok(dropped);
        };
        let index = offset / FRAME_BYTES;
        match offset % FRAME_BYTES {
            0 => {
                let header = source.try_into().map_err(|_| UnknownWrite)?;
                if index == self.frames.len() {
                    self.frames.push(Frame { header, image: Bytes::new() });
                } else {
                    self.frames.get_mut(index).ok_or(UnknownWrite)?.header = header;
                }
            }
            FRAME_HEADER_BYTES if source.len() == PAGE_BYTES => {
                let frame = self.frames.get_mut(index).ok_or(UnknownWrite)?;
                self.images += usize::from(frame.image.is_empty());
                frame.image = Bytes::copy_from_slice(source);
            }
            _ => return Err(UnknownWrite),
        }
        Ok(Vec::new())
    }
}

fn big_endian(bytes: &[u8], offset: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[offset..offset + 4]);
    u32::from_be_bytes(word)
}

#[cfg(test)]
mod tests;
