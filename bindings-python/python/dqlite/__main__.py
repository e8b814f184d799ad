"""The command ``dqlite``: ``python -m dqlite``."""

from __future__ import annotations

import signal
import sys


def main() -> int:
    """Runs the command with the arguments of this process; gives its exit status."""
    from . import _native

    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    # Python's handler waits for the interpreter, which the command does not come back to.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.stdout.flush()
    return _native.main(["dqlite", *sys.argv[1:]], [sys.executable, "-m", "dqlite"])


if __name__ == "__main__":
    sys.exit(main())
