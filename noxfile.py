"""Every task of the project; `python3 -m nox -l` lists them.

`demo` and `tests` need nothing but pip, nox and Python 3.11 or later. Each session installs the built package
into an environment of its own, so what is tested is what a user would get, not what happens to lie in the
checkout.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import nox
from packaging.requirements import Requirement

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["tests", "typing", "lint", "coverage", "examples", "package"]

PROJECT = nox.project.load_toml("pyproject.toml")
NAME: str = PROJECT["project"]["name"]
VERSIONS = nox.project.python_versions(PROJECT)
# One long test must not keep the other processors waiting: whoever is done takes over some of what is left.
EVERY_PROCESSOR = ["--numprocesses=auto", "--dist=worksteal"]
CHECKED = ["mentra_trio", "tests", "examples", "bench", "noxfile.py"]
EXAMPLES = sorted(Path("examples").glob("*.py"))

# flake8-async reads no configuration file. All its rules are on, also the 900s, which are off by default:
# generators that outlive their scope (900), a checkpoint on every path (910, 911), loops that cannot be
# cancelled (912, 913). Tests and benchmarks leave out 910 and 911: nobody loops over a test function, so
# nothing starves when one returns early.
ASYNC_RULES = ["--enable=ASYNC", "--disable="]
ASYNC_RULES_FOR_TESTS = ["--enable=ASYNC", "--disable=ASYNC910,ASYNC911"]
FILES_AT_ONCE = 20  # of which all are read again when one has changed


CHECK_INSTALLED = """
import importlib.metadata, importlib.resources, sys
import mentra_trio
name, = sys.argv[1:]
metadata = importlib.metadata.metadata(name)
assert metadata["Version"] == mentra_trio.__version__, metadata["Version"]
assert metadata["License-Expression"] == "MIT", metadata["License-Expression"]
assert metadata["Requires-Python"] == ">=3.11", metadata["Requires-Python"]
assert metadata.get_payload().startswith("# mentra_trio"), "the README is not the description"
assert importlib.resources.files("mentra_trio").joinpath("py.typed").is_file(), "py.typed is missing"
scripts = importlib.metadata.entry_points(group="console_scripts")
assert scripts[name].load() is not None
missing = [text for text in mentra_trio.__all__ if not hasattr(mentra_trio, text)]
assert not missing, missing
"""


def group(*names: str) -> list[str]:
    """Requirements of dependency groups of `pyproject.toml`."""
    return list(nox.project.dependency_groups(PROJECT, *names))


def find_python(version: str) -> str | None:
    """Path of a Python of this version that starts, or `None`.

    pyenv's own folders come first: its launcher on the search path refuses to start a version that is
    installed but not selected.
    """
    name = f"python{version}"
    found = [str(path) for path in Path.home().glob(f".pyenv/versions/{version}.*/bin/{name}")]
    if on_path := shutil.which(name):
        found.append(on_path)
    for path in found:
        if subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
            return path
    return None


def oldest(requirements: Iterable[str]) -> list[str]:
    """Pin each requirement to its lower bound."""
    pins: list[str] = []
    for text in requirements:
        requirement = Requirement(text)
        if requirement.name == NAME:  # an extra made of other extras
            continue
        lower = next(clause.version for clause in requirement.specifier if clause.operator == ">=")
        pins.append(f"{requirement.name}=={lower}")
    return pins


def python_files(*roots: str) -> list[str]:
    """Every Python file below these folders."""
    return [str(path) for root in roots for path in sorted(Path(root).rglob("*.py"))]


def async_files(*roots: str) -> list[str]:
    """Every file in which flake8-async could find anything; it takes its time for each."""
    return [
        path for path in python_files(*roots) if re.search(r"\b(async|await|trio)\b", Path(path).read_text("utf-8"))
    ]


def run_tests(session: nox.Session, *options: str, pins: Iterable[str] = ()) -> None:
    """Run the whole suite on every processor, or what is asked for after `--`, against the installed package."""
    session.install(".", *group("test"), *pins)
    # Safe: keeps the checkout off the import path, also in the programs that tests start.
    session.run("pytest", *(session.posargs or EVERY_PROCESSOR), *options, env={"PYTHONSAFEPATH": "1"})


def require(session: nox.Session, archive: Path, names: Iterable[str], wanted: Iterable[str]) -> None:
    """Fail the session when an archive lacks one of the wanted files."""
    missing = sorted(name for name in set(wanted) - set(names) if "__pycache__" not in name)
    if missing:
        session.error(f"{archive.name} lacks {', '.join(missing)}")


@nox.session
def demo(session: nox.Session) -> None:
    """Speak to an app on simulated glasses; without a terminal, play the example's script."""
    session.install(".")
    command = ["mentra-trio", "dev", "examples/hello_glasses.py"]
    if session.interactive and sys.stdout.isatty():
        # Ctrl-C reaches the app too: leave it the time to close its session.
        session.run(*command, *session.posargs, interrupt_timeout=10.0, terminate_timeout=5.0)
    else:
        session.run(*command, "--script", "examples/hello_glasses.script", "--plain", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests on the Python that runs nox. Arguments after `--` go to pytest."""
    run_tests(session)


@nox.session
def soak(session: nox.Session) -> None:
    """Try the random tests and the storms much harder, for about half an hour. Arguments after `--` go to pytest.

    A failure prints the script that found it, and a line that makes `nox -s tests` find it again.
    """
    session.install(".", *group("test"))
    session.run(
        "python",
        "-m",
        "pytest",
        "--hypothesis-profile=soak",
        "--hypothesis-show-statistics",
        "--capture=no",  # it tells how far it is
        "--override-ini=faulthandler_timeout=0",  # a single test takes minutes
        "-v",
        *(session.posargs or ["tests/machine", "tests/storms", "tests/protocol/test_session_machine.py"]),
        env={"PYTHONSAFEPATH": "1"},
    )


def tests_on(version: str) -> None:
    """Register `tests-<version>`; where that Python is missing the session is skipped, not an error."""
    python = find_python(version)

    def versioned(session: nox.Session) -> None:
        if python is None:
            session.skip(f"no Python {version} that starts was found")
        run_tests(session)

    versioned.__doc__ = f"Run the tests on Python {version}."
    if python is None:
        nox.session(name=f"tests-{version}", venv_backend="none")(versioned)
    else:
        nox.session(name=f"tests-{version}", python=python)(versioned)


for supported in VERSIONS:
    tests_on(supported)


@nox.session(python=find_python(VERSIONS[0]))
def minimums(session: nox.Session) -> None:
    """Run the tests with the oldest dependencies that `pyproject.toml` allows, on the oldest Python."""
    project = PROJECT["project"]
    extras = [text for texts in project["optional-dependencies"].values() for text in texts]
    run_tests(session, pins=oldest([*project["dependencies"], *extras]))


@nox.session
def typing(session: nox.Session) -> None:
    """Check types with mypy and pyright, both strict."""
    session.install(".", *group("test", "typing"))
    session.run("mypy", *CHECKED)
    session.run("pyright")


def check_async(session: nox.Session, rules: list[str], files: list[str]) -> None:
    """Run flake8-async on files that it has not found clean before: it needs minutes for all, and reads nothing else.

    What it found clean is noted by content in nox's cache.
    """
    show = "import flake8_async; print(flake8_async.__version__)"
    version = session.run("python", "-c", show, silent=True, log=False)
    notes = session.cache_dir / "lint"
    notes.mkdir(parents=True, exist_ok=True)
    for start in range(0, len(files), FILES_AT_ONCE):
        some = files[start : start + FILES_AT_ONCE]
        read = hashlib.sha256(repr((version, rules, [Path(path).read_bytes() for path in some])).encode())
        note = notes / read.hexdigest()
        if not note.exists():
            session.run("flake8-async", *rules, *some)
            note.touch()


@nox.session
def lint(session: nox.Session) -> None:
    """Check style (ruff), formatting (ruff) and cancellation safety (flake8-async)."""
    session.install(*group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    check_async(session, ASYNC_RULES, [*async_files("mentra_trio", "examples"), "noxfile.py"])
    check_async(session, ASYNC_RULES_FOR_TESTS, async_files("tests", "bench"))


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the tests once more, measured, and hold what they reach against the agreed line.

    Apart from `tests`, because measuring branches makes them take more than twice as long. Crowds and random worlds
    are left out: they run through the same lines as the others, millions of times.
    """
    crowds = ["--ignore=tests/machine", "--ignore=tests/storms"]
    run_tests(session, *crowds, "--cov", "--cov-branch", "--cov-report=", "--cov-fail-under=0")
    session.run("coverage", "report")


@nox.session
def examples(session: nox.Session) -> None:
    """Play every example's script against the simulator."""
    session.install(".[audio]")
    for example in EXAMPLES:
        session.run("mentra-trio", "dev", str(example), "--script", str(example.with_suffix(".script")), "--plain")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure speed and memory beside the reference SDK, where npm can install it; `-- --quick` for a first look."""
    session.install(".")
    reference = Path(session.create_tmp()) / "reference"
    session.run("python", "-m", "bench", "--reference", str(reference), *session.posargs)


@nox.session
def package(session: nox.Session) -> None:
    """Build both distributions, check what is in them, and use the wheel in an empty environment."""
    session.install(*group("package"))
    work = Path(session.create_tmp())
    shutil.rmtree(work / "dist", ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(work / "dist"))
    (wheel,) = (work / "dist").glob("*.whl")
    (sdist,) = (work / "dist").glob("*.tar.gz")

    modules = python_files("mentra_trio")
    with zipfile.ZipFile(wheel) as archive:
        require(session, wheel, archive.namelist(), [*modules, "mentra_trio/py.typed"])
    with tarfile.open(sdist) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    documents = [str(path) for root in ("docs", "examples", "bench/reference") for path in Path(root).rglob("*.*")]
    vectors = [str(path) for path in Path("tests/vectors").rglob("*.*")]
    others = ["LICENSE", "README.md", "CHANGELOG.md", "noxfile.py", "pyproject.toml"]
    require(session, sdist, names, [*modules, *documents, *vectors, *others, *python_files("tests", "bench")])

    clean = work / "clean"
    session.run(sys.executable, "-m", "virtualenv", "--clear", "--quiet", str(clean), external=True)
    programs = os.pathsep.join(str(clean / folder) for folder in ("bin", "Scripts"))
    python = shutil.which("python", path=programs) or session.error("the clean environment has no Python")
    session.run(python, "-m", "pip", "install", "--quiet", str(wheel), external=True)
    # Isolated, so that the checkout in the working folder is not what gets imported.
    session.run(python, "-I", "-c", CHECK_INSTALLED, NAME, external=True)
    script = shutil.which(NAME, path=programs) or session.error(f"the wheel brought no program {NAME}")
    session.run(script, "--help", external=True, silent=True)
