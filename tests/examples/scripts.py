"""Running Python scripts as their readers do."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.processes import ROOT, environment


def import_path(modules: Path) -> str:
    """Where blocks import from: the modules of all pages, and the repository."""
    return os.pathsep.join([str(modules), environment({})["PYTHONPATH"]])


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
