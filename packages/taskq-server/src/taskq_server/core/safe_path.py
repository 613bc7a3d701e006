"""Python's search path without the current folder, whoever may put files there."""

import os
import sys


def leave_current_folder_out() -> None:
    """Start this program again with `-P`, unless it has that.

    `python -m` and `-c` put the current folder before everything that is installed.
    `multiprocessing` hands `-P` on to its servers and processes, which start with `-c`.
    """
    if not sys.flags.safe_path:
        os.execv(sys.executable, [sys.executable, "-P", *sys.orig_argv[1:]])
