"""Get PostgreSQL for the benchmarks: `python -m benchmarks.get_postgres FOLDER`."""

import subprocess
import sys
from pathlib import Path

from benchmarks.postgres import programs
from tests.support.debian import provide
from tests.support.servers import MissingServerError

if __name__ == "__main__":
    folder = Path(sys.argv[1]).absolute()
    try:
        print(f"PostgreSQL is here: {programs(folder)}")
    except MissingServerError as missing:
        try:
            provide(["postgresql"], folder)
        except (OSError, subprocess.CalledProcessError) as error:
            sys.exit(f"{missing} ({error})")
        print(f"PostgreSQL was installed: {programs(folder)}")
