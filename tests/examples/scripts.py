"""Running Python scripts as their readers do."""

import subprocess
import sys

from tests.support.processes import ROOT, environment


def run_script(
    arguments: list[str], settings: dict[str, str], timeout: float = 200
) -> subprocess.CompletedProcess[str]:
    """Run a Python script to its end."""
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment(settings),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
