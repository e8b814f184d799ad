//! Puts another node's transactions into the WAL, as a writer of SQLite's would.

use crate::error::WalError;
use crate::shared::Shared;
use crate::transaction::{PAGE_BYTES, Page, WalPosition};

impl Shared {
    pub fn apply(&self, pages: &[(u32, Page)], page_count: u32) -> Result<WalPosition, WalError> {
        check(pages, page_count)?;
        let mut writer = self.lock_writer()?;
        let dropped = writer.table().and_then(|locks| self.restart(locks));
        writer.release_table();
        drop(dropped);

        let mut header = self.index.header();
        let first = header.last_frame + 1;
        {
            let mut frames = self.frames.write();
            debug_assert!(frames.wal.len() <= header.last_frame, "the last writer left frames");
            if header.last_frame == 0 {
                let restarts = frames.generation as u32;
                header.frame_sums = frames.wal.begin(restarts, header.salt);
            }
            for (index, (page, image)) in pages.iter().enumerate() {
                let commit = if index + 1 == pages.len() { page_count } else { 0 };
                header.frame_sums =
                    frames.wal.push(*page, commit, image.clone(), header.salt, header.frame_sums);
            }
        }
        self.index.append(first, pages.iter().map(|(page, _)| *page));
        header.last_frame += pages.len() as u32;
        header.page_count = page_count;
        header.change = header.change.wrapping_add(1);
        self.index.publish(&header);
        Ok(self.frames.read().position(&header))
    }
}

fn check(pages: &[(u32, Page)], page_count: u32) -> Result<(), WalError> {
    if pages.is_empty() {
        return Err(WalError::NotATransaction("it has no pages"));
    }
    if pages.iter().any(|(_, image)| image.len() != PAGE_BYTES) {
        return Err(WalError::NotATransaction("a page is not of the one size"));
    }
    if pages.iter().any(|(page, _)| *page == 0 || *page > page_count) {
        return Err(WalError::NotATransaction("a page is outside of the database"));
    }
    Ok(())
}
