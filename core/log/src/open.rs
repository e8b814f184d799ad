//! From a folder to a running writer.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dqlite_env::{Env, FileSystem, OpenMode};

use crate::backend::threads::Threads;
use crate::backend::{Alignment, Device, inline, run_device};
use crate::format::{BLOCK_BYTES_MAX, Opening};
use crate::lock::DirLock;
use crate::options::{Backend, OpenError, Options, Recovered};
use crate::pool::Pool;
use crate::recovery::{Recovery, Refused, Used};
use crate::segment::{Segment, is_unfinished, rewrite, segment_sequence, unfinished_name};
use crate::shared::{Failure, Inner, Shared};
use crate::writer::{Live, Resume, Writer};

/// A log whose writer runs.
pub struct Opened {
    pub shared: Arc<Shared>,
    pub recovered: Recovered,
    pub backend: Backend,
}

/// A log that was read, and can be written by whoever drives the writer.
pub struct Ground {
    lock: Option<DirLock>,
    pub shared: Arc<Shared>,
    writer: Writer,
    recovered: Recovered,
}

/// Who drives the writer.
pub enum Driver {
    Device(Backend, Box<dyn Device>),
    Inline,
}

/// Opens the log in `dir` and starts its writer.
pub fn open(env: &Env, dir: &Path, options: Options) -> Result<Opened, OpenError> {
    make_dir(&*env.files, dir).map_err(|source| io_error(dir, source))?;
    let lock = DirLock::acquire(env, dir)?;
    let (driver, alignment) = choose(options.backend, lock.is_some(), dir)?;
    start(env, read(env, dir, &options, alignment, lock)?, driver, &options)
        .map_err(|source| io_error(dir, source))
}

fn io_error(path: &Path, source: io::Error) -> OpenError {
    OpenError::Io { path: path.to_owned(), source }
}

/// Creates `dir`, durably.
fn make_dir(files: &dyn FileSystem, dir: &Path) -> io::Result<()> {
    if !files.exists(dir)? {
        files.create_dir_all(dir)?;
        files.sync_dir(match dir.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        })?;
    }
    Ok(())
}

/// Settles who drives the writer, and how files are written.
fn choose(backend: Backend, real: bool, dir: &Path) -> Result<(Driver, Alignment), OpenError> {
    let unavailable = |source| OpenError::Backend { backend, source };
    if !real {
        return match backend {
            Backend::Auto | Backend::Inline => Ok((Driver::Inline, Alignment::SIMULATED)),
            _ => Err(unavailable(io::ErrorKind::Unsupported.into())),
        };
    }
    if backend == Backend::Inline {
        return Ok((Driver::Inline, Alignment::CACHED));
    }
    let alignment = Alignment::probe(dir).map_err(|source| io_error(dir, source))?;
    if backend != Backend::Threads {
        match ring(dir, alignment) {
            Ok(device) => return Ok((Driver::Device(Backend::IoUring, device), alignment)),
            Err(source) if backend == Backend::IoUring => return Err(unavailable(source)),
            Err(error) => {
                let dir = dir.display();
                tracing::info!(%dir, %error, "no io_uring here: writing with pwritev2");
            }
        }
    }
    let device = Box::new(Threads::new(alignment.direct));
    Ok((Driver::Device(Backend::Threads, device), alignment))
}

#[cfg(target_os = "linux")]
fn ring(dir: &Path, alignment: Alignment) -> io::Result<Box<dyn Device>> {
    Ok(Box::new(crate::backend::uring::Ring::probe(dir, alignment)?))
}

#[cfg(not(target_os = "linux"))]
fn ring(_dir: &Path, _alignment: Alignment) -> io::Result<Box<dyn Device>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Reads all segments and makes the folder ready for new ones.
pub fn read(
    env: &Env,
    dir: &Path,
    options: &Options,
    alignment: Alignment,
    lock: Option<DirLock>,
) -> Result<Ground, OpenError> {
    let files = &*env.files;
    let names = list(files, dir).map_err(|source| io_error(dir, source))?;
    let mut recovery = Recovery::default();
    let mut newest = Vec::new();
    for (sequence, name) in &names {
        let bytes = read_file(files, &dir.join(name)).map_err(|e| io_error(&dir.join(name), e))?;
        let used = recovery.used.len();
        recovery.segment(name, *sequence, &bytes).map_err(open_error)?;
        if recovery.used.len() > used {
            newest = bytes;
        }
    }
    let recovery = recovery.finish().map_err(open_error)?;
    let next_sequence = names.keys().next_back().map_or(1, |last| last + 1);
    let (spares, segments) =
        tidy(files, dir, &recovery, &newest).map_err(|source| io_error(dir, source))?;

    let segment_bytes = options
        .segment_bytes
        .max(4 * BLOCK_BYTES_MAX as u64)
        .next_multiple_of(BLOCK_BYTES_MAX as u64);
    let spare_segments = options.spare_segments;
    let pool = Arc::new(Pool::new(
        env,
        dir.to_owned(),
        alignment.block_bytes,
        segment_bytes,
        spare_segments,
        next_sequence,
        spares,
    ));
    // A folder that cannot be written shows now, not at the first append.
    pool.prepare_one().map_err(|source| io_error(dir, source))?;
    Ok(ground(dir, recovery, segments, pool, options, lock))
}

fn ground(
    dir: &Path,
    recovery: Recovery,
    segments: BTreeMap<u64, Arc<Segment>>,
    pool: Arc<Pool>,
    options: &Options,
    lock: Option<DirLock>,
) -> Ground {
    let (last, purged) = (recovery.index.last(), recovery.index.purged());
    let recovered = Recovered {
        first: recovery.index.first(),
        last,
        purged,
        vote: recovery.vote,
        committed: recovery.committed,
        torn_bytes: recovery.torn_bytes,
    };
    let live = |used: &Used| Live {
        sequence: used.header.sequence,
        path: dir.join(&used.name),
        previous: used.previous,
    };
    let resume = Resume {
        link: recovery.link,
        state: Opening { previous: last, vote: recovery.vote, purged },
        live: recovery.used.iter().map(live).collect(),
    };
    let shared = Arc::new(Shared::new(Inner {
        index: recovery.index,
        vote: recovery.vote,
        committed: recovery.committed,
        segments,
        queue: VecDeque::new(),
        closed: false,
        durable: last.map(|last| last.index),
        metrics: Default::default(),
    }));
    let (batch_bytes_max, cache_bytes) = (options.batch_bytes_max, options.cache_bytes);
    let mut writer = Writer::new(shared.clone(), pool, resume, batch_bytes_max, cache_bytes);
    writer.give_up_segments();
    Ground { lock, shared, writer, recovered }
}

fn open_error(refused: Refused) -> OpenError {
    match refused {
        Refused::Version { segment, version } => OpenError::Version { segment, version },
        Refused::Damaged(damage) => OpenError::Damaged {
            segment: damage.segment,
            offset: damage.offset,
            index: damage.index,
            reason: damage.reason,
        },
    }
}

/// The segments in `dir` by number, after files that nobody needs were removed.
fn list(files: &dyn FileSystem, dir: &Path) -> io::Result<BTreeMap<u64, String>> {
    let mut segments = BTreeMap::new();
    for name in files.list(dir)? {
        if let Some(sequence) = segment_sequence(&name) {
            segments.insert(sequence, name);
        } else if is_unfinished(&name) {
            files.remove(&dir.join(name))?;
        }
    }
    Ok(segments)
}

fn read_file(files: &dyn FileSystem, path: &Path) -> io::Result<Vec<u8>> {
    let file = files.open(path, OpenMode::Existing)?;
    let mut bytes = vec![0; file.len()? as usize];
    let count = file.read_at(&mut bytes, 0)?;
    bytes.truncate(count);
    Ok(bytes)
}

type Tidied = (Vec<PathBuf>, BTreeMap<u64, Arc<Segment>>);

/// Seals the newest segment that has batches, takes the names of those that have none, and opens
/// the rest for reading.
fn tidy(
    files: &dyn FileSystem,
    dir: &Path,
    recovery: &Recovery,
    newest: &[u8],
) -> io::Result<Tidied> {
    if let Some(used) = recovery.used.last() {
        let content = &newest[..(used.end as usize).min(newest.len())];
        rewrite(files, dir, &dir.join(&used.name), content, used.header.sequence)?;
    }
    let mut spares = Vec::new();
    for name in &recovery.unused {
        let unfinished = dir.join(unfinished_name(segment_sequence(name).unwrap_or_default()));
        files.rename(&dir.join(name), &unfinished)?;
        spares.push(unfinished);
    }
    // No segment without batches may stand before one that will have some.
    files.sync_dir(dir)?;
    let mut segments = BTreeMap::new();
    for used in &recovery.used {
        let path = dir.join(&used.name);
        let file = files.open(&path, OpenMode::Existing)?;
        let segment = Segment { path, header: used.header, capacity: used.end, file };
        segments.insert(used.header.sequence, Arc::new(segment));
    }
    Ok((spares, segments))
}

/// Says that the writer is gone, however it went.
struct Ending {
    shared: Arc<Shared>,
    lock: Option<DirLock>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let mut inner = self.shared.inner.lock();
        inner.closed = true;
        let unanswered = std::mem::take(&mut inner.queue);
        drop(inner);
        drop(unanswered);
        self.lock = None;
        self.shared.progress.send_modify(|progress| {
            progress.stopped = true;
            if std::thread::panicking() && progress.failure.is_none() {
                let error = std::io::Error::other("a completion panicked");
                progress.failure = Some(Failure::new(&error));
            }
        });
    }
}

/// Starts the writer.
pub fn start(env: &Env, ground: Ground, driver: Driver, options: &Options) -> io::Result<Opened> {
    let Ground { lock, shared, mut writer, recovered } = ground;
    let ending = Ending { shared: shared.clone(), lock };
    let backend = match driver {
        Driver::Inline => {
            let runtime = tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
            let (blocking, flush_delay) = (env.blocking, options.inline_flush_delay);
            runtime.spawn(async move {
                let _ending = ending;
                inline::run(&mut writer, blocking, flush_delay).await;
            });
            Backend::Inline
        }
        Driver::Device(backend, mut device) => {
            let segments = writer.pool().start()?;
            let run = move || {
                let _ending = ending;
                run_device(&mut writer, &mut *device);
                writer.pool().stop();
                if segments.join().is_err() {
                    tracing::error!("the thread that prepares log segments panicked");
                }
            };
            std::thread::Builder::new().name("log-writer".to_owned()).spawn(run)?;
            backend
        }
    };
    Ok(Opened { shared, recovered, backend })
}
