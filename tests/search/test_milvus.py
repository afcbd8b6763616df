"""Against a real server, which ``make test-milvus`` installs into a virtual environment of its own."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

pytest.importorskip("pymilvus", reason="the extra milvus is not installed")

from grpc import RpcError
from pymilvus import MilvusClient, MilvusException

from softhash.search.collection import Collection
from softhash.search.exact import Exact
from softhash.search.index import Index, add_to_index, delete_from_index, write_index
from softhash.search.milvus import Milvus, ids_of

ROOT = Path(__file__).parents[2]
PYTHON = Path(os.environ.get("SOFTHASH_MILVUS", ROOT / ".venv-milvus")) / "bin" / "python"
START = """
import socket
import sys
from milvus import MilvusServer, MilvusServerConfig

def try_bind_port(self, port):  # its own takes another port while connections to a killed server are not forgotten
    trial = socket.socket()
    trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        trial.bind(("127.0.0.1", port))
        trial.listen()
    except OSError:
        return None
    return trial

MilvusServerConfig.try_bind_port = try_bind_port
server = MilvusServer()
server.set_base_dir(sys.argv[1])
server.listen_port = int(sys.argv[2])
server.start()
print(server.server_proc.pid, flush=True)
sys.stdin.read()
"""
needs_server = pytest.mark.skipif(
    not PYTHON.exists(), reason=f"no Milvus server: {PYTHON} is missing; make test-milvus installs one"
)


class Server:
    """A Milvus server as a process of its own, which can be killed and started again with what it has stored."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.process, self.pid = folder, None, 0
        self.port = next(port for port in range(25_000, 32_000) if is_free(port))
        self.uri = f"http://127.0.0.1:{self.port}"
        binaries = PYTHON.parents[1] / "server"
        binaries.mkdir(exist_ok=True)
        (folder / "bin").symlink_to(binaries)

    def start(self) -> None:
        self.process: Any = subprocess.Popen(
            [str(PYTHON), "-c", START, str(self.folder), str(self.port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = int(self.process.stdout.readline())
        for _ in range(500):  # it says so before it answers, and after a kill waits for its old self to be forgotten
            with (
                suppress(MilvusException, RpcError),
                closing(MilvusClient(self.uri, dedicated=True, timeout=60)) as client,
            ):
                client.list_collections(timeout=60)
                return
            time.sleep(0.5)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def is_free(port: int) -> bool:
    """Whether a server can listen there.

    Ports that the system gives to clients will not do: a client that waits for a server that was killed may be given
    the port of this server, and connect to itself.
    """
    with socket.socket() as trial:
        try:
            trial.bind(("", port))
        except OSError:
            return False
        return True


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with FileLock(Path(gettempdir()) / "softhash-milvus.lock"):  # two servers on one machine take each other's ports
        server = Server(tmp_path_factory.mktemp("milvus"))
        server.start()
        yield server
        server.kill()


@pytest.fixture
def engine(server: Server, request: pytest.FixtureRequest) -> Milvus:
    name = "".join(letter if letter.isalnum() else "_" for letter in request.node.name)
    return Milvus(uri=server.uri, collection=name, batch_size=100, timeout=60)


def collection(count: int = 400, **changes: object) -> Collection:
    """Codes of which 12 bits vary, so that many are equally far."""
    rng = np.random.default_rng(0)
    parts: dict[str, object] = {
        "codes": np.concatenate([rng.integers(0, 256, (count, 2)), np.zeros((count, 1))], axis=1).astype(np.uint8) & 63,
        "names": [f'{"odd" if i % 2 else "even"}/"é\udcff_%{i}.jpg' for i in range(count)],
        "bits": 20,
        "encoder": {"run": "runs/a", "method": "dpsh", "checkpoint": "a" * 64},
        "labels": np.stack([np.arange(count) % 3 == 0, np.arange(count) % 5 == 0], axis=1).astype(np.uint8),
        "label_names": ["cat", "dog"],
    }
    return Collection(**(parts | changes))  # type: ignore[arg-type]


def entities(engine: Milvus) -> int:
    client = engine.client()
    return int(client.query(engine.collection, filter="", output_fields=["count(*)"])[0]["count(*)"])


def assert_finds_what_exact_search_finds(folder: Path, exact: Path, **search: Any) -> None:
    """Distances are equal, and so are the names but for those at the distance of the last one."""
    found, expected = (Index.open(path) for path in (folder, exact))
    queries = np.asarray(found.collection.codes[:30])
    for one, other in zip(found.search(queries, **search), expected.search(queries, **search), strict=True):
        assert one.distances.tolist() == other.distances.tolist()
        within = one.distances < one.distances[-1]
        assert np.array(one.names)[within].tolist() == np.array(other.names)[within].tolist()


@needs_server
@pytest.mark.slow
@pytest.mark.parametrize(
    "search", [{"top_k": 20}, {"top_k": 40, "label": "dog"}, {"top_k": 30, "name": 'odd/"é*'}], ids=str
)
def test_it_finds_what_exact_search_finds(tmp_path: Path, engine: Milvus, search: dict[str, Any]) -> None:
    write_index(collection(), engine, tmp_path / "milvus")
    write_index(collection(), Exact(), tmp_path / "exact")

    assert_finds_what_exact_search_finds(tmp_path / "milvus", tmp_path / "exact", **search)


@needs_server
@pytest.mark.slow
def test_lists_are_searched_too_and_a_radius_finds_all(tmp_path: Path, server: Server) -> None:
    engine = Milvus(uri=server.uri, collection="lists", index_type="BIN_IVF_FLAT", num_lists=4, num_probes=4)
    write_index(collection(), engine, tmp_path / "milvus")
    write_index(collection(), Exact(), tmp_path / "exact")

    found, expected = (
        Index.open(tmp_path / name).within(np.asarray(collection().codes[:9]), radius=2) for name in ("milvus", "exact")
    )

    assert [each.rows.tolist() for each in found] == [each.rows.tolist() for each in expected]
    assert [each.distances.tolist() for each in found] == [each.distances.tolist() for each in expected]


@needs_server
@pytest.mark.slow
def test_a_call_again_doubles_nothing(tmp_path: Path, engine: Milvus) -> None:
    for name in ("one", "two"):
        write_index(collection(), engine, tmp_path / name)

    assert entities(engine) == 400


@needs_server
@pytest.mark.slow
def test_images_are_added_and_deleted_also_twice(tmp_path: Path, engine: Milvus) -> None:
    whole = collection()
    first, rest = whole.take(np.arange(300)), whole.take(np.arange(300, 400))
    write_index(first, engine, tmp_path / "milvus")

    engine.add(whole, 300, tmp_path)  # the process was killed before it had changed the folder
    add_to_index(tmp_path / "milvus", rest)
    assert entities(engine) == 400
    engine.delete(whole, [whole.names[7]], tmp_path)
    delete_from_index(tmp_path / "milvus", [whole.names[7]])

    assert entities(engine) == 399
    write_index(whole.take(np.delete(np.arange(400), 7)), Exact(), tmp_path / "exact")
    assert_finds_what_exact_search_finds(tmp_path / "milvus", tmp_path / "exact", top_k=50)


@needs_server
@pytest.mark.slow
def test_images_that_only_the_server_has_are_not_found(tmp_path: Path, engine: Milvus) -> None:
    first = collection().take(np.arange(300))
    write_index(first, engine, tmp_path / "milvus")
    engine.add(collection(), 300, tmp_path)  # and killed before it had changed the folder

    found = Index.open(tmp_path / "milvus").search(np.asarray(first.codes[:20]), top_k=40)

    assert all(set(each.names) <= set(first.names) for each in found)


@needs_server
@pytest.mark.slow
def test_a_collection_of_something_else_is_left_alone(tmp_path: Path, engine: Milvus) -> None:
    write_index(collection(), engine, tmp_path / "index")
    client = MilvusClient(engine.uri)
    client.create_collection("strange", dimension=8)
    other_run = collection(encoder={"checkpoint": "b" * 64})
    other_codes = collection(codes=collection().codes ^ 1)

    with pytest.raises(ValueError, match=r"was not made for codes of this run, .*\n.* engine\.collection=NAME"):
        write_index(other_run, engine, tmp_path / "a")
    with pytest.raises(ValueError, match=r"has another code for even/"):
        write_index(other_codes, engine, tmp_path / "b")
    with pytest.raises(ValueError, match="holds 100 other images"):
        write_index(collection().take(np.arange(300)), engine, tmp_path / "c")
    with pytest.raises(ValueError, match=r"'strange' at .* was not made for codes"):
        write_index(collection(), Milvus(uri=engine.uri, collection="strange"), tmp_path / "d")

    assert entities(engine) == 400
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["index"]


@needs_server
@pytest.mark.slow
def test_a_collection_that_was_dropped_says_what_to_do(tmp_path: Path, engine: Milvus) -> None:
    write_index(collection(), engine, tmp_path / "index")
    MilvusClient(engine.uri).drop_collection(engine.collection)

    with pytest.raises(ValueError, match=r"has no collection .*\n.*index the codes again"):
        Index.open(tmp_path / "index")


@needs_server
@pytest.mark.slow
def test_what_milvus_cannot_do_is_refused_by_name(tmp_path: Path, engine: Milvus) -> None:
    write_index(collection(), engine, tmp_path / "index")
    index = Index.open(tmp_path / "index")

    with pytest.raises(ValueError, match="engine=milvus has Hamming distance alone"):
        index.search(np.zeros((1, 3, 256)), top_k=1)
    with pytest.raises(ValueError, match=r"engine=milvus has no filter name=\*\.jpg"):
        index.search(index.collection.codes[:1], top_k=1, name="*.jpg")
    with pytest.raises(ValueError, match=r"engine=milvus finds at most 16,384 images for a query, not top_k=20,000"):
        index._searcher.nearest(np.asarray(index.collection.codes[:1]), 20_000, None)  # type: ignore[arg-type]


@needs_server
@pytest.mark.slow
def test_a_killed_server_loses_nothing_the_same_call_completes_and_open_indexes_search_again(
    tmp_path: Path, server: Server, engine: Milvus, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_index(collection(), Exact(), tmp_path / "exact")
    write_index(collection(), Milvus(uri=server.uri, collection="opened"), tmp_path / "opened")
    opened = Index.open(tmp_path / "opened")
    query = np.asarray(collection().codes[:1])
    before = opened.search(query, top_k=9)[0].distances.tolist()
    upsert, batches = MilvusClient.upsert, []

    def kill_before_the_third(client: MilvusClient, name: str, part: list[dict[str, Any]], **options: Any) -> object:
        batches.append(len(part))
        if len(batches) == 3:
            server.kill()
        return upsert(client, name, part, **(options | {"timeout": 5}))

    with monkeypatch.context() as patch:
        patch.setattr(MilvusClient, "upsert", kill_before_the_third)
        with pytest.raises(OSError, match=r"the server at .* cannot be reached.*\n.*What it has received is kept"):
            write_index(collection(), engine, tmp_path / "milvus")
    with pytest.raises(OSError, match=r"the server at .* cannot be reached"):
        opened.search(query, top_k=9)
    assert batches == [100, 100, 100]
    assert not (tmp_path / "milvus").exists()

    server.start()
    write_index(collection(), engine, tmp_path / "milvus")

    assert entities(engine) == 400
    assert_finds_what_exact_search_finds(tmp_path / "milvus", tmp_path / "exact", top_k=20)
    assert opened.search(query, top_k=9)[0].distances.tolist() == before


def test_a_server_that_is_not_there_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"engine=milvus: the server at http://127\.0\.0\.1:9 cannot be reached"):
        write_index(collection(), Milvus(uri="http://127.0.0.1:9", timeout=1), tmp_path / "index")

    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []


def test_names_with_equal_hashes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("softhash.search.names._hashes", lambda _, count: np.arange(count, dtype=np.uint64) // 2)

    with pytest.raises(ValueError, match="engine=milvus cannot tell 'a' and 'b' apart"):
        ids_of(Collection(np.zeros((2, 1), dtype=np.uint8), ["a", "b"], 8, {}))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"index_type": "HNSW"}, r"engine\.index_type must be one of BIN_FLAT"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Milvus(**options)
