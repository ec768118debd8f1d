"""`session.camera`: the image really arrives, and every way in which it does not has its error (P3 5, P3 7)."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from mentra_trio import (
    CloudRefusedError,
    DeviceUnavailableError,
    MentraSession,
    PermissionDeniedError,
    PhotoError,
    SessionClosedError,
)
from mentra_trio._net.asgi import PHOTO_PATHS
from mentra_trio.managers.camera import FIELDS_OF_VIEW
from mentra_trio.models import FovPosition, Photo, PhotoCompression, PhotoForwarded, PhotoSize
from tests.net.test_asgi import Answer, call
from tests.net.test_uploads import JPEG, MULTIPART, form, part, photo
from tests.scripted_cloud import AppUnderTest, CloudSocket, Json, connected, open_app, open_cloud

NO_CAMERA = {"modelName": "Even Realities G1", "hasCamera": False}
LIVE = {"modelName": "Mentra Live", "hasCamera": True}


async def upload(app: AppUnderTest, *parts: bytes, path: str = PHOTO_PATHS[0]) -> Answer:
    """Upload like the glasses do."""
    headers = [(b"content-type", MULTIPART.encode())]
    return await call(app.server.asgi, "POST", path, [form(*parts)], headers=headers)


async def upload_photo(app: AppUnderTest, request: Json, data: bytes = JPEG) -> Answer:
    return await upload(app, part("requestId", request["requestId"]), part("success", "true"), photo(data))


@attrs.define(eq=False)
class Shots:
    """Photos taken in the background, and what came of them."""

    session: MentraSession
    outcomes: list[tuple[float, object]] = attrs.field(factory=list[tuple[float, object]])
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    """Of the call that began last."""

    async def take(self, shoot: Callable[[], Awaitable[object]] | None = None) -> None:
        self.scope = trio.CancelScope()
        with self.scope:
            try:
                outcome = await (shoot or self.session.camera.take_photo)()
            except Exception as error:  # noqa: BLE001 - what comes is what is tested
                outcome = error
            self.outcomes.append((trio.current_time(), outcome))

    @property
    def last(self) -> object:
        return self.outcomes[-1][1]


@attrs.define(eq=False)
class Scene:
    app: AppUnderTest
    socket: CloudSocket
    session: MentraSession
    shots: Shots
    nursery: trio.Nursery

    async def shoot(self, shoot: Callable[[], Awaitable[object]] | None = None) -> Json:
        """Take a photo in the background; give what the cloud was asked."""
        self.nursery.start_soon(self.shots.take, shoot)
        return await self.socket.expect("photo_request")

    async def respond(self, request: Json, **fields: object) -> None:
        await self.socket.send("photo_response", requestId=request["requestId"], **fields)
        await wait_all_tasks_blocked()


@asynccontextmanager
async def scene(*, capabilities: Json | None = None) -> AsyncGenerator[Scene, None]:
    async with open_cloud() as cloud, open_app(cloud) as app, trio.open_nursery() as nursery:
        socket = await app.start(capabilities=capabilities)
        session = app.sessions[0]
        yield Scene(app, socket, session, Shots(session), nursery)


# The image


@pytest.mark.parametrize("path", PHOTO_PATHS)
async def test_a_photo_is_its_image(autojump_clock: MockClock, path: str) -> None:
    async with scene() as at:
        request = await at.shoot()
        await trio.sleep(7)
        answer = await upload(at.app, part("requestId", request["requestId"]), photo(), path=path)
        await wait_all_tasks_blocked()

        assert answer.status == 200
        taken = at.shots.last
        assert isinstance(taken, Photo)
        assert (taken.data, taken.content_type, taken.filename) == (JPEG, "image/jpeg", "IMG_1.jpg")
        assert taken.request_id == request["requestId"]
        assert JPEG.hex() not in repr(taken)


async def test_a_request_says_all_that_was_asked_for_and_nothing_else(autojump_clock: MockClock) -> None:
    async with scene() as at:
        camera = at.session.camera
        plain = await at.shoot()
        await upload_photo(at.app, plain)
        full = await at.shoot(
            lambda: camera.take_photo(
                size=PhotoSize.FULL, compression=PhotoCompression.HEAVY, sound=False, exposure=1 / 120
            )
        )
        envelope = ("type", "packageName", "sessionId", "timestamp", "requestId")

        assert {key: plain[key] for key in plain if key not in envelope} == {
            "size": "medium",
            "compress": "none",
            "saveToGallery": False,
        }
        assert {key: full[key] for key in full if key not in envelope} == {
            "size": "full",
            "compress": "heavy",
            "saveToGallery": False,
            "sound": False,
            "exposureTimeNs": 8333333,
        }
        await upload_photo(at.app, full)


async def test_the_word_of_a_success_is_not_the_image(autojump_clock: MockClock) -> None:
    """P3 5.7: it may come first, and its URL is the app's own."""
    async with scene() as at:
        request = await at.shoot()
        await at.respond(request, success=True, photoUrl="https://app.example.com/photo-upload")
        assert at.shots.outcomes == []
        await trio.sleep(4)
        await upload_photo(at.app, request)
        await wait_all_tasks_blocked()
        assert isinstance(at.shots.last, Photo)


async def test_an_upload_that_went_astray_is_told_after_five_seconds(autojump_clock: MockClock) -> None:
    async with scene() as at:
        request = await at.shoot()
        await trio.sleep(3)
        await at.respond(request, success=True, photoUrl="https://old.example.com/photo-upload")
        await trio.sleep(20)

        ((when, error),) = at.shots.outcomes
        assert isinstance(error, PhotoError)
        assert (error.code, error.url) == ("UPLOAD_MISSING", "https://old.example.com/photo-upload")
        assert "old.example.com" not in str(error)
        assert when == 8
        assert at.session.statistics().unknown_messages == 0


async def test_the_word_may_come_at_the_last_moment(autojump_clock: MockClock) -> None:
    async with scene() as at:
        request = await at.shoot()
        await trio.sleep(29)
        await at.respond(request, success=True, photoUrl="https://app.example.com/photo-upload")
        await trio.sleep(4)
        await upload_photo(at.app, request)
        await wait_all_tasks_blocked()
        assert isinstance(at.shots.last, Photo)


async def test_a_lost_connection_loses_no_photo(autojump_clock: MockClock) -> None:
    """P1 6.4: the upload reaches the server, whatever became of the socket."""
    async with scene() as at:
        request = await at.shoot()
        await at.socket.cut()
        await wait_all_tasks_blocked()
        answer = await upload_photo(at.app, request)
        await wait_all_tasks_blocked()
        assert answer.status == 200
        assert isinstance(at.shots.last, Photo)


async def test_a_duplicate_and_a_late_upload_are_refused(autojump_clock: MockClock) -> None:
    async with scene() as at:
        request = await at.shoot()
        assert [(await upload_photo(at.app, request)).status for _ in range(2)] == [200, 404]
        late = await at.shoot()
        await trio.sleep(31)
        assert (await upload_photo(at.app, late)).status == 404
        await at.respond(late, success=True, photoUrl="x")
        assert at.session.statistics().unknown_messages == 0


async def test_a_photo_reaches_the_session_that_asked(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app, trio.open_nursery() as nursery:
        shots: list[Shots] = []
        requests: list[Json] = []
        for user in ("a@example.com", "b@example.com"):
            socket = await app.start(user)
            shots.append(Shots(app.sessions[-1]))
            nursery.start_soon(shots[-1].take)
            requests.append(await socket.expect("photo_request"))
        await upload_photo(app, requests[1], b"second")
        await wait_all_tasks_blocked()
        assert shots[0].outcomes == []
        await upload_photo(app, requests[0], b"first")
        await wait_all_tasks_blocked()
        assert [shot.last.data for shot in shots if isinstance(shot.last, Photo)] == [b"first", b"second"]
        assert requests[0]["requestId"] != requests[1]["requestId"]


# Failures


async def test_a_failure_has_its_code_words_and_stage(autojump_clock: MockClock) -> None:
    async with scene() as at:
        request = await at.shoot()
        details = {"stage": "CAMERA_INIT", "retryable": True}
        await at.respond(request, success=False, error={"code": "CAMERA_BUSY", "message": "in use", "details": details})
        error = at.shots.last
        assert isinstance(error, PhotoError)
        assert (error.code, error.text, error.stage) == ("CAMERA_BUSY", "in use", "CAMERA_INIT")


@pytest.mark.parametrize("fields", [{}, {"success": False}, {"success": "false"}, {"success": False, "error": "text"}])
async def test_a_failure_that_says_nothing_is_a_failure(autojump_clock: MockClock, fields: Json) -> None:
    async with scene() as at:
        await at.respond(await at.shoot(), **fields)
        error = at.shots.last
        assert isinstance(error, PhotoError)
        assert (error.code, error.text, error.stage) == ("UNKNOWN_ERROR", "", None)


async def test_an_error_that_is_uploaded_fails_the_photo(autojump_clock: MockClock) -> None:
    async with scene() as at:
        request = await at.shoot()
        answer = await upload(
            at.app,
            part("requestId", request["requestId"]),
            part("type", "photo_error"),
            part("errorCode", "BATTERY_LOW"),
            part("errorMessage", "4 %"),
        )
        await wait_all_tasks_blocked()
        assert answer.status == 200
        assert isinstance(at.shots.last, PhotoError)
        assert str(at.shots.last) == "no photo: BATTERY_LOW: 4 %"


async def test_an_upload_without_a_photo_fails_it(autojump_clock: MockClock) -> None:
    async with scene() as at:
        request = await at.shoot()
        answer = await upload(at.app, part("requestId", request["requestId"]))
        await wait_all_tasks_blocked()
        assert answer.status == 400
        assert isinstance(at.shots.last, PhotoError)
        assert at.shots.last.code == "NO_FILE"


async def test_what_others_asked_for_is_left_alone(autojump_clock: MockClock) -> None:
    async with scene() as at:
        request = await at.shoot()
        await at.socket.send("photo_response", requestId="photo_req_other", success=False)
        await at.socket.send("photo_response", success=False)
        assert (await upload(at.app, part("requestId", "photo_req_other"), photo())).status == 404
        await wait_all_tasks_blocked()
        assert at.shots.outcomes == []
        await upload_photo(at.app, request)


@pytest.mark.parametrize(
    ("code", "text", "error"),
    [
        ("PERMISSION_DENIED", "Camera permission required to take photos", PermissionDeniedError),
        (
            "INTERNAL_ERROR",
            "Cannot process photo request - smart glasses are not connected",
            DeviceUnavailableError,
        ),
        ("INTERNAL_ERROR", "photo", CloudRefusedError),
    ],
)
async def test_a_refusal_fails_the_photo_at_once(
    autojump_clock: MockClock, code: str, text: str, error: type[Exception]
) -> None:
    async with scene() as at:
        await at.shoot()
        await trio.sleep(2)
        await at.socket.send("tpa_connection_error", code=code, message=text)
        await at.socket.close(1008, text)
        await wait_all_tasks_blocked()
        assert [(when, type(outcome)) for when, outcome in at.shots.outcomes] == [(2, error)]
        assert at.session.stop_reason is None


async def test_the_end_of_the_session_ends_the_wait(autojump_clock: MockClock) -> None:
    async with scene() as at:
        request = await at.shoot()
        at.nursery.start_soon(at.shots.take)
        await at.session.end()
        await wait_all_tasks_blocked()
        assert [type(outcome) for _, outcome in at.shots.outcomes] == [SessionClosedError] * 2
        assert (await upload_photo(at.app, request)).status == 404


async def test_a_cancelled_photo_is_forgotten(autojump_clock: MockClock) -> None:
    async with scene() as at:
        request = await at.shoot()
        at.shots.scope.cancel()
        await wait_all_tasks_blocked()
        assert (await upload_photo(at.app, request)).status == 404
        again = await at.shoot()
        await upload_photo(at.app, again)
        await wait_all_tasks_blocked()
        assert isinstance(at.shots.last, Photo)


async def test_the_next_photo_waits_until_the_glasses_are_done_with_a_cancelled_one(autojump_clock: MockClock) -> None:
    """P3 5.5: they take 5 to 14 s, and may say nothing to whoever asks meanwhile."""
    async with scene() as at:
        await at.shoot()
        await trio.sleep(0.5)
        at.shots.scope.cancel()
        again = await at.shoot()
        assert trio.current_time() == 15
        await upload_photo(at.app, again)
        await wait_all_tasks_blocked()
        assert isinstance(at.shots.last, Photo)
        await at.shoot()
        assert trio.current_time() == 15


async def test_a_photo_whose_turn_comes_during_a_stream_fails_at_once(autojump_clock: MockClock) -> None:
    async with scene() as at, trio.open_nursery() as nursery:
        first = await at.shoot()
        at.nursery.start_soon(at.shots.take)
        stream = at.session.camera.open_stream("rtmp://live.example.com/app/key", clear=False)
        nursery.start_soon(stream.__aenter__)
        await at.socket.expect("stream_request")
        await upload_photo(at.app, first)
        await wait_all_tasks_blocked()
        assert {getattr(outcome, "code", None) for _, outcome in at.shots.outcomes} == {None, "CAMERA_BUSY"}
        assert at.socket.unread() == []
        nursery.cancel_scope.cancel()


async def test_a_photo_that_was_cancelled_while_it_was_sent_is_waited_for_too(autojump_clock: MockClock) -> None:
    """Half a frame cannot be taken back: the glasses will be asked."""
    async with scene() as at:
        at.socket.line.block()
        at.nursery.start_soon(at.shots.take)
        await wait_all_tasks_blocked()
        at.shots.scope.cancel()
        await wait_all_tasks_blocked()
        at.nursery.start_soon(at.shots.take)
        await wait_all_tasks_blocked()
        at.socket.line.unblock()
        await at.socket.expect("photo_request")
        await at.socket.expect("photo_request")
        assert trio.current_time() == 15


async def test_the_next_photo_waits_until_the_glasses_are_done_with_one_for_elsewhere(
    autojump_clock: MockClock,
) -> None:
    async with scene() as at:
        request = await at.shoot(lambda: at.session.camera.take_photo_to("https://photos.example.com/in"))
        await at.respond(request, success=True, photoUrl="https://photos.example.com/in")
        assert isinstance(at.shots.last, PhotoForwarded)
        await at.shoot()
        assert trio.current_time() == 15


async def test_the_end_of_the_session_ends_the_wait_for_the_glasses(autojump_clock: MockClock) -> None:
    async with scene() as at:
        await at.shoot()
        at.shots.scope.cancel()
        await wait_all_tasks_blocked()
        at.nursery.start_soon(at.shots.take)
        await trio.sleep(1)
        await at.session.end()
        await wait_all_tasks_blocked()
        assert [(when, type(outcome)) for when, outcome in at.shots.outcomes] == [(1, SessionClosedError)]


async def test_glasses_without_a_camera_are_not_asked(autojump_clock: MockClock) -> None:
    async with scene(capabilities=NO_CAMERA) as at:
        camera = at.session.camera
        for shoot in (
            camera.take_photo,
            lambda: camera.take_photo_to("https://example.com"),
            lambda: camera.set_fov(92),
        ):
            with pytest.raises(DeviceUnavailableError, match="Even Realities G1 have no camera"):
                await shoot()
        await wait_all_tasks_blocked()
        assert at.socket.unread() == []


async def test_one_photo_is_taken_at_a_time(autojump_clock: MockClock) -> None:
    """P3 5.5: three at once all time out, because the camera serves one."""
    async with scene(capabilities=LIVE) as at:
        first = await at.shoot()
        for _ in range(2):
            at.nursery.start_soon(at.shots.take)
        await wait_all_tasks_blocked()
        assert at.socket.unread() == []
        await at.respond(first, success=False, error={"code": "CAMERA_TIMEOUT"})
        second = await at.socket.expect("photo_request")
        await trio.sleep(20)
        await upload_photo(at.app, second)
        third = await at.socket.expect("photo_request")
        await trio.sleep(20)
        await upload_photo(at.app, third)
        await wait_all_tasks_blocked()
        assert [when for when, _ in at.shots.outcomes] == [0, 20, 40]


@pytest.mark.parametrize("exposure", [0, -1, 2, float("nan"), float("inf")])
async def test_an_impossible_exposure_is_a_mistake(autojump_clock: MockClock, exposure: float) -> None:
    async with connected() as link:
        with pytest.raises(ValueError, match="exposure"):
            await link.session.camera.take_photo(exposure=exposure)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"size": "huge"}, ValueError, "size is 'huge'; write one of small, medium, large, full"),
        ({"size": None}, ValueError, "size is None"),
        ({"compression": 3}, ValueError, "compression is 3; write one of none, medium, heavy"),
        ({"sound": "yes"}, TypeError, "sound is 'yes'; pass True or False"),
        ({"exposure": True}, TypeError, "exposure is True; pass seconds"),
        ({"exposure": "x"}, TypeError, "exposure is 'x'; pass seconds"),
    ],
)
async def test_an_option_of_another_kind_is_a_mistake(
    autojump_clock: MockClock, options: Json, error: type[Exception], match: str
) -> None:
    async with connected() as link:
        camera = link.session.camera
        with pytest.raises(error, match=match):
            await camera.take_photo(**options)
        with pytest.raises(error, match=match):
            await camera.take_photo_to("https://photos.example.com", **options)


async def test_the_words_of_the_wire_are_taken(autojump_clock: MockClock) -> None:
    async with scene() as at:
        words: Json = {"size": "large", "compression": "heavy"}
        request = await at.shoot(lambda: at.session.camera.take_photo(**words))
        assert (request["size"], request["compress"]) == ("large", "heavy")
        await upload_photo(at.app, request)


# Elsewhere


async def test_a_photo_can_go_elsewhere(autojump_clock: MockClock) -> None:
    async with scene() as at:
        request = await at.shoot(
            lambda: at.session.camera.take_photo_to(
                "https://photos.example.com/in", auth_token="s3cr3t", save_to_gallery=True
            )
        )
        assert request["customWebhookUrl"] == "https://photos.example.com/in"
        assert (request["authToken"], request["saveToGallery"]) == ("s3cr3t", True)
        await at.respond(request, success=True, photoUrl="https://photos.example.com/in", savedToGallery=True)
        assert at.shots.last == PhotoForwarded(request_id=request["requestId"], url="https://photos.example.com/in")


async def test_what_goes_elsewhere_can_fail_too(autojump_clock: MockClock) -> None:
    async with scene() as at:
        request = await at.shoot(lambda: at.session.camera.take_photo_to("https://photos.example.com"))
        await at.socket.send("photo_response", requestId="other", success=True)
        await at.respond(request, success=False, error={"code": "CAMERA_BUSY"})
        assert isinstance(at.shots.last, PhotoError)


@pytest.mark.parametrize("token", [5, b"x"])
async def test_a_token_is_text(autojump_clock: MockClock, token: object) -> None:
    async with connected() as link:
        given: Json = {"auth_token": token}
        with pytest.raises(TypeError, match=f"auth_token is {type(token).__name__}; pass text, or None"):
            await link.session.camera.take_photo_to("https://photos.example.com", **given)


@pytest.mark.parametrize("token", ["", "s3cr3t\n", "s3cr3t\r\nX: y", "gehe\u00efm"])
async def test_a_token_can_be_a_header(autojump_clock: MockClock, token: str) -> None:
    async with connected() as link:
        with pytest.raises(ValueError, match="auth_token is empty, or holds") as caught:
            await link.session.camera.take_photo_to("https://photos.example.com", auth_token=token)
        assert "s3cr3t" not in str(caught.value)


async def test_a_url_is_text(autojump_clock: MockClock) -> None:
    async with connected() as link:
        given: Json = {"url": None}
        with pytest.raises(TypeError, match="url is NoneType, not text"):
            await link.session.camera.take_photo_to(**given)


@pytest.mark.parametrize(
    "url",
    [
        *("", "photos.example.com/in", "ftp://photos.example.com", "/in", "https://"),
        *("http://a b/", "http://a.b/c d", "http://[", "http://a.b/\n"),
    ],
)
async def test_a_url_that_no_glasses_can_reach_is_a_mistake(autojump_clock: MockClock, url: str) -> None:
    async with connected() as link:
        with pytest.raises(ValueError, match="url"):
            await link.session.camera.take_photo_to(url)


# Field of view


@pytest.mark.parametrize("fov", FIELDS_OF_VIEW)
async def test_each_field_of_view_is_sent(autojump_clock: MockClock, fov: int) -> None:
    async with connected() as link:
        with assert_checkpoints():
            await link.session.camera.set_fov(fov, position=FovPosition.TOP)
        sent = await link.socket.expect("camera_fov_set")
        assert (sent["fov"], sent["roiPosition"]) == (fov, "center" if fov == 118 else "top")
        assert sent["requestId"].startswith("cam_fov_")


async def test_a_position_can_be_a_word_of_the_wire(autojump_clock: MockClock) -> None:
    async with connected() as link:
        camera = link.session.camera
        word: Json = {"position": "top"}
        await camera.set_fov(82, **word)
        assert (await link.socket.expect("camera_fov_set"))["roiPosition"] == "top"
        word = {"position": "left"}
        for fov in (82, 118):
            with pytest.raises(ValueError, match="position is 'left'; write one of center, top, bottom"):
                await camera.set_fov(fov, **word)


@pytest.mark.parametrize("fov", [85, 0, 119, 82.0, "82", [82], None])
async def test_another_field_of_view_would_close_the_socket(autojump_clock: MockClock, fov: object) -> None:
    """P3 7: the cloud answers it with MALFORMED_MESSAGE and a close."""
    async with connected() as link:
        with pytest.raises(ValueError, match="82, 92, 102, 118"):
            await link.session.camera.set_fov(fov)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        await wait_all_tasks_blocked()
        assert link.socket.unread() == []
