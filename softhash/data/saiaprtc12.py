"""SAIAPR TC-12, the segmented IAPR TC-12."""

from pathlib import PurePosixPath
from types import MappingProxyType

import numpy as np

from softhash.data.photos import PhotoDataModule
from softhash.data.protocols import Catalogue
from softhash.storage.archive import Files
from softhash.text import first_few

_WORDS, _FOLDERS = "benchmark/wlist.txt", "benchmark/saiapr_tc-12/"


class SAIAPRTC12DataModule(PhotoDataModule):
    r"""20,000 photos of IAPR TC-12; the labels of a photo are the words, of 275, that its segments were given.

    Layout, as the three parts of ``saiaprtc12ok.rar`` unpack: ``benchmark/wlist.txt`` with ``number\tword`` per line,
    and for each folder of photos ``benchmark/saiapr_tc-12/<folder>/images/<number>.jpg`` and
    ``benchmark/saiapr_tc-12/<folder>/labels.txt``, one segment per line: numbers of photo, segment and word.

    Source: Escalante et al., The segmented and annotated IAPR TC-12 benchmark, CVIU 2010, which IDHN cites. Cross-modal
    hashing knows it as one of 255 labels: those of the 275 words that occur.

    Args:
        photos: See :class:`softhash.data.photos.PhotoDataModule`.
    """

    published = MappingProxyType({"": 20_000})
    hint = (
        f"Unpack saiaprtc12ok.part1.rar there, beside its two other parts, so that it holds {_WORDS} and"
        f" {_FOLDERS}00/images/25.jpg, or set data.root to where they are."
    )

    def catalogue(self, files: Files) -> Catalogue:
        """Photos in the order of their numbers; those without a segment have no labels."""
        files.require([_WORDS])
        words = dict(_word(line) for line in files.lines(_WORDS))
        named = sorted(number for number, word in words.items() if word)
        column_of = {number: column for column, number in enumerate(named)}
        below = [name for name in files.names() if name.startswith(_FOLDERS)]
        words_of: dict[str, set[int]] = {name: set() for name in below if PurePosixPath(name).match("images/*.jpg")}
        for name in sorted(name for name in below if name.endswith("/labels.txt")):
            for photo, word in _segments(files, name):
                if word not in words:
                    msg = f"{name} gives photo {photo} the word {word}, which {_WORDS} does not have"
                    raise ValueError(msg)
                words_of.setdefault(f"{name.removesuffix('labels.txt')}images/{photo}.jpg", set()).add(word)
        ids = sorted(words_of, key=lambda name: (PurePosixPath(name).stem.zfill(9), name))
        labels = np.zeros((len(ids), len(named)), dtype=np.uint8)
        for place, name in enumerate(ids):
            labels[place, [column_of[word] for word in words_of[name] if word in column_of]] = 1
        return Catalogue(np.array(ids), labels, [words[number] for number in named], np.full(len(ids), ""))


def _word(line: str) -> tuple[int, str]:
    """Number and word of a line; one number of the official list has no word.

    Raises:
        ValueError: It does not start with a number.
    """
    number, _, word = line.partition("\t")
    if not number.strip().isdecimal():
        msg = f"{_WORDS} should have a number, a tab and a word per line, found {line!r}"
        raise ValueError(msg)
    return int(number), word.strip()


def _segments(files: Files, name: str) -> list[tuple[int, int]]:
    """Photo and word of each segment.

    Raises:
        ValueError: A line is other than three numbers.
    """
    lines = [line.split() for line in files.lines(name)]
    wrong = [" ".join(line) for line in lines if len(line) != 3 or not all(part.isdecimal() for part in line)]
    if wrong:
        msg = f"{name} should have the numbers of photo, segment and word per line, found {first_few(wrong)}"
        raise ValueError(msg)
    return [(int(photo), int(word)) for photo, _, word in lines]
