"""The command `taskq`."""

import sys

try:
    from taskq_client.cli.command import main
except KeyboardInterrupt:  # these imports are most of the time that a short run takes
    sys.exit(130)

__all__ = ["main"]
