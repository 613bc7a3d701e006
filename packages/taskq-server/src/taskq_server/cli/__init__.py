"""The command line: one module for each command or group, imported on first use."""

import sys

try:
    from taskq_server.cli.command import cli, main
except KeyboardInterrupt:  # Ctrl-C while the process still starts
    sys.exit(130)

__all__ = ["cli", "main"]
