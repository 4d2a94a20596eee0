"""HTTP: connections, retries, what importing costs, and what is never shown."""

import os
import socket
import subprocess
import sys
import time
from email.utils import formatdate

import pytest

from udocker.errors import AuthenticationError, RegistryError
from udocker.registry.credentials import Credential
from udocker.registry.failures import ConnectionFailed
from udocker.registry.retry import Retries, Timeouts, retry_after, spell_seconds
from udocker.registry.transport import USER_AGENT
from tests.conftest import APP, ROOT
from tests.fakes.logins import TokenAuth, basic
from tests.registry.support import IMAGE, LAYER, QUICK, Keyring, client, fetch, login


def test_importing_the_client_imports_neither_http_nor_tls():
    code = ("import sys; sys.path.insert(0, %r); import udocker.registry.client; "
            "print([name for name in ('requests', 'urllib3', 'ssl', 'http.client', 'json', "
            "'subprocess', 'urllib.parse', 'hashlib', 'email') if name in sys.modules])"
            % os.path.join(os.path.dirname(__file__), "..", "..", "app"))
    # -S: a site-packages with .pth files of its own imports what it likes
    assert subprocess.check_output([sys.executable, "-I", "-S", "-c", code]).decode().strip() == "[]"


def test_pulling_does_not_import_requests(fake):
    code = ("import sys; sys.path[:0] = %r; from tests.registry.support import client, AMD64; "
            "client(%r).resolve('test', 'latest', AMD64); print('requests' in sys.modules)"
            % ([APP, ROOT], fake.url))
    assert subprocess.check_output([sys.executable, "-c", code]).decode().strip() == "False"


def test_requests_say_who_asks(fake):
    client(fake.url).manifest("test", "latest")
    headers = fake.requests[0].headers
    assert headers["user-agent"] == USER_AGENT and USER_AGENT.startswith("udocker/")
    assert headers["accept-encoding"] == "identity" and "cookie" not in headers


def test_connections_are_used_again(fake):
    """A new connection, with TLS, is several round trips for each of dozens of layers."""
    fake.auth = TokenAuth()
    registry = client(fake.url)
    for _ in range(5):
        registry.manifest("test", "latest")
        fetch(registry, LAYER)
    assert fake.connections == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_bad_moment_is_waited_for(fake, status):
    fake.fault("/manifests/", times=2, status=status)
    slept = []
    registry = client(fake.url, sleep=slept.append, retries=Retries(3, 0.5, 8))
    assert str(registry.manifest("test", "latest").digest) == IMAGE.digest
    assert 0.25 <= slept[0] <= 0.5 and 0.5 <= slept[1] <= 1.0


def test_a_registry_that_keeps_failing_is_given_up(fake):
    fake.fault("/manifests/", status=503, body=b'{"errors":[{"message":"in maintenance"}]}')
    with pytest.raises(RegistryError, match="failed with status 503 .*: in maintenance"):
        client(fake.url).manifest("test", "latest")
    assert len(fake.requests) == QUICK.attempts


@pytest.mark.parametrize("status", [400, 405, 410, 501])
def test_other_refusals_are_not_repeated(fake, status):
    fake.fault("/manifests/", status=status)
    with pytest.raises(RegistryError, match=str(status)):
        client(fake.url).manifest("test", "latest")
    assert len(fake.requests) == 1


@pytest.mark.parametrize("value, waited", [("7", 7), ("0", 0), ("1.5", 0), ("soon", 0), ("-3", 0)])
def test_retry_after_is_obeyed(fake, value, waited):
    fake.fault("/manifests/", times=1, status=429, headers=[("Retry-After", value)])
    slept = []
    client(fake.url, sleep=slept.append).manifest("test", "latest")
    assert slept == [waited]


def test_retry_after_may_be_a_date(fake):
    now = 1600000000
    fake.fault("/manifests/", times=1, status=503,
               headers=[("Retry-After", formatdate(now + 20, usegmt=True))])
    slept = []
    client(fake.url, sleep=slept.append, clock=lambda: now).manifest("test", "latest")
    assert slept == [20]
    assert retry_after(formatdate(now - 20), now) == 0
    assert retry_after("Wed, 99 Nov 99999 99:99:99 GMT", now) in (None, 0)


@pytest.mark.parametrize("seconds, spelled", [(61, "in 61 s"), (3600, "in 60 min"), (21600, "in 6 h 0 min")])
def test_a_retry_after_too_long_is_told_and_not_waited_for(fake, seconds, spelled):
    fake.fault("/manifests/", status=429, headers=[("Retry-After", str(seconds))],
               body=b'{"errors":[{"code":"TOOMANYREQUESTS","message":"pull rate limit"}]}')
    slept = []
    with pytest.raises(RegistryError, match="too many requests: pull rate limit") as caught:
        client(fake.url, sleep=slept.append).manifest("test", "latest")
    assert spelled in caught.value.hint and "log in" in caught.value.hint
    assert not slept and len(fake.requests) == 1


def test_too_many_requests_without_a_time_are_too_many(fake):
    fake.fault("/manifests/", status=429)
    with pytest.raises(RegistryError, match="too many requests") as caught:
        client(fake.url).manifest("test", "latest")
    assert "try again later" in caught.value.hint


def test_delays_double_and_differ():
    retries = Retries(base_delay=1, max_delay=4)
    for attempt, longest in ((1, 1), (2, 2), (3, 4), (9, 4)):
        delays = [retries.delay(attempt) for _ in range(50)]
        assert longest / 2.0 <= min(delays) and max(delays) <= longest and len(set(delays)) > 10


def test_times_are_spelled_as_people_say_them():
    assert [spell_seconds(s) for s in (1, 119, 120, 7199, 7201)] == [
        "1 s", "119 s", "2 min", "2 h 0 min", "2 h 1 min"]


# no connection

def test_a_refused_connection_is_named(fake):
    fake.close()
    with pytest.raises(ConnectionFailed) as caught:
        client(fake.url).manifest("test", "latest")
    assert caught.value.message == "cannot reach %s: connection refused" % fake.host


def test_a_name_without_an_address_is_named_at_once():
    slept = []
    with pytest.raises(ConnectionFailed, match="cannot find nowhere.invalid") as caught:
        client("http://nowhere.invalid", sleep=slept.append).manifest("test", "latest")
    # without any network the answer is "try again", which is tried
    assert caught.value.hint and len(slept) in (0, QUICK.attempts - 1)


def test_a_server_that_says_nothing_is_left():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(5)
        url = "http://127.0.0.1:%d" % silent.getsockname()[1]
        began = time.time()
        with pytest.raises(ConnectionFailed, match="no answer in time"):
            client(url, timeouts=Timeouts(5, 0.05), retries=Retries(2, 0, 0)).manifest("test", "latest")
        assert time.time() - began < 2


def test_a_server_that_speaks_something_else_is_left():
    with socket.socket() as odd:
        odd.bind(("127.0.0.1", 0))
        odd.listen(5)
        import threading

        def talk():
            while True:
                try:
                    connection, _ = odd.accept()
                except OSError:
                    return
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n" * 100)
                connection.close()
        threading.Thread(target=talk, daemon=True).start()
        for scheme in ("http", "https"):
            url = "%s://127.0.0.1:%d" % (scheme, odd.getsockname()[1])
            with pytest.raises(ConnectionFailed):
                client(url).manifest("test", "latest")
        odd.shutdown(socket.SHUT_RDWR)


# secrets

def test_debug_lines_hold_no_secret(fake, another):
    keyring = login(fake)
    another.files["/storage"] = LAYER
    fake.fault("/blobs/", status=307, headers=[("Location", another.url + "/storage?signature=secret")])
    lines = []
    registry = client(fake.url, keyring, debug=lines.append)
    registry.manifest("test", "latest")
    fetch(registry, LAYER)
    text = "\n".join(lines)
    assert "/storage" in text and "307" in text
    assert "secret" not in text and "geheim" not in text and basic("ann", "geheim") not in text


def test_failures_hold_no_signature_even_in_their_traceback(fake, another):
    import traceback
    another.close()
    fake.fault("/blobs/", status=307, headers=[("Location", another.url + "/x?signature=secret")])
    try:
        fetch(client(fake.url), LAYER)
    except ConnectionFailed:
        assert "secret" not in traceback.format_exc()
    else:
        raise AssertionError("nobody should have answered")


def test_a_wrong_password_is_not_repeated(fake):
    login(fake)
    wrong = Keyring({fake.host: Credential("ann", "falsch")})
    with pytest.raises(AuthenticationError) as caught:
        client(fake.url, wrong).manifest("test", "latest")
    assert "falsch" not in caught.value.message + caught.value.hint
    assert len(fake.requests) == 2
