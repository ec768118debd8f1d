"""What the package makes public: a change of these lists is a change for its users."""

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import attrs
import pytest

import mentra_trio
from mentra_trio import errors, managers, models

PACKAGE = Path(mentra_trio.__file__).parent

PUBLIC = [
    "AudioChunk",
    "AudioFormat",
    "ButtonPress",
    "CalendarEvent",
    "Capabilities",
    "CloudRefusedError",
    "ConfigError",
    "DeviceState",
    "DeviceUnavailableError",
    "Dismissal",
    "EventStream",
    "Gap",
    "Gesture",
    "HeadMove",
    "HeadPosition",
    "Latest",
    "LedColor",
    "LedError",
    "LinkDownError",
    "LinkState",
    "LocationAccuracy",
    "LocationFix",
    "MentraError",
    "MentraSession",
    "MiniAppServer",
    "Notification",
    "Permission",
    "PermissionDeniedError",
    "Permissions",
    "PhotoError",
    "Playback",
    "PlaybackError",
    "PressType",
    "RawEvent",
    "RawMessage",
    "Recording",
    "RequestTimedOutError",
    "RestartPolicy",
    "SessionClosedError",
    "SessionConfig",
    "SessionStatistics",
    "SettingChange",
    "SlowConsumerError",
    "StopKind",
    "StopReason",
    "StorageError",
    "StreamError",
    "SystemSettings",
    "TouchEvent",
    "Transcript",
    "Translation",
    "VoiceActivity",
    "VoiceSettings",
    "__version__",
]
MODELS = [
    "AudioChunk",
    "AudioFormat",
    "AudioOptions",
    "BatteryReport",
    "BitmapView",
    "Button",
    "ButtonCapabilities",
    "ButtonPress",
    "CalendarEvent",
    "CameraCapabilities",
    "Capabilities",
    "ClearView",
    "DeviceState",
    "Dismissal",
    "DisplayCapabilities",
    "DoubleTextWall",
    "ExistingVideo",
    "FieldOfView",
    "FovPosition",
    "Gesture",
    "HeadMove",
    "HeadPosition",
    "Hotspot",
    "ImuCapabilities",
    "KNOWN_GLASSES",
    "Layout",
    "LedColor",
    "Light",
    "LightCapabilities",
    "LinkState",
    "LocationAccuracy",
    "LocationFix",
    "MicrophoneCapabilities",
    "Notification",
    "Permission",
    "PermissionRefusal",
    "Permissions",
    "Photo",
    "PhotoCompression",
    "PhotoForwarded",
    "PhotoSize",
    "Playback",
    "PowerCapabilities",
    "PressType",
    "Priority",
    "RawEvent",
    "RawMessage",
    "Recording",
    "ReferenceCard",
    "Resolution",
    "RestreamTarget",
    "SettingChange",
    "SpeakerCapabilities",
    "StopKind",
    "StopReason",
    "SystemSettings",
    "TextWall",
    "TouchEvent",
    "Transcript",
    "Translation",
    "VideoCapabilities",
    "VideoOptions",
    "VideoState",
    "VideoStatus",
    "VideoUrls",
    "VoiceActivity",
    "VoiceSettings",
    "Wifi",
]


def names_without_modules(module: ModuleType) -> list[str]:
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not inspect.ismodule(value) and name != "annotations"
    )


def test_the_public_names_are_these_and_sorted() -> None:
    assert mentra_trio.__all__ == PUBLIC
    assert sorted(PUBLIC) == PUBLIC


def test_every_public_name_is_there_and_nothing_else() -> None:
    assert names_without_modules(mentra_trio) == PUBLIC[:-1]
    assert isinstance(mentra_trio.__version__, str)


def test_the_public_models_are_these() -> None:
    assert names_without_modules(models) == MODELS


def test_a_star_import_gives_the_public_names() -> None:
    namespace: dict[str, object] = {}
    exec("from mentra_trio import *", namespace)
    del namespace["__builtins__"]

    assert sorted(namespace) == PUBLIC


def test_the_public_names_are_exported_explicitly() -> None:
    """`import X as X`: what the type checkers take for an export."""
    for path in (PACKAGE / "__init__.py", PACKAGE / "models" / "__init__.py"):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ImportFrom):
                assert [alias.asname for alias in node.names] == [alias.name for alias in node.names], path


def modules() -> Iterator[ModuleType]:
    yield mentra_trio
    for info in pkgutil.walk_packages([str(PACKAGE)], "mentra_trio."):
        if not info.name.endswith("__main__"):
            yield importlib.import_module(info.name)


def test_every_module_begins_with_what_it_is() -> None:
    missing = [module.__name__ for module in modules() if not (module.__doc__ or "").strip()]

    assert missing == []


def public_classes() -> list[type]:
    """Every class that a user can meet: exported ones, models, errors, and what their attributes are made of."""
    found: dict[type, None] = {}
    queue = [value for name in PUBLIC if isinstance(value := getattr(mentra_trio, name), type)]
    queue += [value for name in MODELS if isinstance(value := getattr(models, name), type)]
    queue += [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if cls.__module__ == errors.__name__]
    for info in pkgutil.iter_modules(managers.__path__, "mentra_trio.managers."):
        module = importlib.import_module(info.name)
        queue += [
            cls
            for _, cls in inspect.getmembers(module, inspect.isclass)
            if cls.__module__ == module.__name__ and not cls.__name__.startswith("_")
        ]
    for cls in queue:
        found.setdefault(cls)
    return list(found)


def docs_of_members(cls: type) -> list[tuple[str, str]]:
    """Name and documentation of the public methods and properties that the class itself defines."""
    return [
        (name, (inspect.getdoc(getattr(cls, name)) or "").strip())
        for name, member in vars(cls).items()
        if not name.startswith("_") and (callable(member) or isinstance(member, property))
    ]


@pytest.mark.parametrize("cls", public_classes(), ids=lambda cls: cls.__name__)
def test_every_public_class_and_method_says_what_it_does(cls: type) -> None:
    assert (cls.__doc__ or "").strip(), cls
    undocumented = [f"{cls.__name__}.{name}" for name, doc in docs_of_members(cls) if not doc]

    assert undocumented == []


@pytest.mark.parametrize("cls", public_classes(), ids=lambda cls: cls.__name__)
def test_the_first_line_of_a_docstring_is_a_sentence(cls: type) -> None:
    docs = [cls.__doc__ or "", *(doc for _, doc in docs_of_members(cls))]

    for doc in docs:
        first = inspect.cleandoc(doc).split("\n\n")[0]
        assert first[0].isupper() or first[0] in "`0123456789", first
        assert first.rstrip().endswith((".", ":")), first


def test_no_manager_shows_its_insides() -> None:
    """A link holds all that a session knows: whoever prints `session.device` would get pages, and a wearer's data."""
    found = [cls for cls in public_classes() if cls.__module__.startswith("mentra_trio.managers.")]
    found = [cls for cls in found if attrs.has(cls) and "_link" in {field.name for field in attrs.fields(cls)}]

    assert len(found) >= 6
    assert [cls.__name__ for cls in found if "__repr__" in vars(cls)] == []


@pytest.mark.parametrize("cls", public_classes(), ids=lambda cls: cls.__name__)
def test_the_first_line_of_a_docstring_needs_no_book_beside_it(cls: type) -> None:
    """Sources such as `P1 2.6` come below it: `Protocol: P1 2.6.`"""
    for doc in (inspect.getdoc(cls) or "", *(doc for _, doc in docs_of_members(cls))):
        assert not re.search(r"\b[PDT]\d", doc.partition("\n")[0]), doc


def test_every_field_of_what_users_receive_says_what_it_means() -> None:
    """Docs of fields stand under them as a string, which only the source tells. Groups of flags say it by name."""
    told_by_their_names = {"Resolution", "TextWall"} | {name for name in MODELS if name.endswith("Capabilities")}
    told_by_their_names |= {"Button", "Light", "FieldOfView", "DoubleTextWall", "ReferenceCard"}
    missing: list[str] = []
    for path in (PACKAGE / "models").glob("*.py"):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and node.name not in told_by_their_names:
                for field, after in zip(node.body, [*node.body[1:], None], strict=True):
                    is_told = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                    if isinstance(field, ast.AnnAssign) and not is_told:
                        missing.append(f"{node.name}.{ast.unparse(field.target)}")

    assert missing == []


def test_values_that_users_make_are_made_by_name() -> None:
    for cls in (mentra_trio.RestartPolicy, mentra_trio.SessionConfig):
        assert all(field.kw_only for field in attrs.fields(cls))
