"""What users write is well typed and their mistakes are found, by mypy and pyright, strictly."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
FILES = sorted(path for path in FOLDER.glob("*.py") if path.name != Path(__file__).name)
GOOD = [path for path in FILES if path.name != "wrong.py"]
WRONG = FOLDER / "wrong.py"


def mypy(folder: Path) -> set[tuple[str, int]]:
    """File and line of each error that mypy finds."""
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", str(folder / "none.ini")]
    (folder / "none.ini").write_text("[mypy]\n")
    done = subprocess.run(
        [*command, "--cache-dir", str(folder), *map(str, FILES)],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found = re.findall(r"(\w+\.py):(\d+): error", done.stdout)
    return {(name, int(line)) for name, line in found}


def pyright(folder: Path) -> set[tuple[str, int]]:
    """File and line of each error that pyright finds; the build that is whole on PyPI."""
    settings = {"include": [str(FOLDER)], "typeCheckingMode": "strict"}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "-p", str(folder)]
    done = subprocess.run(
        [*command, "--pythonpath", sys.executable], capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["summary"]["filesAnalyzed"] > len(FILES)
    return {
        (Path(one["file"]).name, one["range"]["start"]["line"] + 1)
        for one in found["generalDiagnostics"]
        if one["severity"] == "error" and Path(one["file"]) in FILES
    }


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_what_is_right_passes_and_what_is_wrong_is_found(checker, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    found = checker(tmp_path)
    assert {name for name, _ in found} <= {WRONG.name}
    lines = WRONG.read_text(encoding="utf-8").splitlines()
    wrong = {(WRONG.name, number) for number, line in enumerate(lines, 1) if "# error" in line}
    assert len(wrong) == 33
    assert wrong <= found
