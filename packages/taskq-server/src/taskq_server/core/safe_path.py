"""Keep the current folder out of Python's search path, because other users may put files there."""

import os
import sys


def leave_current_folder_out() -> None:
    """Start this program again with `-P`, unless it runs with `-P` already.

    `python -m` and `-c` put the current folder before all installed packages. `multiprocessing`
    passes `-P` on to its servers and processes, which start with `-c`.
    """
    if not sys.flags.safe_path:
        os.execv(sys.executable, [sys.executable, "-P", *sys.orig_argv[1:]])
