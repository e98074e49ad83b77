"""The servers of the chapter `serve` under attack: 10,000 malformed requests, lost clients, a stop under load.

The programs under test are the chapter's own cells, taken from the notebook by id: there is no second copy. Only the
gateway, which the chapter does not teach, stands here: it shows what a service in front of mosec must mend.
"""

import ast
import asyncio
import json
import os
import random
import signal
import socket
import sys
import time

import numpy as np
import psutil
import pytest

from bookkit.editions import read_notebook

if sys.platform == "win32":
    pytest.skip("mosec has no build for Windows", allow_module_level=True)

REQUESTS = 10_000
CONNECTIONS = 8
LONGEST_WAIT = 20  # seconds for one answer; more is a hang
INFER = "/v2/models/digits/infer"
CELLS = {cell.id: cell.source for cell in read_notebook("en", "serve").cells if cell.cell_type == "code"}


GATEWAY = """
import http.client, os

import uvicorn
from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

ONE, LIMIT = "/v2/models/digits/infer", 16_384
app = FastAPI(redirect_slashes=False)
app.get("/")(lambda: "ready")


def service(body):
    behind = http.client.HTTPConnection("127.0.0.1", int(os.environ["BEHIND"]), timeout=10)
    try:
        behind.request("POST", ONE, body)
        reply = behind.getresponse()
        return Response(reply.read(), reply.status, media_type=reply.getheader("content-type"))
    except (OSError, http.client.HTTPException):
        return Response("the service does not answer", 502)
    finally:
        behind.close()


@app.post(ONE)
async def forward(request: Request):
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LIMIT:
            return Response("request body is too large", 413)
    return await run_in_threadpool(service, body) if body else Response("empty body", 400)


uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), http="httptools", log_level="error")
"""


@pytest.fixture(scope="module")
def chapter(tmp_path_factory):
    """The chapter's names after its set-up, model and client cells have run in a temporary folder, as in the notebook."""
    namespace = {"__name__": "serve", "sys": sys}
    home = os.getcwd()
    os.chdir(tmp_path_factory.mktemp("serve"))
    sys.path.insert(0, "")  # as in a notebook
    try:
        for source in CELLS.values():
            if source.startswith("%%writefile"):
                magic, _, program = source.partition("\n")
                with open(magic.split()[-1], "a" if "--append" in magic else "w") as file:
                    file.write(program + "\n")
        with open("gateway.py", "w") as file:
            file.write(GATEWAY)
        exec(CELLS["setup"][CELLS["setup"].index("import hashlib") :], namespace)
        for name in (
            "artefact-export",
            "artefact-parity",
            "look-request",
            "start",
            "start-environment",
            "start-function",
            "ask",
        ):
            exec(CELLS[name], namespace)
        for name in ("metrics", "prediction"):  # their functions only: the rest asks a server of the notebook
            cell = ast.parse(CELLS[name])
            cell.body = [statement for statement in cell.body if isinstance(statement, ast.FunctionDef)]
            exec(compile(cell, name, "exec"), namespace)
        yield namespace
    finally:
        for server in namespace.get("servers", []):
            if server.process.poll() is None:
                namespace["stop"](server)
            server.guard.communicate()
        os.chdir(home)
        sys.path.remove("")
        for name in ("engine", "contract"):
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def server(chapter):
    """The batching server of the chapter."""
    return chapter["start"]("server.py", ready="/", BATCH=32, WAIT_MS=2)


@pytest.fixture(scope="module")
def explained(chapter):
    """The server that the chapter writes itself."""
    return chapter["start"]("app.py", BATCH=32)


@pytest.fixture(scope="module")
def gateway(chapter, server):
    """A gateway in front of the batching server."""
    return chapter["start"]("gateway.py", ready="/", BEHIND=server.port)


def message(body, path=INFER, method="POST", headers=""):
    """The bytes of an HTTP request."""
    return (
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body
    )


def chunked(body, size=1000):
    """The bytes of a request whose body comes in chunks and announces no length."""
    chunks = [body[i : i + size] for i in range(0, len(body), size)] + [b""]
    head = f"POST {INFER} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)


KINDS = [
    "noise",
    "text",
    "cut off",
    "trailing",
    "no UTF-8",
    "wrong shape",
    "wrong size",
    "nested",
    "NaN",
    "wrong type",
    "out of range",
    "missing field",
    "other field",
    "other JSON",
    "deep",
    "huge",
    "huge in chunks",
    "cut off in chunks",
    "wrong path",
    "wrong method",
    "no HTTP",
    "bad length",
]
EMPTY = ["empty", "empty in chunks"]  # mosec alone answers these with 200


def malformed(rng, image, kinds):
    """One malformed request: its kind, its bytes, and the statuses that are right answers to it."""
    good = {"name": "pixels", "datatype": "UINT8", "shape": [1, 28, 28], "data": image.ravel().tolist()}

    def tensor(**changes):
        return json.dumps({"inputs": [{**good, **changes}]}).encode()

    def pixel(value):
        data = list(good["data"])
        data[rng.randrange(784)] = value
        return tensor(data=data)

    body = tensor()
    kind = rng.choice(kinds)
    refused = {400, 422}
    if kind == "noise":
        return kind, message(bytes([rng.randrange(1, 256)]) + rng.randbytes(rng.randrange(2000))), refused
    if kind == "text":
        return (
            kind,
            message("".join(rng.choices("zero one 7 \n\t{}[]:,\"'七", k=rng.randrange(1, 200))).encode() + b"?"),
            refused,
        )
    if kind == "cut off":
        return kind, message(body[: rng.randrange(1, len(body))]), refused
    if kind == "trailing":
        return kind, message(body + rng.choice([b"}", b"x", body, b",", b"\x00"])), refused
    if kind == "no UTF-8":
        return kind, message(body.replace(b"pixels", rng.choice([b"pix\xffels", b"\xc3(", b"\xed\xa0\x80"]))), refused
    if kind == "wrong shape":
        shape = rng.choice(
            [
                [],
                [784],
                [28, 28],
                [1, 784],
                [2, 28, 28],
                [0, 28, 28],
                [1, 28, 28, 1],
                [-1, 28, 28],
                [1, 28, 10**30],
                [1, 28.5, 28],
                ["1", 28, 28],
                None,
                784,
                {"n": 1},
            ]
        )
        return kind, message(tensor(shape=shape)), refused
    if kind == "wrong size":
        size = rng.choice([0, 1, 783, 785, 1568])
        return kind, message(tensor(data=[rng.randrange(256) for _ in range(size)])), refused
    if kind == "nested":
        return kind, message(tensor(data=image.tolist())), refused
    if kind == "NaN":
        return kind, message(pixel(rng.choice([float("nan"), float("inf"), float("-inf")]))), refused
    if kind == "wrong type":
        return kind, message(pixel(rng.choice(["7", "", True, None, 0.5, 1e300, [1], {"v": 1}]))), refused
    if kind == "out of range":
        return kind, message(pixel(rng.choice([-1, 256, 10**9, -(10**30), 10**30]))), refused
    if kind == "missing field":
        left = dict(good)
        del left[rng.choice(list(good))]
        return kind, message(json.dumps({"inputs": [left]}).encode()), refused
    if kind == "other field":
        change = rng.choice(
            [{"name": "picture"}, {"datatype": "FP32"}, {"name": None}, {"datatype": 8}, {"data": "AAAA"}]
        )
        return kind, message(tensor(**change)), refused
    if kind == "other JSON":
        other = rng.choice(
            [None, 7, "seven", [], {}, {"inputs": []}, {"inputs": {}}, {"inputs": [good, good]}, {"instances": [1]}]
        )
        return kind, message(json.dumps(other).encode()), refused
    if kind == "deep":
        opening = rng.choice([b'{"x":' + b"[" * 16_000, b"[" * 16_000, b'{"a":' * 3000])
        return kind, message(opening), refused
    if kind == "huge":
        return kind, message(body + b" " * rng.choice([14_000, 100_000, 300_000])), {413}
    if kind == "huge in chunks":
        return kind, chunked(body + b" " * 40_000), {413}
    if kind == "cut off in chunks":
        return kind, chunked(body[: rng.randrange(1, len(body))]), refused
    if kind == "empty":
        return kind, message(b""), refused
    if kind == "empty in chunks":
        return kind, chunked(b""), refused
    if kind == "wrong path":
        return (
            kind,
            message(
                body, path=rng.choice(["/infer", "/v2/models/letters/infer", INFER + "/", "/..//etc/passwd", "/%00"])
            ),
            {404},
        )
    if kind == "wrong method":
        return kind, message(body, method=rng.choice(["GET", "PUT", "DELETE", "PATCH"])), {405}
    if kind == "no HTTP":
        return (
            kind,
            rng.choice(
                [
                    b"\x16\x03\x01\x02\x00\x01" + rng.randbytes(100),
                    b"hello\r\n\r\n",
                    b"POST\r\n\r\n",
                    b"GET / HTTP/9.9\r\n\r\n",
                    b"POST " + INFER.encode() + b" HTTP/1.1\r\nbad header\r\n\r\n",
                ]
            ),
            {400, None},
        )
    return (
        kind,
        message(body, headers=rng.choice(["Content-Length: x\r\n", "Content-Length: -5\r\n", "Content-Length: 3\r\n"])),
        {400},
    )


class Client:
    """One connection that is opened again whenever the server closed it, as it may after an HTTP error."""

    def __init__(self, port):
        self.port, self.reader, self.writer = port, None, None

    async def ask(self, raw):
        """Send the bytes and return status and body; status None if the server closed the connection without an answer."""
        for attempt in range(2):
            if self.writer is None:
                self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
                fresh = True
            else:
                fresh = False
            try:
                self.writer.write(raw)
                await self.writer.drain()
                head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                length = int(head.partition("content-length: ")[2].split("\r\n")[0] or 0)
                text = await self.reader.readexactly(length)
                if "connection: close" in head or head.startswith(("http/1.1 400", "http/1.1 413")):
                    self.close()
                return int(head[9:12]), text, head
            except (ConnectionError, asyncio.IncompleteReadError):
                self.close()
                if fresh or attempt:  # else the server had closed an idle connection before: once more on a new one
                    return None, b"", ""

    def close(self):
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None


def worker_processes(server):
    return sorted(process.pid for process in psutil.Process(server.process.pid).children(recursive=True))


def throughput(chapter, server, status):
    """How many answers with this status a server has counted: mosec's counter or that of the chapter's own server."""
    counters = chapter["metrics"](server)
    return counters.get(
        f'throughput_total{{code="{status}",endpoint="{INFER}"}}', counters.get(f"app_{status}_total", 0)
    )


@pytest.mark.parametrize("door", ["server", "gateway", "explained"])
def test_ten_thousand_malformed_requests(chapter, server, gateway, explained, door):
    """Each gets a 4xx of its kind, good requests in between are answered rightly, and the same processes live on.

    Once to the inference server, once through the gateway, once to the server that the chapter writes itself; the last
    two get empty bodies too.
    """
    port = {"server": server, "gateway": gateway, "explained": explained}[door].port
    asked = KINDS if door == "server" else KINDS + EMPTY
    if door == "explained":
        server = explained
    alive = server.process.pid
    images, expected, request_body = chapter["x_test"], chapter["expected"], chapter["request_body"]
    before, good_before = worker_processes(server), throughput(chapter, server, 200)
    wrong, kinds, good = [], {}, 0

    async def connection(number):
        nonlocal good
        rng, client = random.Random(number), Client(port)
        for i in range(REQUESTS // CONNECTIONS):
            image = images[rng.randrange(len(images))]
            kind, raw, right = malformed(rng, image, asked)
            kinds[kind] = kinds.get(kind, 0) + 1
            status, text, _ = await asyncio.wait_for(client.ask(raw), LONGEST_WAIT)
            if status not in right:
                wrong.append((kind, status, raw[:200], text[:100]))
            if kind == "no HTTP":
                client.close()
            if i % 20 == 0:
                row = rng.randrange(len(images))
                status, text, head = await asyncio.wait_for(
                    client.ask(message(request_body(images[row]))), LONGEST_WAIT
                )
                good += 1
                digit = np.argmax(json.loads(text)["outputs"][0]["data"]) if status == 200 else None
                if digit != expected[row] or "content-type: application/json" not in head:
                    wrong.append(("good", status, expected[row], text[:100]))
        client.close()

    async def all_connections():
        await asyncio.gather(*(connection(number) for number in range(CONNECTIONS)))

    asyncio.run(all_connections())
    assert sum(kinds.values()) == REQUESTS and min(kinds.values()) > 300, kinds
    assert not wrong, f"{len(wrong)} wrong answers, the first: {wrong[:3]}"
    assert throughput(chapter, server, 200) - good_before == good >= REQUESTS // 20
    assert throughput(chapter, server, 500) == 0
    assert worker_processes(server) == before, "a process of the server died and was replaced"
    assert chapter["metrics"](server).get("remaining_task", 0) == 0
    assert server.process.poll() is None and server.process.pid == alive
    for row in range(100):
        assert chapter["prediction"](chapter["ask"](server, INFER, request_body(images[row]))) == expected[row]


def test_clients_that_vanish(chapter):
    """Clients that close the connection within the request, or before the answer, do not disturb the others or the stop.

    mosec's gauge of waiting tasks can keep those that vanish in the very moment of their answer, so it need not return to
    zero.
    """
    server = chapter["start"]("server.py", ready="/", BATCH=32, WAIT_MS=2)
    body = chapter["request_body"](chapter["x_test"][0])
    before = worker_processes(server)

    async def vanish(number):
        rng = random.Random(number)
        raw = message(body)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(raw[: rng.randrange(1, len(raw) + 1)] if number % 2 else raw)
        await writer.drain()
        if number % 3 == 0:
            await asyncio.sleep(rng.random() / 100)
        writer.transport.abort()

    async def all_clients():
        for begin in range(0, 400, 20):
            await asyncio.gather(*(vanish(number) for number in range(begin, begin + 20)))

    asyncio.run(all_clients())
    for row in range(100):
        reply = chapter["ask"](server, INFER, chapter["request_body"](chapter["x_test"][row]))
        assert chapter["prediction"](reply) == chapter["expected"][row]
    assert worker_processes(server) == before and throughput(chapter, server, 500) == 0
    assert chapter["stop"](server) == 0


def test_a_gateway_says_when_nobody_is_behind_it(chapter):
    """A dead service is a 502 with a reason, not a hang and not a 500."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        gateway = chapter["start"]("gateway.py", ready="/", BEHIND=closed.getsockname()[1])
        reply = chapter["ask"](gateway, INFER, b"{}")
    assert (reply.status, reply.text) == (502, b"the service does not answer")
    chapter["stop"](gateway)


def test_an_empty_body_is_no_prediction(chapter, server):
    """mosec answers an empty body with 200 by itself: the chapter's client does not take that for a prediction."""
    reply = chapter["ask"](server, INFER, b"")
    assert (reply.status, reply.text, reply.kind) == (200, b"no data provided", None), (
        "mosec has changed: the gateway may go"
    )
    with pytest.raises(RuntimeError, match="no data provided"):
        chapter["prediction"](reply)


def test_stop_under_load_loses_nothing(chapter):
    """Requests in flight at SIGTERM all get their answers, and no process of the group is left."""
    server = chapter["start"]("server.py", ready="/", BATCH=256, WAIT_MS=2500, MOSEC_TIMEOUT=10_000)
    images, expected = chapter["x_test"][:100], chapter["expected"]

    async def run():
        clients = [Client(server.port) for _ in images]
        waiting = [
            asyncio.create_task(client.ask(message(chapter["request_body"](image))))
            for client, image in zip(clients, images)
        ]
        while await asyncio.to_thread(lambda: chapter["metrics"](server)["remaining_task"]) < len(images):
            assert not waiting[0].done(), "the requests did not meet"
            await asyncio.sleep(0.02)
        server.process.send_signal(signal.SIGTERM)
        replies = await asyncio.wait_for(asyncio.gather(*waiting), LONGEST_WAIT)
        for client in clients:
            client.close()
        return replies

    replies = asyncio.run(run())
    assert [status for status, _, _ in replies] == [200] * len(images)
    assert [np.argmax(json.loads(text)["outputs"][0]["data"]) for _, text, _ in replies] == list(
        expected[: len(images)]
    )
    assert chapter["stop"](server) == 0
    left = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == server.process.pid:
                left.append(process)
        except (OSError, psutil.Error):
            pass  # it ended meanwhile
    _, left = psutil.wait_procs(left, timeout=10)
    assert all(process.status() == psutil.STATUS_ZOMBIE for process in left)


def test_the_chapter_s_own_server_refuses_and_stops_in_order(chapter):
    """A full queue is a 503 with Retry-After; after SIGTERM it says 'not ready', goes on serving, then ends."""
    server = chapter["start"]("app.py", BATCH=1, LIMIT=4, CALL_MS=50, DRAIN=3)
    images, expected = chapter["x_test"][:30], chapter["expected"]

    async def burst():
        clients = [Client(server.port) for _ in images]
        bodies = [message(chapter["request_body"](image)) for image in images]
        replies = await asyncio.gather(*(client.ask(body) for client, body in zip(clients, bodies)))
        for client in clients:
            client.close()
        return replies

    replies = asyncio.run(burst())
    assert {status for status, _, _ in replies} == {200, 503}
    for row, (status, text, head) in enumerate(replies):
        if status == 200:
            assert np.argmax(json.loads(text)["outputs"][0]["data"]) == expected[row]
        else:
            assert "retry-after: 1" in head
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert chapter["ask"](server, "/v2/health/ready").status == 503
    reply = chapter["ask"](server, INFER, chapter["request_body"](images[0]))
    assert chapter["prediction"](reply) == expected[0]
    assert server.process.wait(timeout=20) == -signal.SIGTERM
    server.guard.communicate()


def test_the_queue_of_the_chapter_s_own_server_is_bounded_for_slow_clients_too(chapter):
    """A hundred clients whose heads arrive before any body: the places are counted again when the body is there."""
    limit, calls = 8, 100
    server = chapter["start"]("app.py", BATCH=1, LIMIT=limit, CALL_MS=500)
    raw = message(chapter["request_body"](chapter["x_test"][0]))
    head = raw[: raw.index(b"\r\n\r\n") + 4]

    async def client(number, heads):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(head)
        heads.append(number)
        while len(heads) < calls:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)
        writer.write(raw[len(head) :])
        status = int((await reader.readuntil(b"\r\n\r\n"))[9:12])
        writer.close()
        return status

    async def all_clients():
        begin, heads = time.monotonic(), []
        replies = await asyncio.gather(*(client(number, heads) for number in range(calls)))
        return replies, time.monotonic() - begin

    replies, seconds = asyncio.run(all_clients())
    answered = sum(status == 200 for status in replies)
    assert set(replies) == {200, 503}
    assert limit <= answered <= limit + 1 + seconds / 0.5 < calls
    chapter["stop"](server)


def test_a_failing_call_is_a_500_and_the_worker_lives_on(chapter):
    """One batch that the model cannot compute is answered with 500; the next gets its digit."""
    with open("app.py") as file:
        program = file.read()
    failing = """
def predict(images):
    if not images.any():
        raise RuntimeError("planted")
    return real(images)
"""
    assert program.count("predict = load()") == 1
    with open("failing.py", "w") as file:
        file.write(program.replace("predict = load()", "real = load()\n" + failing))
    server = chapter["start"]("failing.py", BATCH=1)
    good = chapter["request_body"](chapter["x_test"][0])
    bad = chapter["request_body"](np.zeros((28, 28), int))
    for _ in range(3):
        assert chapter["ask"](server, INFER, bad).status == 500
        assert chapter["prediction"](chapter["ask"](server, INFER, good)) == chapter["expected"][0]
    assert throughput(chapter, server, 500) == 3
    chapter["stop"](server)
