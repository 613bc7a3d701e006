"""The example about traces has its own server, and shows one unbroken trace."""

from pathlib import Path

from tests.examples.documents import said_output
from tests.examples.scripts import run_script
from tests.support.processes import ROOT

TRACES = ROOT / "examples" / "12_traces.py"


def test_the_example_about_traces_prints_what_it_says(tmp_path: Path) -> None:
    other = {"TASKQ_DATABASE_URL": "mysql+asyncmy://production/taskq", "TMPDIR": str(tmp_path)}
    done = run_script(["-W", "error", str(TRACES)], other, timeout=280)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == said_output(TRACES.read_text(encoding="utf-8"))
    assert list(tmp_path.iterdir()) == []
