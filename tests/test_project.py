"""What the repository promises about itself: version, README, files."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import mentra_trio

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
DEMO = "python3 -m pip install nox && python3 -m nox -s demo"
TESTS = "python3 -m pip install nox && python3 -m nox -s tests"

# Written in pieces, so that this file does not hold what it looks for.
REGISTRY_HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("proxy", "golang", "org"),
        ("crates", "io"),
        ("ghcr", "io"),
        ("docker", "io"),
    )
)
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:root|home|work|tmp|Users)/\w")
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|NotImplementedError)\b")


def tracked_files() -> Iterator[Path]:
    """Files under version control, the recordings left out; in an unpacked source distribution, all files."""
    if (ROOT / ".git").exists():
        listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
        paths = (ROOT / name for name in listing.stdout.split("\0") if name)
    else:
        paths = (path for path in ROOT.rglob("*") if not any(part.startswith(".") for part in path.parts))
    for path in paths:
        if path.is_file() and ROOT / "tests" / "vectors" not in path.parents and path.suffix not in (".pyc", ".png"):
            yield path


def found(pattern: re.Pattern[str], paths: Iterator[Path]) -> list[str]:
    """`file:line: text` of every line that matches."""
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in paths
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if pattern.search(line)
    ]


def code_blocks(language: str = "") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_version_is_stated_once_and_has_a_changelog_entry() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

    assert re.fullmatch(r"\d+\.\d+\.\d+", mentra_trio.__version__)
    assert project["project"]["dynamic"] == ["version"]
    assert f"\n## [{mentra_trio.__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


@pytest.mark.parametrize("command", [DEMO, TESTS])
def test_the_readme_gives_the_two_commands_before_anything_else(command: str) -> None:
    assert f"{command}\n" in code_blocks()[:2]


def test_the_readme_shows_the_first_example_verbatim() -> None:
    assert code_blocks("python")[0] == (ROOT / "examples" / "hello_glasses.py").read_text("utf-8")


def test_every_python_block_of_the_readme_compiles() -> None:
    for block in code_blocks("python"):
        # Fragments use `await`, which stands inside the app's handler.
        compile(
            "async def handler():\n" + "".join(f"    {line}\n" for line in block.splitlines()),
            "README.md",
            "exec",
        )


def test_links_of_the_documents_lead_somewhere() -> None:
    broken = [
        f"{document.relative_to(ROOT)}: {target}"
        for document in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", document.read_text("utf-8"))
        if not (document.parent / target).exists()
    ]

    assert broken == []


def test_every_requirement_has_a_lower_bound_and_no_upper_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    own = re.compile(r"mentra-trio\[\w+\]")

    requirements = [*project["dependencies"], *(text for texts in extras.values() for text in texts)]

    assert [
        text for text in requirements if not re.fullmatch(r"[\w-]+>=[\d.]+", text) and not own.fullmatch(text)
    ] == []


def test_the_extra_named_all_is_the_union_of_the_others() -> None:
    extras: dict[str, list[str]]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]

    assert sorted(extras["all"]) == sorted(f"mentra-trio[{name}]" for name in extras if name != "all")


def test_no_file_names_a_host_of_a_package_registry() -> None:
    pattern = re.compile("|".join(map(re.escape, REGISTRY_HOSTS)))

    assert found(pattern, tracked_files()) == []


def test_no_file_holds_a_path_of_a_machine() -> None:
    here = Path(__file__)

    assert found(MACHINE_PATH, (path for path in tracked_files() if path != here)) == []


def test_nothing_in_the_package_is_unfinished() -> None:
    assert found(UNFINISHED, (ROOT / "mentra_trio").rglob("*.py")) == []


@pytest.mark.parametrize("folder", ["cloud", "display", "wire"])
def test_the_recordings_are_there(folder: str) -> None:
    recordings = ROOT / "tests" / "vectors" / folder

    assert (recordings / "README.md").is_file()
    assert len(list(recordings.glob("*.json"))) >= 11


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_the_protocol_books_are_there(number: int) -> None:
    (book,) = (ROOT / "docs" / "protocol").glob(f"{number}-*.md")

    assert "\n## " in book.read_text("utf-8")


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(mentra_trio.__file__).parent / "py.typed").is_file()


def test_every_line_that_is_not_measured_says_why() -> None:
    files = (ROOT / "mentra_trio").rglob("*.py")
    marks = [line.partition("# pragma: no ")[2] for path in files for line in path.read_text("utf-8").splitlines()]

    assert [mark for mark in marks if mark and not re.match(r"(cover|branch) - \w", mark)] == []
