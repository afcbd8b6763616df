import base64
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from softhash.runs.folder import Run
from softhash.search.collection import Collection
from softhash.search.exact import Exact
from softhash.search.index import write_index

pytestmark = pytest.mark.slow
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NAMES = [*(f"{number:02d}.png" for number in range(11)), "${7 * 7} <b>{{6 * 6}}<!--.png"]
WATCH = """
import os, sys
def note(event, arguments):
    if event in {"socket.connect", "socket.getaddrinfo"}:
        with open(os.environ["CONNECTIONS"], "a") as file:
            print(event, arguments[-1] if event == "socket.connect" else arguments[0], file=file)
sys.addaudithook(note)
with open(os.environ["CONNECTIONS"], "a") as file:
    print("watching", file=file)
"""


class Served(NamedTuple):
    address: str
    photos: Path
    runs: list[Run]
    codes: list[np.ndarray]
    connections: Path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, write_untrained: Callable[..., Run]) -> Iterator[Served]:
    """The demo of two runs on twelve photos, in a process that notes whom it connects to."""
    pytest.importorskip("gradio")
    folder = tmp_path_factory.mktemp("demo")
    photos, connections = folder / "photos", folder / "connections.txt"
    photos.mkdir()
    (folder / "sitecustomize.py").write_text(WATCH)
    rng = np.random.default_rng(0)
    for name in NAMES:
        Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)).save(photos / name)
    runs = [write_untrained(folder / "first"), write_untrained(folder / "second", "bits=16")]
    codes, labels = [], np.eye(12, 2, dtype=np.uint8)
    for run, bits in zip(runs, (12, 16), strict=True):
        found = run.encoder()(run.preprocessing()(*(photos / name for name in NAMES))).database.numpy()
        codes.append(np.unpackbits(found, axis=1, bitorder="little"))
        collection = Collection(found, NAMES, bits, run.identity(), labels, ["cat", "dog"])
        write_index(collection, Exact(), folder / f"{run.folder.name}.index")
    arguments = ["run=[first,second]", "index=[first.index,second.index]", "images=photos", "port=0"]
    added = {"PYTHONPATH": f"{folder}:{os.environ.get('PYTHONPATH', '')}", "CONNECTIONS": str(connections)}
    with (folder / "errors.txt").open("w") as errors:
        process = subprocess.Popen(
            [str(Path(sys.executable).parent / "softhash"), "demo", *arguments],
            cwd=folder,
            env=os.environ | added | {"OMP_NUM_THREADS": "1", "COLUMNS": "120"},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    line = process.stdout.readline()
    address = re.search(r"Open (http://127\.0\.0\.1:\d+) \(Ctrl-C ends", line)
    assert address is not None, line + (folder / "errors.txt").read_text()
    yield Served(address[1], photos, runs, codes, connections)
    process.send_signal(signal.SIGINT)
    assert process.wait(300) == 130
    assert (folder / "errors.txt").read_text().endswith("softhash: stopped by Ctrl-C.\n")


def nearest(codes: np.ndarray, row: int, count: int) -> list[tuple[str, int]]:
    distances = (codes != codes[row]).sum(1)
    return [(NAMES[place], int(distances[place])) for place in distances.argsort(kind="stable")[:count]]


def test_a_program_uploads_a_photo_and_gets_what_each_run_finds(served: Served, tmp_path: Path) -> None:
    client_module = pytest.importorskip("gradio_client")
    client = client_module.Client(served.address, verbose=False, download_files=str(tmp_path))
    photo = client_module.handle_file(str(served.photos / NAMES[3]))

    answers = client.predict(photo, top_k=5, api_name="/search")
    (near, _) = client.predict(photo, top_k=2, limited=True, radius=12, api_name="/search")

    for answer, run, codes in zip(answers, served.runs, served.codes, strict=True):
        found = [(hit["name"], hit["distance"]) for hit in answer["neighbours"]]
        assert found == nearest(codes, 3, 5)
        assert (answer["run"], answer["checkpoint"]) == (run.identity()["run"], run.identity()["checkpoint"])
    assert near["total"] == 12  # no two codes of 12 bits are further apart
    assert [hit["name"] for hit in near["neighbours"]] == [name for name, _ in nearest(served.codes[0], 3, 2)]


def test_a_program_is_told_what_is_wrong(served: Served, tmp_path: Path) -> None:
    client_module = pytest.importorskip("gradio_client")
    client = client_module.Client(served.address, verbose=False, download_files=str(tmp_path))
    (tmp_path / "broken.jpg").write_bytes((served.photos / NAMES[3]).read_bytes()[:100])

    with pytest.raises(client_module.exceptions.AppError, match=r"^broken.jpg cannot be read as a photo: "):
        client.predict(client_module.handle_file(str(tmp_path / "broken.jpg")), api_name="/search")
    with pytest.raises(client_module.exceptions.AppError, match="top_k must be at least 1 and at most 12, got 13"):
        client.predict(client_module.handle_file(str(served.photos / NAMES[3])), top_k=13, api_name="/search")


@pytest.mark.parametrize("meta", [{"meta": {"_type": "gradio.FileData"}}, {}])
def test_files_of_the_machine_are_read_for_nobody(served: Served, meta: dict[str, Any]) -> None:
    httpx = pytest.importorskip("httpx")
    photo = {"path": str(served.photos / NAMES[3])} | meta
    search = f"{served.address}/gradio_api/call/search"

    asked = httpx.post(search, json={"data": [photo, 5, False, 2]})
    answer = httpx.get(f"{search}/{asked.json()['event_id']}")
    file = httpx.get(f"{served.address}/gradio_api/file={photo['path']}")

    assert "event: error" in answer.text
    assert "neighbours" not in answer.text
    assert file.status_code == 403


def test_nobody_but_this_machine_is_connected_to(served: Served) -> None:
    connections = served.connections.read_text().splitlines()

    assert "watching" in connections
    assert [line for line in connections if line != "watching" and "127.0.0.1" not in line] == []


class Page:
    """A page in a headless Chromium, driven by its DevTools protocol over two pipes.

    Attributes:
        requests: Addresses that were asked for, as far as answers have been read.
    """

    def __init__(self, profile: Path) -> None:
        (theirs, self._write), (self._read, ours) = os.pipe(), os.pipe()
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
        ours_alone = ["--remote-debugging-pipe", "--window-size=1280,900", f"--user-data-dir={profile}", "about:blank"]
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$0" "$@" 3<&{theirs} 4>&{ours}', BROWSER, *flags, *ours_alone],
            pass_fds=(theirs, ours),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs)
        os.close(ours)
        self._messages, self._numbers, self._session = os.fdopen(self._read, "rb"), itertools.count(1), {}
        self.requests: list[str] = []
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        self._session = {"sessionId": self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]}
        for domain in ("Network", "Page", "Runtime", "DOM"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> Any:
        number = next(self._numbers)
        os.write(self._write, json.dumps({"id": number, "method": method, "params": params, **self._session}).encode())
        os.write(self._write, b"\0")
        while True:
            message = self._next()
            if message.get("method") == "Network.requestWillBeSent":
                self.requests.append(message["params"]["request"]["url"])
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]

    def _next(self) -> Any:
        text = bytearray()
        while not text.endswith(b"\0"):
            byte = self._messages.read(1)
            assert byte, "Chromium has ended"
            text += byte
        return json.loads(text[:-1])

    def ask(self, expression: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, condition: str) -> None:
        """Until the page has come to something, for some minutes; else show the text that it has."""
        self.ask(
            "new Promise((met, fail) => { const end = Date.now() + 300000;"
            f" const look = () => ({condition}) ? met(true)"
            " : Date.now() > end ? fail(new Error(document.body.innerText)) : setTimeout(look, 50); look(); })"
        )

    def upload(self, photo: Path) -> None:
        self.wait("document.querySelector('input[type=file]')")
        document = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=document, selector="input[type=file]")["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(photo)])

    def picture(self) -> bytes:
        return base64.b64decode(self.call("Page.captureScreenshot")["data"])

    def close(self) -> None:
        self.call("Browser.close")
        self._process.wait(300)


@pytest.fixture
def page(served: Served, tmp_path: Path) -> Iterator[Page]:
    page = Page(tmp_path / "profile")
    page.call("Page.navigate", url=served.address)
    yield page
    page.close()


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium on this machine")
def test_a_person_uploads_a_photo_and_sees_what_each_run_finds(served: Served, page: Page) -> None:
    page.upload(served.photos / NAMES[3])
    page.wait("document.querySelectorAll('.softhash li img').length == 24")
    columns = page.ask("[...document.querySelectorAll('.softhash section')].map((section) => section.innerText)")
    page.ask("document.querySelector('input[type=checkbox]').click()")
    page.wait("document.querySelector('.softhash section').innerText.includes('within 2 bits')")
    within = page.ask("document.querySelectorAll('.softhash section')[0].querySelectorAll('li').length")

    for column, codes, title in zip(columns, served.codes, ("A: mine, 12 bits", "B: mine, 16 bits"), strict=True):
        assert column.startswith(title)
        names = re.findall(r"^.*\.png$", column, re.MULTILINE)
        assert names == [name for name, _ in nearest(codes, 3, 12)]  # as text: names are neither markup nor templates
        assert column.count("also") == 12
    assert within == ((served.codes[0] != served.codes[0][3]).sum(1) <= 2).sum()
    assert page.ask("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium on this machine")
def test_a_person_takes_an_example(page: Page) -> None:
    page.wait("document.querySelectorAll('.gallery img').length == 12")
    page.ask("document.querySelectorAll('.gallery img')[5].closest('button').click()")
    page.wait("document.querySelector('.softhash li')")

    assert "05.png" in page.ask("document.querySelector('.softhash section').innerText")


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium on this machine")
def test_a_broken_photo_is_named_on_the_page(page: Page, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 half of a photo")

    page.upload(tmp_path / "broken.jpg")
    page.wait("document.querySelector('.softhash [role=alert]')")

    text = page.ask("document.body.innerText")
    assert "broken.jpg cannot be read as a photo: " in text
    assert "Traceback" not in text


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium on this machine")
def test_the_page_asks_nobody_but_the_demo(served: Served, page: Page) -> None:
    page.upload(served.photos / NAMES[0])
    page.wait("document.querySelector('.softhash li')")
    links = page.ask("[...document.querySelectorAll('link, script')].map((link) => link.href || link.src || '')")

    ours = (served.address, "data:", "blob:")
    assert len(page.requests) > 10
    assert [url for url in page.requests if not url.startswith(ours)] == []
    assert [url for url in links if url and not url.startswith(ours)] == []
