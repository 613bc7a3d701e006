"""The Dockerfile is right as far as a parser can tell; `nox -s image` does what it says."""

import re
from pathlib import Path

import pytest

from tests.release.sessions import project
from tests.support.processes import ROOT
from tools.run_dockerfile import Image, Instruction, context, stages

TEXT = (ROOT / "Dockerfile").read_text("utf-8")
BUILD, FINAL = stages(TEXT)
FILES = list(context(ROOT, (ROOT / ".dockerignore").read_text("utf-8")))


def rest_of(word: str, stage: list[Instruction]) -> list[str]:
    return [one.rest for one in stage if one.word == word]


def test_both_stages_are_of_a_python_that_is_tested() -> None:
    images = [stage[0].words[0] for stage in (BUILD, FINAL)]
    (version,) = {re.fullmatch(r"python:(3\.\d+)-slim", image)[1] for image in images}  # type: ignore[index]
    classifier = f"Programming Language :: Python :: {version}"
    assert classifier in project("taskq-server")["classifiers"]
    assert BUILD[0].words[1:] == ["AS", "build"]


def test_only_what_it_copies_is_sent_to_the_builder() -> None:
    sources = [ROOT / one.words[0] for one in BUILD if one.word == "COPY"]
    assert {source for source in sources if not source.exists()} == set()
    sent = {path.relative_to(ROOT).parts[0] for path in FILES}
    assert sent == {source.relative_to(ROOT).parts[0] for source in sources}
    assert not any("__pycache__" in path.parts for path in FILES)


def test_the_wheels_of_both_are_built_and_installed_in_the_tested_versions() -> None:
    runs = rest_of("RUN", BUILD)
    built = {
        found[1] for run in runs if (found := re.match(r"cd packages/(\S+) && hatchling", run))
    }
    assert built == {path.name for path in (ROOT / "packages").iterdir()}
    installs = [run for run in runs if " install " in run]
    assert len(installs) == 2
    assert all("-c requirements.txt" in run for run in installs)
    assert installs[-1].endswith("wheels/*.whl")


def test_the_final_stage_takes_the_environment_and_nothing_else() -> None:
    (copy,) = (one for one in FINAL if one.word == "COPY")
    assert (copy.stage, copy.words) == ("build", ["/opt/taskq", "/opt/taskq"])
    assert "PATH=/opt/taskq/bin:$PATH" in rest_of("ENV", FINAL)[0]
    assert [run.split()[0] for run in rest_of("RUN", FINAL)] == ["useradd"]


def test_it_runs_taskq_server_and_not_as_root() -> None:
    words = [one.word for one in FINAL]
    (user,) = rest_of("USER", FINAL)
    assert int(user) > 0
    assert f"--uid {user} " in rest_of("RUN", FINAL)[0]
    assert words.index("USER") < words.index("ENTRYPOINT")
    (entry,) = rest_of("ENTRYPOINT", FINAL)
    (script,) = project("taskq-server")["scripts"]
    assert entry == f'["{script}"]', "in the form that gets the signals"


def test_the_instructions_are_done_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "base" / "src").mkdir(parents=True)
    source = tmp_path / "base" / "src" / "tool"
    source.write_text("#!/bin/sh\necho from $PWD\n")
    source.chmod(0o755)
    text = (
        "FROM a AS build\nWORKDIR /build\nCOPY src/ code/\n"
        "RUN mkdir -p /opt/bin && \\\n    cp code/tool /opt/bin/\n"
        "# a comment\nFROM b\nRUN useradd nobody-at-all\nCOPY --from=build /opt /opt\n"
        "ENV PATH=/opt/bin:$PATH\nWORKDIR /srv\n"
    )
    root = tmp_path / "root"
    root.mkdir()
    image = Image.of(text, root, [source], tmp_path / "base")
    assert image.run("tool") == f"from {root}/srv\n"
    with pytest.raises(FileNotFoundError, match="COPY other/"):
        Image.of("FROM a\nCOPY other/ x/\n", root, [source], tmp_path / "base")


def test_what_is_ignored_is_not_copied(tmp_path: Path) -> None:
    for name in ("secret", "packages/a.py", "packages/__pycache__/a.pyc"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    assert list(context(tmp_path, "# why\n*\n!packages\n")) == [tmp_path / "packages" / "a.py"]
    with pytest.raises(ValueError, match="first line"):
        list(context(tmp_path, "secret\n"))
