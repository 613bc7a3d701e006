"""Help, and words that the command line does not know: a sentence and status 2."""

import re
import subprocess
import sys

import click
import pytest

from taskq_server.cli import cli
from taskq_server.core.config import Settings
from tests.unit.server.cli.screen_files import compare, shown


def run(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "taskq_server", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "words",
    [["--nope"], ["nope"], ["dev", "--nope"], ["api", "--port", "x"], ["db", "nope"], ["db", "-z"]],
)
def test_wrong_words_are_one_sentence(words: list[str]) -> None:
    done = run(*words)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2
    assert line.startswith("taskq-server: ")
    assert "--help`)" in line


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["dve"], "did you mean dev?"),
        (["wroker"], "did you mean worker?"),
        (["db", "upgrde"], "did you mean upgrade?"),
        (["xyz"], "there are api, check, db,"),
        (["db", "xyz"], "there are check, current,"),
        (["dev", "--hanlders", "x"], "--handlers"),
    ],
)
def test_a_misspelt_word_is_told_what_was_meant(words: list[str], meant: str) -> None:
    assert meant in shown(*words).stderr


def test_no_words_show_the_help() -> None:
    done = run()
    assert done.returncode == 2
    assert "Usage: taskq-server" in done.stderr


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize(
    "command",
    ["", "api", "check", "db", "dev", "handlers", "keys", "namespaces", "settings", "worker"],
)
def test_help_fits_the_terminal(command: str, columns: int) -> None:
    done = shown(*filter(None, [command, "-h"]), columns=columns)
    assert (done.exit_code, done.stderr) == (0, "")
    compare(done.stdout, f"help-{command or 'taskq-server'}", columns)
    assert "..." not in done.stdout.partition("Commands:")[2]


def test_options_name_their_variables_and_true_defaults() -> None:
    described = 0
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        for option in command.params:
            if isinstance(option, click.Option) and option.name in Settings.model_fields:
                notes = re.search(r"\[env: (\w+)(?:, default: (.+))?\]$", option.help or "")
                assert notes is not None, (name, option.name)
                assert notes[1] == f"TASKQ_{option.name.upper()}"
                field = Settings.model_fields[option.name].default
                shown = ",".join(map(str, field)) if isinstance(field, tuple) else str(field)
                assert notes[2] == (shown if field and field is not True else None)
                described += 1
    assert described > 10
