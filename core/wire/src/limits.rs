//! Every bound of the protocol, by name.

/// The largest body accepted unless the caller says otherwise, in bytes. Python's client refuses
/// larger frames, so a server should not send them either.
pub const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

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
