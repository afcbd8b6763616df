"""Search by faiss on one machine: exact, or faster and approximate."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softhash.functional.checks import check_at_least, check_option
from softhash.search.collection import Collection
from softhash.search.engine import Engine, Filter, Hits, Searcher

logging.getLogger("faiss").setLevel(logging.WARNING)  # it tells that it was imported
try:
    import faiss
except ImportError as error:
    message = "engine=faiss needs the package faiss-cpu: pip install 'softhash[search]'"
    raise ImportError(message) from error

_FILE = "faiss.index"


@dataclass(frozen=True)
class Faiss(Engine):
    """Binary indexes of faiss; codes are held in memory.

    Attributes:
        kind: ``flat`` compares with every code; ``ivf`` with those in the lists nearest to the query; ``hnsw`` walks
            through a graph of neighbours.
        num_lists: Of ivf, about the square root of the number of images.
        num_probes: Lists of ivf that are searched, more for a higher recall.
        num_links: Of hnsw, links per image.
        build_width: Of hnsw, candidates while it is built.
        search_width: Of hnsw, candidates while it is searched, more for a higher recall.

    Raises:
        ValueError: There is no such kind, or a number is below 1.
    """

    name = "faiss"
    kind: str = "flat"
    num_lists: int = 1024
    num_probes: int = 16
    num_links: int = 16
    build_width: int = 100
    search_width: int = 200

    def __post_init__(self) -> None:
        """Check values."""
        check_option("engine.kind", self.kind, ("flat", "ivf", "hnsw"))
        check_at_least(1, num_lists=self.num_lists, num_probes=self.num_probes, num_links=self.num_links)
        check_at_least(1, build_width=self.build_width, search_width=self.search_width)

    def build(self, collection: Collection, folder: Path) -> None:
        """Train where the kind needs it, add all codes, and write the file of faiss.

        Raises:
            ValueError: There are fewer images than lists.
        """
        index, codes = self._empty(collection), np.ascontiguousarray(collection.codes)
        if self.kind == "ivf" and len(codes) < self.num_lists:
            msg = f"engine.num_lists={self.num_lists} needs as many images, and there are {len(codes)}"
            raise ValueError(msg)
        index.train(codes)
        index.add(codes)
        faiss.write_index_binary(index, str(folder / _FILE))

    def open(self, collection: Collection, folder: Path) -> "FaissSearcher":
        """Read the file of faiss into memory."""
        path = folder / _FILE
        try:
            index = faiss.read_index_binary(str(path))
        except RuntimeError as error:
            msg = (
                f"{path} is missing, damaged or cut short ({str(error).splitlines()[0][-100:]}); index the codes again"
            )
            raise ValueError(msg) from error
        if (index.ntotal, index.d) != (len(collection), 8 * collection.codes.shape[1]):
            msg = f"{path} is damaged, or of other codes: it has {index.ntotal} of {index.d} bits"
            raise ValueError(msg)
        return FaissSearcher(self, collection, index)

    def _empty(self, collection: Collection) -> Any:
        bits = 8 * collection.codes.shape[1]
        if self.kind == "hnsw":
            index = faiss.IndexBinaryHNSW(bits, self.num_links)
            index.hnsw.efConstruction, index.hnsw.efSearch = self.build_width, self.search_width
            return index
        flat = faiss.IndexBinaryFlat(bits)
        if self.kind == "flat":
            return flat
        index = faiss.IndexBinaryIVF(flat, bits, self.num_lists)
        flat.this.disown()  # the index frees it
        index.own_fields, index.nprobe = True, min(self.num_probes, self.num_lists)
        return index


class FaissSearcher(Searcher):
    """Searches an index of faiss.

    Args:
        engine: Its options.
        collection: Whose codes it has.
        index: Of faiss.
    """

    def __init__(self, engine: Faiss, collection: Collection, index: Any) -> None:
        self.engine, self.collection, self.index = engine, collection, index

    def nearest(self, queries: NDArray[np.generic], top_k: int, only: Filter) -> list[Hits]:
        """The nearest images; of those at the distance of the last one, any may come."""
        self._refuse_tables(queries)
        mask = only.mask(self.collection)
        if not len(mask):
            return _hits(*self.index.search(queries, top_k))
        if self.engine.kind == "ivf":
            self.engine.refuse("has no filters with kind=ivf")
        selector = faiss.IDSelectorBatch(np.flatnonzero(mask))
        options = faiss.SearchParametersHNSW if self.engine.kind == "hnsw" else faiss.SearchParameters
        parameters = options(sel=selector)
        if self.engine.kind == "hnsw":
            parameters.efSearch = self.engine.search_width
        return _hits(*self.index.search(queries, top_k, params=parameters))

    def within(self, queries: NDArray[np.generic], radius: int, only: Filter) -> list[Hits]:
        """All images within a radius; with ivf, of the lists that are searched."""
        self._refuse_tables(queries)
        if self.engine.kind == "hnsw":
            self.engine.refuse("has no radius=... with kind=hnsw")
        if only != Filter():
            self.engine.refuse("has no filters together with radius=...")
        ends, distances, rows = self.index.range_search(queries, radius + 1)
        parts = zip(np.split(distances, ends[1:-1]), np.split(rows, ends[1:-1]), strict=True)
        return [hits for part in parts for hits in _hits(*(column[None] for column in part))]

    def _refuse_tables(self, queries: NDArray[np.generic]) -> None:
        if queries.ndim == 3:
            self.engine.refuse("has Hamming distance alone, and this method has a distance of its own")


def _hits(distances: NDArray[np.int32], rows: NDArray[np.int64]) -> list[Hits]:
    """What faiss found, ordered by distance and position; it fills up with -1 where it finds too few."""
    found = []
    for near, places in zip(distances.astype(np.int64), rows, strict=True):
        order = np.lexsort((places, near))
        order = order[places[order] >= 0]
        found.append(Hits(places[order], near[order]))
    return found
