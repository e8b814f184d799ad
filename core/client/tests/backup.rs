//! A database that arrives piece by piece, or not.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod mock;

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use dqlite_client::{BackupProgress, CallSession, Fault};
use dqlite_env::Env;
use dqlite_wire::call::{AskBackup, BackupPiece, OpenSession, Place};
use dqlite_wire::{Request, Response};
use mock::{Answer, Mock};
use tokio::time::Instant;

const PAGE_BYTES: usize = 512;
const PAGES: usize = 5;

/// What looks like a database of five pages.
fn image() -> Vec<u8> {
    let mut image: Vec<u8> = (0..PAGES * PAGE_BYTES).map(|at| (at % 251) as u8).collect();
    image[16..18].copy_from_slice(&(PAGE_BYTES as u16).to_be_bytes());
    image
}

/// Two pages from here on, and what is left at the end.
fn piece(offset_bytes: u64) -> Answer {
    let image = image();
    let start = usize::try_from(offset_bytes).unwrap();
    let end = image.len().min(start + 2 * PAGE_BYTES);
    let total_bytes = image.len() as u64;
    let content = Bytes::from(image[start..end].to_vec());
    Answer::Response(Response::Piece(BackupPiece { total_bytes, content }))
}

/// Serves the image; what `odd` gives for an offset instead.
async fn server(mut odd: impl FnMut(u64) -> Option<Answer> + Send + 'static) -> Mock {
    Mock::scripted(move |_, request| match request {
        Request::Backup(AskBackup { database, offset_bytes }) => {
            assert_eq!(*database, "test");
            Some(odd(*offset_bytes).unwrap_or_else(|| piece(*offset_bytes)))
        }
        _ => None,
    })
    .await
}

async fn session(mock: &Mock) -> CallSession {
    let open = OpenSession {
        database: "test".into(),
        client: 0,
        place: Place::Leader,
        busy_timeout_ms: 0,
    };
    let network = Env::real().network;
    CallSession::open(&*network, &mock.address, &open, soon()).await.unwrap()
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_backup_is_the_database_and_says_how_far_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy.db");
    std::fs::write(&path, b"an older copy that is longer than nothing").unwrap();
    std::fs::write(folder.path().join("copy.db.partial"), vec![7; 9999]).unwrap();
    let mock = server(|_| None).await;
    let mut session = session(&mock).await;
    let mut steps = Vec::new();
    let progress = |step: BackupProgress| {
        steps.push((step.remaining_pages, step.total_pages));
        true
    };
    session.backup(&Env::real(), &path, progress, soon()).await.unwrap();
    assert_eq!(steps, [(3, 5), (1, 5), (0, 5)]);
    assert_eq!(std::fs::read(&path).unwrap(), image());
    assert_eq!(names(folder.path()), ["copy.db"]);
    assert!(session.is_fit());
}

/// Whatever happens, what stood at the path stays, and nothing else.
async fn fails(
    odd: impl FnMut(u64) -> Option<Answer> + Send + 'static,
    mut progress: impl FnMut(u64) -> bool,
) -> Fault {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy.db");
    std::fs::write(&path, b"as it was").unwrap();
    let mock = server(odd).await;
    let mut session = session(&mock).await;
    let progress = |step: BackupProgress| progress(step.remaining_pages);
    let fault = session.backup(&Env::real(), &path, progress, soon()).await.unwrap_err();
    assert_eq!(std::fs::read(&path).unwrap(), b"as it was");
    assert_eq!(names(folder.path()), ["copy.db"]);
    fault
}

#[tokio::test]
async fn a_backup_that_does_not_get_to_its_end_leaves_nothing() {
    let last = 4 * PAGE_BYTES as u64;
    let fault = fails(|_| None, |remaining| remaining > 1).await;
    assert_eq!(fault, Fault::Refused { code: 9, message: "interrupted".to_owned() });
    let refuse = move |at| (at == last).then_some(Answer::Failure(10, "disk I/O error"));
    let fault = fails(refuse, |_| true).await;
    assert_eq!(fault, Fault::Refused { code: 10, message: "disk I/O error".to_owned() });
    let fault = fails(move |at| (at == last).then_some(Answer::Close), |_| true).await;
    assert!(matches!(fault, Fault::Lost(_)), "{fault:?}");
}

#[tokio::test]
async fn pieces_that_do_not_fit_are_refused() {
    let odd = |total_bytes: u64, content: Vec<u8>| {
        let content = Bytes::from(content);
        Answer::Response(Response::Piece(BackupPiece { total_bytes, content }))
    };
    let total_bytes = (PAGES * PAGE_BYTES) as u64;
    let pieces = [
        (0, odd(total_bytes, Vec::new())),
        (0, odd(total_bytes, b"no header".to_vec())),
        (0, odd(10, image())),
        (1024, odd(total_bytes, Vec::new())),
        (1024, odd(total_bytes, image())),
        (1024, odd(total_bytes + 512, vec![0; 512])),
    ];
    for (offset, piece) in pieces {
        let fault = fails(move |at| (at == offset).then(|| piece.clone()), |_| true).await;
        assert!(matches!(fault, Fault::Garbled(_)), "{fault:?}");
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_a_fault_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing").join("copy.db");
    let mock = server(|_| None).await;
    let mut session = session(&mock).await;
    let fault = session.backup(&Env::real(), &path, |_| true, soon()).await.unwrap_err();
    assert!(matches!(fault, Fault::File(_)), "{fault:?}");
    assert!(session.is_fit());
}
