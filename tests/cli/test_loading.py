"""From what a developer writes to the app that is meant."""

import json
import sys
import textwrap
from pathlib import Path

import pytest
import trio

from mentra_trio import MiniAppServer
from mentra_trio.cli.loading import SAMPLES, AppError, AppName, load_app

HEAD = "from mentra_trio import MiniAppServer\n"
APP = f"{HEAD}app = MiniAppServer()\n"


pytestmark = pytest.mark.usefixtures("clean_process")


def write(name: str, text: str) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text), "utf-8")
    return name


def load(name: str) -> MiniAppServer:
    """Load an app where `mentra-trio dev` does it: inside a Trio run."""

    async def run() -> MiniAppServer:
        await trio.lowlevel.checkpoint()
        return load_app(name)

    return trio.run(run)


def fault(name: str) -> str:
    """What a developer reads instead of an app."""
    with pytest.raises(AppError) as caught:
        load(name)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("app.py", AppName("app.py", None)),
        ("a/b.py", AppName("a/b.py", None)),
        ("app.py:one", AppName("app.py", "one")),
        ("C:\\apps\\app.py", AppName("C:\\apps\\app.py", None)),
        ("C:\\apps\\app.py:one", AppName("C:\\apps\\app.py", "one")),
        ("package.module:one", AppName("package.module", "one")),
        ("package.module", AppName("package.module", None)),
        ("package.module:", AppName("package.module", None)),
    ],
)
def test_an_app_is_named_like_this(text: str, name: AppName) -> None:
    assert AppName.parse(text) == name


def test_the_one_app_of_a_file_is_found_and_its_main_block_left_alone() -> None:
    write("cities.py", f"{APP}if __name__ == '__main__':\n    raise SystemExit('ran')\n")

    app = load("cities.py")

    assert isinstance(app, MiniAppServer)
    assert sys.modules["cities"].app is app


def test_samples_stand_in_for_what_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACKAGE_NAME", "com.example.mine")
    monkeypatch.setenv("MENTRAOS_API_KEY", "")

    config = load(write("cities.py", APP)).config

    assert config.package_name == "com.example.mine"
    assert config.api_key == SAMPLES["MENTRAOS_API_KEY"]


def test_an_app_with_a_name_and_a_key_of_its_own_keeps_them() -> None:
    config = load(write("own.py", f"{HEAD}app = MiniAppServer('com.example.own', 'own-key', port=1)\n")).config

    assert (config.package_name, config.api_key) == ("com.example.own", "own-key")


def test_one_of_several_apps_is_chosen_by_name() -> None:
    write("two.py", f"{HEAD}one = MiniAppServer('com.example.one')\ntwo = MiniAppServer('com.example.two')\n")

    assert load("two.py:two").package_name == "com.example.two"
    assert load("two:one").package_name == "com.example.one"


def test_one_app_under_two_names_is_one() -> None:
    assert load(write("same.py", f"{APP}server = app\n")) is not None


def test_a_module_of_a_package_is_found_from_here() -> None:
    write("shop/__init__.py", "")
    write("shop/parts.py", APP)
    write("shop/main.py", "from .parts import app as app\n")

    assert load("shop.main:app") is sys.modules["shop.parts"].app
    assert load("shop.main") is sys.modules["shop.parts"].app


def test_a_file_may_import_what_lies_beside_it() -> None:
    write("deep/helper.py", "NAME = 'com.example.helped'\n")
    write("deep/main_app.py", f"{HEAD}import helper\napp = MiniAppServer(helper.NAME)\n")

    assert load("deep/main_app.py").package_name == "com.example.helped"


def test_a_file_that_is_called_like_a_module_of_python_takes_nothing_away() -> None:
    write("json.py", APP)

    assert load("json.py").package_name == SAMPLES["PACKAGE_NAME"]
    assert sys.modules["json"] is json


def test_classes_of_a_file_know_their_module() -> None:
    app = load(
        write(
            "classes.py",
            f"from __future__ import annotations\nimport dataclasses\n{APP}"
            "@dataclasses.dataclass\nclass City:\n    name: str\nCity.__init__.__annotations__\n",
        )
    )

    assert sys.modules["classes"].app is app


def test_a_missing_file_is_one_line() -> None:
    assert fault("nowhere.py") == "there is no file nowhere.py"
    assert fault("nowhere.py:app") == "there is no file nowhere.py"


def test_a_folder_is_no_file() -> None:
    Path("folder.py").mkdir()

    assert fault("folder.py") == "folder.py is not a file"
    assert fault(".") == ". is neither a file that ends in .py nor the name of a module"


def test_a_missing_module_is_one_line() -> None:
    write("cities.py", APP)

    assert fault("town:app") == "there is no module town here or on the import path"
    assert fault("cities.deep:app") == "there is no module cities.deep here or on the import path"
    assert "neither a file" in fault("odd name")


def test_a_module_that_misses_another_shows_where() -> None:
    write("needy.py", "import nowhere_to_be_found\n")

    for name in ("needy.py", "needy:app"):
        text = fault(name)
        assert 'needy.py", line 1' in text
        assert text.endswith("ModuleNotFoundError: No module named 'nowhere_to_be_found'")


def test_no_app_is_told() -> None:
    assert fault(write("none.py", "x = 1\n")) == (
        "none.py has no app; it needs a MiniAppServer at its top level, such as 'app = MiniAppServer()'"
    )


def test_several_apps_are_named_with_the_way_to_choose() -> None:
    assert fault(write("two.py", f"{APP}other = MiniAppServer()\n")) == (
        "two.py has several apps: app, other; choose one, such as mentra-trio dev two.py:app"
    )


def test_a_wrong_name_is_told_with_the_right_ones() -> None:
    write("cities.py", APP)
    write("none.py", "x = 1\n")

    assert fault("cities.py:ap") == "cities.py: ap does not exist; there is app"
    assert fault("cities.py:MiniAppServer") == "cities.py: MiniAppServer is not a MiniAppServer; there is app"
    assert fault("none.py:x") == "none.py: x is not a MiniAppServer; there is none at its top level"


def test_an_exception_on_import_is_shown_as_the_author_knows_it() -> None:
    write("broken.py", f"{HEAD}def f():\n    return 1 / 0\nf()\n")

    assert [line for line in (fault("broken.py")).splitlines() if "~" not in line] == [
        "Traceback (most recent call last):",
        f'  File "{Path("broken.py").resolve()}", line 4, in <module>',
        "    f()",
        f'  File "{Path("broken.py").resolve()}", line 3, in f',
        "    return 1 / 0",
        "ZeroDivisionError: division by zero",
    ]


def test_a_syntax_error_is_shown_without_a_traceback() -> None:
    lines = (fault(write("broken.py", "x = = 1\n"))).splitlines()

    assert lines[0] == f'  File "{Path("broken.py").resolve()}", line 1'
    assert lines[-1].startswith("SyntaxError: ")


def test_wrong_settings_are_shown_where_they_stand() -> None:
    text = fault(write("wrong.py", f"{HEAD}app = MiniAppServer('two words')\n"))

    assert text.splitlines()[1].endswith('wrong.py", line 2, in <module>')
    assert text.count("File ") == 1
    assert text.splitlines()[-1].startswith("mentra_trio.errors.ConfigError: package_name is 'two words'")


def test_an_app_that_runs_itself_on_import_is_told_what_to_do() -> None:
    text = fault(write("eager.py", f"{APP}@app.on_session\nasync def f(session): ...\napp.run()\n"))

    assert 'eager.py", line 5' in text
    assert "put it under 'if __name__ == \"__main__\":'" in text


def test_a_second_trio_run_on_import_is_told_what_to_do() -> None:
    text = fault(write("eager.py", "import trio\ntrio.run(trio.sleep, 0)\n"))

    assert 'eager.py", line 2' in text
    assert "what starts the app belongs under 'if __name__" in text


def test_an_exit_on_import_is_told() -> None:
    for name in ("leaver.py", "leaver:app"):
        write("leaver.py", "import sys\nsys.exit(0)\n")
        assert "calls sys.exit() on import" in fault(name)


def test_an_interruption_on_import_goes_on() -> None:
    write("slow.py", "raise KeyboardInterrupt\n")

    with pytest.raises(KeyboardInterrupt):
        load("slow.py")
