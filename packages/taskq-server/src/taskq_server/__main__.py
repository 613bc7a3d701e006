"""`python -m taskq_server` is `taskq-server`."""

import sys
from importlib import import_module

from taskq_server.core.safe_path import leave_current_folder_out
from taskq_server.core.streams import open_closed_streams

try:
    open_closed_streams()
    leave_current_folder_out()  # before anything is imported that is not Python's or ours
    import_module("taskq_server.cli").main()
except KeyboardInterrupt:  # Ctrl-C before a command handles signals
    sys.exit(130)
