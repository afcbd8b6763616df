"""Search by a Milvus server, or a cluster of them."""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from softhash.functional.checks import check_at_least, check_option
from softhash.search.collection import Collection
from softhash.search.engine import Engine, Filter, Hits, Searcher
from softhash.search.names import Names
from softhash.text import first_few

try:
    from grpc import RpcError
    from pymilvus import DataType, MilvusClient, MilvusException
except ImportError as error:
    message = "engine=milvus needs the package pymilvus: pip install 'softhash[milvus]'"
    raise ImportError(message) from error

_MOST = 16_384  # that Milvus gives for one query
_TOGETHER = 100  # queries in one request, which must be answered before the timeout
_WILD = set("*?[")


@dataclass(frozen=True)
class Milvus(Engine):
    """Codes as binary vectors of a Milvus server, compared by Hamming distance.

    The folder of the index has codes, names and labels as well, so the server's collection is a copy that can be made
    again. Each image has a primary key that is made from its name: inserting one again changes nothing. An access token
    is read from the environment variable ``MILVUS_TOKEN``, and written nowhere.

    Attributes:
        uri: Of the server.
        collection: Its name there.
        index_type: ``BIN_FLAT`` compares with every code, ``BIN_IVF_FLAT`` with those in the lists
            nearest to the query.
        num_lists: Of ``BIN_IVF_FLAT``.
        num_probes: Lists that are searched, more for a higher recall.
        batch_size: Images in one request.
        timeout: Seconds until a request to a server that does not answer is given up.

    Raises:
        ValueError: There is no such type of index, or a number is below 1.
    """

    name = "milvus"
    uri: str = "http://127.0.0.1:19530"
    collection: str = "softhash"
    index_type: str = "BIN_FLAT"
    num_lists: int = 1024
    num_probes: int = 16
    batch_size: int = 10_000
    timeout: float = 60.0

    def __post_init__(self) -> None:
        """Check values."""
        check_option("engine.index_type", self.index_type, ("BIN_FLAT", "BIN_IVF_FLAT"))
        check_at_least(1, num_lists=self.num_lists, num_probes=self.num_probes, batch_size=self.batch_size)
        check_at_least(1, timeout=self.timeout)

    def build(self, collection: Collection, folder: Path) -> None:
        """Bring all codes to the server; those that an earlier call has brought there are left as they are.

        Raises:
            ValueError: The server's collection holds something else.
            OSError: The server cannot be reached, or was lost on the way.
        """
        ids = ids_of(collection)
        with self.connected() as client:
            if client.has_collection(self.collection, timeout=self.timeout):
                self._load(client, collection)
                there = self._there(client, collection, ids, 0)
                others = self._count(client) - int(there.sum())
                if others > 0:
                    self._refuse_taken(f"holds {others:,} other images")
            else:
                self._create(client, collection)
                there = np.zeros(len(collection), dtype=bool)
            self._insert(client, collection, ids, np.flatnonzero(~there))

    def add(self, collection: Collection, start: int, folder: Path) -> None:
        """Bring new codes to the server."""
        ids = ids_of(collection)
        with self.connected() as client:
            self._load(client, collection)
            there = self._there(client, collection, ids, start)
            self._insert(client, collection, ids, start + np.flatnonzero(~there))

    def delete(self, collection: Collection, names: list[str], folder: Path) -> None:
        """Delete codes from the server."""
        ids = Names.of(names).hashes().view(np.int64)
        with self.connected() as client:
            self._load(client, collection)
            for first in range(0, len(ids), self.batch_size):
                part = ids[first : first + self.batch_size].tolist()
                client.delete(self.collection, ids=part, timeout=self.timeout)

    def open(self, collection: Collection, folder: Path) -> "MilvusSearcher":
        """Have the server load the collection."""
        with self.connected() as client:
            self._load(client, collection)
        return MilvusSearcher(self, collection)

    def client(self) -> MilvusClient:
        """Connect; the connection is not shared, as shared ones stay broken when their server was started again."""
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # it logs tracebacks of what it raises
        token = os.environ.get("MILVUS_TOKEN", "")
        return MilvusClient(self.uri, token=token, timeout=self.timeout, dedicated=True)

    @contextmanager
    def connected(self) -> Iterator[MilvusClient]:
        """A client for a block; raises as :meth:`explained` does."""
        with self.explained(), closing(self.client()) as client:
            yield client

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Tell in words what goes wrong with the server in a block.

        Raises:
            OSError: The server cannot be reached, or refuses.
        """
        try:
            yield
        except (MilvusException, RpcError) as error:
            reason = error.message if isinstance(error, MilvusException) else error.details()
            msg = (
                f"engine=milvus: the server at {self.uri} cannot be reached, or has refused: {reason}\n"
                "  See that it runs, or set engine.uri; or a larger engine.timeout, where it is slow."
                " What it has received is kept, and the same command goes on."
            )
            raise OSError(msg) from error

    def _create(self, client: MilvusClient, collection: Collection) -> None:
        schema = client.create_schema(
            auto_id=False, enable_dynamic_field=False, description=json.dumps(_about(collection))
        )
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("name", DataType.VARCHAR, max_length=65_535)
        schema.add_field("labels", DataType.ARRAY, element_type=DataType.INT64, max_capacity=4096)
        schema.add_field("code", DataType.BINARY_VECTOR, dim=8 * collection.codes.shape[1])
        index = client.prepare_index_params()
        params = {"nlist": self.num_lists} if self.index_type == "BIN_IVF_FLAT" else {}
        index.add_index("code", index_type=self.index_type, metric_type="HAMMING", params=params)
        client.create_collection(
            self.collection, schema=schema, index_params=index, consistency_level="Strong", timeout=self.timeout
        )

    def _load(self, client: MilvusClient, collection: Collection) -> None:
        """Have the server load its collection, which a server that was started again may not have done.

        Raises:
            ValueError: There is none, or it was not made for such codes.
        """
        if not client.has_collection(self.collection, timeout=self.timeout):
            msg = (
                f"engine=milvus: the server at {self.uri} has no collection {self.collection!r} (any more);\n"
                "  delete the folder of the index, and index the codes again"
            )
            raise ValueError(msg)
        description = client.describe_collection(self.collection, timeout=self.timeout)["description"]
        try:
            about = json.loads(description)
        except ValueError:
            about = None
        if about != _about(collection):
            self._refuse_taken("was not made for codes of this run, code length and labels")
        client.load_collection(self.collection, timeout=self.timeout)

    def _there(
        self, client: MilvusClient, collection: Collection, ids: NDArray[np.int64], start: int
    ) -> NDArray[np.bool_]:
        """``(N - start,)`` which images from ``start`` on the server has, with the same codes."""
        there = np.zeros(len(ids) - start, dtype=bool)
        for first in track(range(start, len(ids), self.batch_size), "Looking what is there", transient=True):
            part = ids[first : first + self.batch_size]
            found = client.query(self.collection, ids=part.tolist(), output_fields=["id", "code"], timeout=self.timeout)
            codes = {entity["id"]: entity["code"][0] for entity in found}
            for row, number in enumerate(part.tolist(), first):
                if number in codes:
                    there[row - start] = True
                    if codes[number] != collection.codes[row].tobytes():
                        self._refuse_taken(f"has another code for {first_few([collection.names[row]])}")
        return there

    def _insert(
        self, client: MilvusClient, collection: Collection, ids: NDArray[np.int64], rows: NDArray[np.int64]
    ) -> None:
        """Insert images by batches; one that comes twice replaces itself."""
        numbers = np.zeros((len(collection), 0)) if collection.labels is None else collection.labels
        for first in track(range(0, len(rows), self.batch_size), f"Inserting {len(rows):,} codes", transient=True):
            part = rows[first : first + self.batch_size].tolist()
            entities = [
                {
                    "id": int(ids[row]),
                    "name": _text(collection.names[row]),
                    "labels": np.flatnonzero(numbers[row]).tolist(),
                    "code": collection.codes[row].tobytes(),
                }
                for row in part
            ]
            client.upsert(self.collection, entities, timeout=self.timeout)
        client.flush(self.collection, timeout=self.timeout)

    def _count(self, client: MilvusClient) -> int:
        answer = client.query(self.collection, filter="", output_fields=["count(*)"], timeout=self.timeout)
        return int(answer[0]["count(*)"])

    def _refuse_taken(self, problem: str) -> NoReturn:
        msg = (
            f"engine=milvus: the collection {self.collection!r} at {self.uri} {problem};\n"
            "  choose another one with engine.collection=NAME, or drop it"
        )
        raise ValueError(msg)


class MilvusSearcher(Searcher):
    """Searches a collection of a server.

    Args:
        engine: Its options.
        collection: The same images.
    """

    def __init__(self, engine: Milvus, collection: Collection) -> None:
        self.engine, self.collection = engine, collection
        self._client: MilvusClient | None = None
        ids = ids_of(collection)
        self._order = ids.argsort()
        self._ids = ids[self._order]

    def nearest(self, queries: NDArray[np.generic], top_k: int, only: Filter) -> list[Hits]:
        """The nearest images; of those at the distance of the last one, any may come."""
        if top_k > _MOST:
            self.engine.refuse(f"finds at most {_MOST:,} images for a query, not top_k={top_k:,}")
        return self._search(queries, top_k, only, {})

    def within(self, queries: NDArray[np.generic], radius: int, only: Filter) -> list[Hits]:
        """All images within a radius, unless they are too many for Milvus."""
        found = self._search(queries, _MOST, only, {"radius": radius + 1, "range_filter": 0})
        if any(len(hits.rows) == _MOST for hits in found):
            self.engine.refuse(f"finds at most {_MOST:,} images for a query, and more are in this radius")
        return found

    def _search(self, queries: NDArray[np.generic], limit: int, only: Filter, params: dict[str, int]) -> list[Hits]:
        if queries.ndim == 3:
            self.engine.refuse("has Hamming distance alone, and this method has a distance of its own")
        if self.engine.index_type == "BIN_IVF_FLAT":
            params = {**params, "nprobe": self.engine.num_probes}
        condition = self._condition(only)
        found: list[Hits] = []
        with self._connected() as client:
            for first in range(0, len(queries), _TOGETHER):
                answers = client.search(
                    self.engine.collection,
                    data=[query.tobytes() for query in queries[first : first + _TOGETHER]],
                    anns_field="code",
                    filter=condition,
                    limit=limit,
                    search_params={"metric_type": "HAMMING", "params": params},
                    timeout=self.engine.timeout,
                )
                found += [self._hits(answer) for answer in answers]
        return found

    @contextmanager
    def _connected(self) -> Iterator[MilvusClient]:
        """A client that is kept, and made anew after its server was lost."""
        with self.engine.explained():
            self._client = self._client or self.engine.client()
            try:
                yield self._client
            except (MilvusException, RpcError):
                self._client.close()
                self._client = None
                raise

    def _condition(self, only: Filter) -> str:
        """A filter in the language of Milvus."""
        parts = []
        if only.label is not None:
            parts.append(f"array_contains(labels, {only.label_number(self.collection)})")
        if only.name is not None:
            start = only.name.removesuffix("*")
            if _WILD & set(start):
                self.engine.refuse(f"has no filter name={only.name}, but names and beginnings such as 'a/*',")
            low, high = (json.dumps(text, ensure_ascii=False) for text in (_text(start), _text(start) + "\U0010ffff"))
            parts.append(f"name == {low}" if start == only.name else f"name >= {low} and name < {high}")
        return " and ".join(parts)

    def _hits(self, answer: list[dict[str, Any]]) -> Hits:
        """Positions of what the server found, ordered by distance and position."""
        ids = np.array([hit["id"] for hit in answer], dtype=np.int64)
        distances = np.array([hit["distance"] for hit in answer]).astype(np.int64)
        places = self._ids.searchsorted(ids).clip(max=len(self._ids) - 1)
        known = self._ids[places] == ids  # the rest was left by a process that was killed while it added images
        rows, distances = self._order[places[known]], distances[known]
        order = np.lexsort((rows, distances))
        return Hits(rows[order], distances[order])


def ids_of(collection: Collection) -> NDArray[np.int64]:
    """Primary keys of images, ``(N,)``: hashes of their names.

    Raises:
        ValueError: Two names have the same hash.
    """
    ids = Names.of(collection.names).hashes().view(np.int64)
    order = ids.argsort()
    same = np.flatnonzero(ids[order[1:]] == ids[order[:-1]])
    if len(same):
        names = [collection.names[order[place]] for place in (same[0], same[0] + 1)]
        msg = (
            f"engine=milvus cannot tell {names[0]!r} and {names[1]!r} apart, whose hashes are equal; rename one of them"
        )
        raise ValueError(msg)
    return ids


def _about(collection: Collection) -> dict[str, Any]:
    """What the server's collection says of itself."""
    return {
        "softhash": 1,
        "bits": collection.bits,
        "checkpoint": collection.encoder.get("checkpoint"),
        "label_names": list(collection.label_names),
    }


def _text(name: str) -> str:
    """A name with bytes that are no text escaped, as Milvus takes nothing else."""
    return name.encode("utf-8", "backslashreplace").decode()
