//! Every bound of the protocol, by name.

/// The largest body accepted unless the caller says otherwise, in bytes: room for a few values of
/// 100 MiB. Memory grows only as the bytes come. dqlite's Python client refuses to read more than
/// 64 MiB, which only a single row of that size can bring.
pub const BODY_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The largest body any peer can take, in bytes: the C server closes the connection above it.
pub const BODY_BYTES_ENCODABLE_MAX: usize = 0xffff_fff8;

/// Where a server should end a frame of rows and begin the next, in bytes.
pub const ROWS_FRAME_BYTES: usize = 64 * 1024;

/// The most columns a result can have: SQLite cannot be built for more.
pub const COLUMNS_MAX: usize = 32_767;

/// The longest message in a FAILURE, in bytes; longer ones are cut. Python's client refuses more.
pub const FAILURE_MESSAGE_BYTES_MAX: usize = 64 * 1024 - 1;

/// The longest parameter tuple of schema 0, in values.
pub const SHORT_TUPLE_PARAMS_MAX: usize = 255;

/// The most that one RUN may carry, counted in values: each parameter set, value and name is one.
pub const RUN_VALUES_MAX: usize = 16 << 20;

/// The most bytes of rows that a server puts into one batch, whatever a client asks for. A larger
/// row travels whole.
pub const BATCH_BYTES_MAX: u32 = 16 << 20;

/// The size of the pieces of a backup, in bytes.
pub const BACKUP_PIECE_BYTES: usize = 1 << 20;
