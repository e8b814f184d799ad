use super::*;

const SALT: [u32; 2] = [11, 22];

fn image(fill: u8) -> Page {
    Page::from(vec![fill; PAGE_BYTES])
}

fn frame_offset(frame: u64) -> u64 {
    WAL_HEADER_BYTES as u64 + (frame - 1) * FRAME_BYTES as u64
}

/// Frames of the given pages and commits, each image filled with its frame's number.
fn wal(frames: &[(u32, u32)]) -> Wal {
    let mut wal = Wal::default();
    let mut sums = wal.begin(0, SALT);
    for (index, (page, commit)) in frames.iter().enumerate() {
        sums = wal.push(*page, *commit, image(index as u8 + 1), SALT, sums);
    }
    wal
}

#[test]
fn the_file_reads_as_sqlite_expects_it() {
    let wal = wal(&[(2, 0), (1, 2)]);
    assert_eq!(wal.file_bytes(), 32 + 2 * 4120);
    let mut header = [0; 32];
    wal.read(&mut header, 0).unwrap();
    assert_eq!(header[..4], MAGIC.to_be_bytes());
    assert_eq!(header[8..12], 4096_u32.to_be_bytes());
    assert_eq!(wal.salt(), Some(SALT));

    // The checksums chain: header, then each frame's first eight bytes and its image.
    let mut sums = checksum::extend([0, 0], &header[..24]);
    for frame in 1..=2 {
        let mut bytes = [0; FRAME_BYTES];
        wal.read(&mut bytes, frame_offset(frame)).unwrap();
        assert_eq!(bytes[8..16], header[16..24], "the salt");
        sums = checksum::extend(sums, &bytes[..8]);
        sums = checksum::extend(sums, &bytes[FRAME_HEADER_BYTES..]);
        assert_eq!(bytes[16..20], sums[0].to_be_bytes());
        assert_eq!(bytes[20..24], sums[1].to_be_bytes());
        assert_eq!(wal.frame(frame as u32).unwrap().sums(), sums);
    }
    let mut part = [0; 8];
    wal.read(&mut part, frame_offset(2) + 16).unwrap();
    assert_eq!(part[..4], sums[0].to_be_bytes());
    let mut past = [9; 8];
    assert_eq!(wal.read(&mut past, frame_offset(3) - 4), Err(ReadError::Short));
    assert_eq!(past, [2, 2, 2, 2, 0, 0, 0, 0]);
}

#[test]
fn only_the_writes_of_sqlites_wal_are_taken() {
    let mut wal = wal(&[(2, 0)]);
    let page = [7; PAGE_BYTES];
    let header = [0; FRAME_HEADER_BYTES];
    assert_eq!(wal.write(&page, frame_offset(2) + 24).unwrap_err(), UnknownWrite);
    assert_eq!(wal.write(&header, frame_offset(3)).unwrap_err(), UnknownWrite);
    assert_eq!(wal.write(&header, frame_offset(1) + 1).unwrap_err(), UnknownWrite);
    assert_eq!(wal.write(&page[1..], frame_offset(1) + 24).unwrap_err(), UnknownWrite);
    assert_eq!(wal.write(&[0; 32], 1).unwrap_err(), UnknownWrite);
    assert_eq!(wal.len(), 1);
    wal.write(&header, frame_offset(2)).unwrap();
    wal.write(&page, frame_offset(2) + 24).unwrap();
    assert_eq!(wal.len(), 2);
    assert_eq!(wal.frame(2).unwrap().image()[..], page);
    wal.write(&[0; WAL_HEADER_BYTES], 0).unwrap();
    assert_eq!((wal.len(), wal.file_bytes()), (0, 32));
}

#[test]
fn overwriting_leaves_shared_images_alone() {
    let mut wal = wal(&[(2, 2)]);
    let shared = wal.frame(1).unwrap().image().clone();
    wal.write(&[7; PAGE_BYTES], frame_offset(1) + 24).unwrap();
    assert_eq!(shared, image(1));
    assert_eq!(wal.frame(1).unwrap().image()[..], [7; PAGE_BYTES]);
}

#[test]
fn a_transaction_has_the_last_image_of_each_page_in_it() {
    // Committed frame, then: page 9 is cut off at the end, page 3 written twice, leftovers.
    let wal = wal(&[(1, 4), (3, 0), (9, 0), (2, 0), (3, 0), (1, 4), (5, 0), (2, 7)]);
    let transaction = wal.transaction_after(1).unwrap();
    assert_eq!(transaction.pages, [(1, image(6)), (2, image(4)), (3, image(5))]);
    assert_eq!((transaction.page_count, transaction.last_frame), (4, 6));
    assert_eq!(wal.transaction_after(6).unwrap().last_frame, 8);
    assert_eq!(wal.transaction_after(8), None);
    assert_eq!(wal.transaction_after(9), None);
}

#[test]
fn images_are_given_back_once_and_headers_stay() {
    let mut wal = wal(&[(1, 1), (2, 2), (3, 3)]);
    let full = wal.memory_bytes();
    assert!(wal.can_give_back(2));
    assert_eq!(wal.give_back(2).len(), 2);
    assert!(!wal.can_give_back(2));
    assert_eq!(wal.give_back(2).len(), 0);
    assert_eq!(wal.memory_bytes(), full - 2 * PAGE_BYTES);
    let sums = wal.frame(2).unwrap().sums();
    assert_ne!(sums, [0, 0]);
    let mut bytes = [9; 32];
    assert_eq!(wal.read(&mut bytes, frame_offset(2)), Err(ReadError::GivenBack));
    assert_eq!(bytes[16..20], sums[0].to_be_bytes());
    assert_eq!(wal.truncate(1).len(), 2);
    assert_eq!(wal.memory_bytes() % PAGE_BYTES, full % PAGE_BYTES);
    assert_eq!(wal.give_back(3).len(), 0);
    let next = wal.push(4, 4, image(4), SALT, sums);
    assert_ne!(next, sums);
    assert_eq!(wal.give_back(3).len(), 1);
}
