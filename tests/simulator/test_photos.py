"""The simulated camera: a correct app gets its photo, and each fault is the one of P3 5 and P3 7."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from mentra_trio import DeviceUnavailableError, MentraSession, MiniAppServer, PermissionDeniedError, PhotoError
from mentra_trio.errors import RequestTimedOutError
from mentra_trio.models import Photo
from mentra_trio.simulator import AsgiWebhooks, Cloud, InstalledApp, Mode, PhotoOutcome, User

from .apps import ALPHA, world

URL = "https://app.example.com"
PACKAGE = "com.example.app"
LIVE = "Mentra Live"


@asynccontextmanager
async def worn(
    *,
    model: str = LIVE,
    permissions: frozenset[str] = frozenset({"CAMERA"}),
    mode: Mode = Mode.STRICT,
    public_url: str = URL,
) -> AsyncGenerator[tuple[User, MentraSession], None]:
    """An app that runs on glasses, and its session."""
    sessions: list[MentraSession] = []
    server = MiniAppServer(PACKAGE, "key")

    @server.on_session
    async def handle(session: MentraSession) -> None:
        sessions.append(session)
        await trio.sleep_forever()

    cloud = Cloud(mode=mode, webhooks=AsgiWebhooks({URL: server.asgi}))
    async with cloud.running(), server.running(connector=cloud.connector):
        app = InstalledApp(package_name=PACKAGE, api_key="key", public_url=URL, permissions=permissions)
        cloud.install(app)
        user = cloud.user("ana@example.com", model=None)
        await user.connect()
        user.wear(model)
        assert (await user.start(PACKAGE)).succeeded
        await trio.testing.wait_all_tasks_blocked()
        cloud.install(InstalledApp(package_name=PACKAGE, api_key="key", public_url=public_url, permissions=permissions))
        yield user, sessions[0]


async def test_a_photo_arrives_over_the_apps_own_server(autojump_clock: MockClock) -> None:
    async with worn() as (user, session):
        user.glasses.camera.sees = b"\xff\xd8 a tree \xff\xd9"
        since = trio.current_time()
        photo = await session.camera.take_photo()

        assert photo.data == b"\xff\xd8 a tree \xff\xd9"
        assert photo.content_type == "image/jpeg"
        assert trio.current_time() - since == pytest.approx(user.glasses.camera.takes)
        await trio.testing.wait_all_tasks_blocked()
        (upload,) = user.glasses.camera.uploads
        assert (upload.request_id, upload.status, upload.url) == (photo.request_id, 200, f"{URL}/photo-upload")


async def test_the_phone_is_told_to_flash_and_nothing_of_a_gallery(autojump_clock: MockClock) -> None:
    """P1 of the checklist in P3 13."""
    async with worn() as (user, session):
        await session.camera.take_photo(exposure=0.01)
        asked = next(
            message.fields
            for message in user.phone_log
            if message.fields is not None and message.fields["type"] == "photo_request"
        )
        assert (asked["flash"], asked["sound"], asked["exposureTimeNs"]) == (True, True, 10_000_000)
        assert "saveToGallery" not in asked


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (PhotoOutcome.REFUSED, "BATTERY_LOW"),
        (PhotoOutcome.REPORTED, "BATTERY_LOW"),
        (PhotoOutcome.LOST, "UPLOAD_MISSING"),
    ],
)
async def test_a_photo_that_fails(autojump_clock: MockClock, outcome: PhotoOutcome, code: str) -> None:
    async with worn() as (user, session):
        camera = user.glasses.camera
        camera.outcome, camera.code = outcome, "BATTERY_LOW"
        with pytest.raises(PhotoError) as failed:
            await session.camera.take_photo()
        assert failed.value.code == code
        camera.outcome = PhotoOutcome.UPLOADED
        assert isinstance(await session.camera.take_photo(), Photo)


async def test_silence(autojump_clock: MockClock) -> None:
    async with worn() as (user, session):
        user.glasses.camera.outcome = PhotoOutcome.SILENT
        with pytest.raises(RequestTimedOutError):
            await session.camera.take_photo()


async def test_an_app_whose_public_address_leads_elsewhere_gets_no_photo(autojump_clock: MockClock) -> None:
    async with worn(public_url="https://old.example.com") as (user, session):
        with pytest.raises(PhotoError) as failed:
            await session.camera.take_photo()
        assert failed.value.code == "PHONE_UPLOAD_FAILED"
        assert user.glasses.camera.uploads[0].status is None


async def test_a_photo_survives_a_lost_connection(autojump_clock: MockClock) -> None:
    async with worn() as (user, session), trio.open_nursery() as nursery:
        photos: list[Photo] = []

        async def take() -> None:
            photos.append(await session.camera.take_photo())

        nursery.start_soon(take)
        await trio.sleep(0.5)
        user.socket(PACKAGE).cut()
        await trio.sleep(5)
        assert len(photos) == 1


async def test_without_the_permission_the_cloud_would_close_the_socket(autojump_clock: MockClock) -> None:
    async with worn(permissions=frozenset()) as (_, session):
        with pytest.raises(PermissionDeniedError) as denied:
            await session.camera.take_photo()
        assert denied.value.permission == "CAMERA"


async def test_glasses_that_are_away(autojump_clock: MockClock) -> None:
    async with worn() as (user, session):
        user.update_device(connected=False)
        await trio.sleep(1)
        with pytest.raises(DeviceUnavailableError, match="smart glasses are not connected"):
            await session.camera.take_photo()


async def test_a_phone_that_is_away(autojump_clock: MockClock) -> None:
    async with worn() as (user, session):
        user.disconnect()
        with pytest.raises(DeviceUnavailableError, match="phone is not connected"):
            await session.camera.take_photo()
        await trio.sleep(1)
        await session.camera.set_fov(92)  # nobody answers it; the cloud closes the socket
        await trio.sleep(1)
        assert session.connections == 3


@pytest.mark.parametrize("act", ["take_photo", "set_fov"])
async def test_glasses_without_a_camera(autojump_clock: MockClock, act: str) -> None:
    acts: dict[str, Callable[[MentraSession], Awaitable[object]]] = {
        "take_photo": lambda session: session.camera.take_photo(),
        "set_fov": lambda session: session.camera.set_fov(92),
    }
    async with worn(model="Even Realities G1") as (_, session):
        with pytest.raises(DeviceUnavailableError):
            await acts[act](session)


async def test_a_photo_can_go_to_another_server(autojump_clock: MockClock) -> None:
    async with worn() as (user, session):
        since = trio.current_time()
        forwarded = await session.camera.take_photo_to(f"{URL}/elsewhere", auth_token="s3cr3t")
        assert trio.current_time() == since
        await trio.sleep(3)
        (upload,) = user.glasses.camera.uploads
        assert (upload.request_id, upload.url, upload.status) == (forwarded.request_id, f"{URL}/elsewhere", 404)


async def test_the_field_of_view_reaches_the_glasses(autojump_clock: MockClock) -> None:
    async with worn() as (user, session):
        await session.camera.set_fov(92)
        await trio.sleep(0.1)
        assert user.glasses.camera.fov == 92


@pytest.mark.parametrize(
    ("outcome", "error"), [(PhotoOutcome.REPORTED, PhotoError), (PhotoOutcome.SILENT, RequestTimedOutError)]
)
async def test_p3_5_5_an_app_may_ask_again_though_the_cloud_heard_nothing(
    autojump_clock: MockClock, outcome: PhotoOutcome, error: type[Exception]
) -> None:
    async with worn(mode=Mode.FAITHFUL) as (user, session):
        camera = user.glasses.camera
        camera.outcome = outcome
        with pytest.raises(error):
            await session.camera.take_photo()
        await trio.testing.wait_all_tasks_blocked()
        camera.outcome = PhotoOutcome.UPLOADED
        assert isinstance(await session.camera.take_photo(), Photo)
        assert user.socket(PACKAGE)._cloud.violations == ()


async def test_what_a_correct_app_never_does_is_told(autojump_clock: MockClock) -> None:
    async with worn(mode=Mode.FAITHFUL) as (user, session):
        for _ in range(2):
            await session.raw.send("photo_request", requestId="one")
        await session.raw.send("photo_request", requestId="two")
        await session.raw.send("camera_fov_set", fov=85)
        await trio.sleep(1)
        socket = user.socket(PACKAGE)
        rules = [violation.rule for violation in socket._cloud.violations]
        assert rules == ["P3 5.2", "P3 5.5", "P3 7"]
        assert session.connections == 2


async def test_a_report_of_the_phone_is_checked(autojump_clock: MockClock) -> None:
    async with worn() as (user, _):
        assert user.report_photo({"success": True}) == 400
        assert user.report_photo({"requestId": "x"}) == 400
        assert user.report_photo({"requestId": "x", "success": True}) == 400
        assert user.report_photo({"requestId": "x", "success": True, "photoUrl": "u"}) == 200


async def test_p3_0_5_glasses_without_a_camera_say_nothing(autojump_clock: MockClock) -> None:
    """The SDK asks no such glasses, so the request is spelled by hand."""
    async with worn(model="Even Realities G1") as (user, session):
        await session.raw.send("photo_request", requestId="1")
        await trio.sleep(60)

        assert (user.glasses.camera.uploads, user.glasses.camera.is_busy) == ([], False)


async def test_p3_5_5_what_the_uploader_told_the_app_is_not_told_again(autojump_clock: MockClock) -> None:
    async with worn() as (user, session):
        user.glasses.camera.outcome = PhotoOutcome.REPORTED
        async with session.raw.messages() as messages:
            with pytest.raises(PhotoError):
                await session.camera.take_photo()
            await trio.sleep(5)

            assert messages.statistics().received == 0


async def test_without_an_http_side_that_takes_forms_no_photo_arrives(autojump_clock: MockClock) -> None:
    async with world(model=LIVE) as here:
        socket = await here.start()
        await socket.send("photo_request", packageName=ALPHA, requestId="1")
        await trio.sleep(10)
        (answer,) = socket.messages("photo_response")

        assert answer["success"] is False
        assert "PHONE_UPLOAD_FAILED" in str(answer)
