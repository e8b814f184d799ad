use super::block::Place;
use super::*;

/// Frames of the first block, and of each later one.
const FIRST_BLOCK: u32 = 4062;
const LATER_BLOCK: u32 = 4096;

fn header(last_frame: u32) -> Header {
    Header { change: 7, last_frame, page_count: 9, frame_sums: [1, 2], salt: [3, 4] }
}

#[test]
fn a_new_index_is_valid_and_empty() {
    let index = WalIndex::new(5);
    let header = index.header();
    assert_eq!((header.last_frame, header.page_count), (0, 5));
    assert_eq!(index.backfilled(), 0);
    assert_eq!(index.mark(0), 0);
    assert!((1..READ_MARKS).all(|mark| index.mark(mark) == MARK_UNUSED));
}

#[test]
fn the_header_is_laid_out_as_sqlite_reads_it() {
    let words = header(6).encode();
    assert_eq!(words[0], 3_007_000);
    assert_eq!(words[3].to_ne_bytes()[0], 1, "initialised");
    let [_, _, low, high] = words[3].to_ne_bytes();
    assert_eq!(u16::from_ne_bytes([low, high]), 4096);
    assert_eq!(words[4..10], [6, 9, 1, 2, 3, 4]);
    assert_eq!(Header::decode(&words), Some(header(6)));
    for word in 0..HEADER_WORDS {
        let mut torn = words;
        torn[word] ^= 1;
        assert_eq!(Header::decode(&torn), None, "word {word}");
    }
}

#[test]
fn a_published_header_is_read_back() {
    let index = WalIndex::new(1);
    index.publish(&header(8));
    assert_eq!(index.header(), header(8));
    assert_eq!(index.header_copy(0), index.header_copy(1));
}

#[test]
fn frames_have_their_places() {
    assert_eq!(Place::of(1), Place { block: 0, index: 1 });
    assert_eq!(Place::of(FIRST_BLOCK), Place { block: 0, index: 4062 });
    assert_eq!(Place::of(FIRST_BLOCK + 1), Place { block: 1, index: 1 });
    assert_eq!(Place::of(FIRST_BLOCK + LATER_BLOCK), Place { block: 1, index: 4096 });
    assert_eq!(Place::of(FIRST_BLOCK + LATER_BLOCK + 1), Place { block: 2, index: 1 });
    for frame in [1, 2, FIRST_BLOCK, FIRST_BLOCK + 1, 3 * LATER_BLOCK, u32::MAX] {
        assert_eq!(Place::of(frame).frame(), frame);
    }
}

#[test]
fn the_newest_frame_of_a_page_is_found() {
    let index = WalIndex::new(1);
    // 8192 apart, pages share a slot.
    index.append(1, [5, 5 + 8192, 5, 6, 5 + 2 * 8192]);
    assert_eq!(index.find(5, 5), Some(3));
    assert_eq!(index.find(5 + 8192, 5), Some(2));
    assert_eq!(index.find(5 + 2 * 8192, 5), Some(5));
    assert_eq!(index.find(7, 5), None);
}

#[test]
fn a_cut_leaves_what_came_before() {
    let index = WalIndex::new(1);
    index.append(1, [5, 5 + 8192, 5, 5 + 2 * 8192]);
    index.cut_after(2);
    assert_eq!(index.find(5, 4), Some(1));
    assert_eq!(index.find(5 + 8192, 4), Some(2));
    assert_eq!(index.find(5 + 2 * 8192, 4), None);
    index.append(3, [9]);
    assert_eq!(index.find(9, 3), Some(3));
}

/// The first frame that a test of whole blocks enters: an interpreter takes just the blocks' ends.
const FROM: u32 = if cfg!(miri) { FIRST_BLOCK - 20 } else { 1 };

#[test]
fn leftovers_go_when_their_place_is_taken() {
    let index = WalIndex::new(1);
    let leftovers = FIRST_BLOCK - 2..FIRST_BLOCK + 20;
    index.append(FROM, (FROM..leftovers.start).map(|frame| frame + 1000));
    index.append(leftovers.start, leftovers.clone().map(|_| 7));
    // The writer gave up; the next one takes the same frames, over the end of the block.
    index.append(leftovers.start, leftovers.clone().map(|frame| frame + 1000));
    for frame in FROM..leftovers.end {
        assert_eq!(index.find(frame + 1000, leftovers.end - 1), Some(frame));
    }
    assert_eq!(index.find(7, leftovers.end - 1), None);
}

/// Were leftovers only overwritten, the table would fill, and a search for a free slot not end.
#[test]
fn a_place_can_be_taken_any_number_of_times() {
    let index = WalIndex::new(1);
    index.append(1, [1]);
    let rounds = if cfg!(miri) { 10 } else { 10_000 };
    for page in 2..rounds {
        index.append(2, [page]);
    }
    assert_eq!((index.find(1, 2), index.find(rounds - 1, 2)), (Some(1), Some(2)));
}

#[test]
fn full_blocks_keep_all_entries() {
    let page_of = |frame: u32| (frame.wrapping_mul(2_654_435_761) >> 8) + 1;
    let index = WalIndex::new(1);
    let last = FIRST_BLOCK + 10 + if cfg!(miri) { 0 } else { 2 * LATER_BLOCK };
    index.append(FROM, (FROM..=last).map(page_of));
    index.cut_after(last - 5);
    for frame in FROM..=last - 5 {
        assert!(index.find(page_of(frame), last).is_some_and(|found| found >= frame));
    }
    assert!(index.block(0).is_some());
    assert!(index.block(9).is_none());
}

#[test]
fn a_reset_forgets_marks_and_backfill() {
    let index = WalIndex::new(1);
    index.append(1, [1, 2, 3]);
    index.publish(&header(3));
    index.set_backfilled(3);
    index.set_mark(3, 2);
    index.reset(&header(0));
    assert_eq!((index.header().last_frame, index.backfilled()), (0, 0));
    assert_eq!((index.mark(1), index.mark(3)), (0, MARK_UNUSED));
    index.append(1, [9]);
    assert_eq!((index.find(9, 1), index.find(2, 1)), (Some(1), None));
}

/// Invariant (4): who reads while others publish sees one header or another, whole.
#[test]
fn headers_are_never_torn() {
    let index = WalIndex::new(1);
    let rounds = if cfg!(miri) { 20 } else { 20_000 };
    index.publish(&Header { page_count: 0, ..header(0) });
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 1..=rounds {
                index.publish(&Header { page_count: round, ..header(round) });
            }
        });
        scope.spawn(|| {
            let mut last = 0;
            while last < rounds {
                let header = index.header();
                assert_eq!(header.last_frame, header.page_count);
                assert!(header.last_frame >= last);
                last = header.last_frame;
            }
        });
    });
}
