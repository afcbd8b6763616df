"""Reads arrays that somebody else has written, and names the file where they cannot be read."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def read_npy(path: Path, name: str) -> NDArray[np.generic]:
    """Map the array of an npy file into memory; writing to it changes memory alone.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no npy file, or only half of one; says what ``name`` sets it.
    """
    array = _load(path, name, "c")
    if not isinstance(array, np.ndarray):
        array.close()
        msg = f"{name} is an npz file, and should be an npy file with one array"
        raise ValueError(msg)  # noqa: TRY004 - a value of the user's, not a type in code
    return array


def read_npz(path: Path, name: str) -> dict[str, NDArray[np.generic]]:
    """All arrays of an npz file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no npz file, or only half of one; says what ``name`` sets it.
    """
    stored = _load(path, name, None)
    if isinstance(stored, np.ndarray):
        msg = f"{name} is an npy file, and should be an npz file with named arrays"
        raise ValueError(msg)  # noqa: TRY004 - as above
    with stored:
        try:
            return {key: stored[key] for key in stored.files}
        except Exception as error:  # as below
            msg = f"{name} cannot be read ({error}); write it again"
            raise ValueError(msg) from error


def _load(path: Path, name: str, mode: Any) -> Any:
    if not path.is_file():
        msg = f"{name} does not exist"
        raise FileNotFoundError(msg)
    try:
        return np.load(path, mmap_mode=mode, allow_pickle=False)
    except Exception as error:  # zipfile, zlib and numpy raise a dozen kinds for bytes that they do not expect
        reason = "it is empty, cut off, or neither an npy nor an npz file"
        msg = f"{name} cannot be read: {reason} ({error})"
        raise ValueError(msg) from error
