"""A run and an index of its codes: from images to what they find.

In Python::

    retriever = Retriever("runs/...", "photos.index")
    (found,) = retriever.search(retriever.preprocessing("cat.jpg"), top_k=5)
    print(found.names, found.distances)
"""

from pathlib import Path

from torch import Tensor

from softhash.runs.folder import Run
from softhash.search.index import Index, Neighbours


class Retriever:
    """Encodes images and searches an index for their codes.

    Args:
        run: Folder of the run that made the codes of the index.
        index: Folder of the index.
        trust: Also run classes of a project of your own that either folder names.

    Attributes:
        run: The run.
        index: The index.
        encoder: Of the run, with its code length as ``bits``.
        preprocessing: From photos to the images that the encoder takes.

    Raises:
        FileNotFoundError: There is no such run or index, or the run has no checkpoint.
        ValueError: The index holds codes of another run or another length, a file is damaged, or the run encodes no
            photos.
        OSError: The server of the index cannot be reached.
    """

    def __init__(self, run: str | Path, index: str | Path, *, trust: bool = False) -> None:
        self.run, self.index = Run(run), Index.open(Path(index).expanduser(), trust=trust)
        self.encoder, self.preprocessing = self.run.encoder(trust=trust), self.run.preprocessing()
        self.index.collection.check_encoder(self.run.identity(), self.encoder.bits)  # type: ignore[arg-type]

    def search(
        self,
        images: Tensor,
        top_k: int = 20,
        *,
        radius: int | None = None,
        label: str | None = None,
        name: str | None = None,
    ) -> list[Neighbours]:
        """What some images find, nearest first.

        Args:
            images: ``(B, channels, image_size, image_size)`` uint8, as :attr:`preprocessing` gives them.
            top_k: How many to find for each.
            radius: In bits; instead of ``top_k``: all that are at most so far.
            label: Search among images with this label only.
            name: Search among names that match a pattern only, such as ``holiday/*``.

        Returns:
            B lists of neighbours.

        Raises:
            ValueError: ``top_k`` above the number of images, no such label, or a search that the engine has not.
            OSError: The server of the index cannot be reached.
        """
        queries = self.encoder(images).query
        if radius is None:
            return self.index.search(queries, top_k, label=label, name=name)
        return self.index.within(queries, radius, label=label, name=name)
