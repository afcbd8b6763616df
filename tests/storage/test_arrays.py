from pathlib import Path

import numpy as np
import pytest

from softhash.storage.arrays import read_npy, read_npz


def test_arrays_are_read_as_they_were_written(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(6).reshape(2, 3))
    np.savez(tmp_path / "a.npz", one=np.arange(2), two=np.array(["ä"]))

    mapped, stored = read_npy(tmp_path / "a.npy", "x"), read_npz(tmp_path / "a.npz", "x")
    mapped[0, 0] = 9

    np.testing.assert_array_equal(mapped, [[9, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy")[0], [0, 1, 2])
    assert stored["two"].tolist() == ["ä"]


def broken(folder: Path) -> dict[str, Path]:
    """Files that are none, by what is wrong with them."""
    np.save(folder / "whole.npy", np.arange(1000))
    np.savez(folder / "whole.npz", one=np.arange(1000))
    np.save(folder / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    cut = {}
    for name in ("whole.npy", "whole.npz"):
        data = (folder / name).read_bytes()
        cut[name] = folder / f"cut_{name}"
        cut[name].write_bytes(data[: len(data) // 2])
    (folder / "empty.npy").write_bytes(b"")
    (folder / "text.npy").write_text("1 2 3")
    named = {path.stem: path for path in (folder / "objects.npy", folder / "empty.npy", folder / "text.npy")}
    return {**cut, **named, "folder": folder, "absent": folder / "absent.npy"}


@pytest.mark.parametrize("what", ["whole.npy", "whole.npz", "objects", "empty", "text", "folder", "absent"])
@pytest.mark.parametrize("read", [read_npy, read_npz])
def test_what_cannot_be_read_is_named(read: object, what: str, tmp_path: Path) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=r"^data\.root='x' (cannot be read|does not exist)"):
        read(broken(tmp_path)[what], "data.root='x'")


def test_one_array_is_not_taken_for_several(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(6))
    np.savez(tmp_path / "a.npz", one=np.arange(2))

    with pytest.raises(ValueError, match=r"^x is an npz file, and should be an npy file"):
        read_npy(tmp_path / "a.npz", "x")
    with pytest.raises(ValueError, match=r"^x is an npy file, and should be an npz file"):
        read_npz(tmp_path / "a.npy", "x")


def test_a_damaged_array_of_several_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", one=np.arange(1000))
    data = bytearray((tmp_path / "a.npz").read_bytes())
    data[4000] ^= 255
    (tmp_path / "a.npz").write_bytes(data)

    with pytest.raises(ValueError, match=r"^x cannot be read .*CRC"):
        read_npz(tmp_path / "a.npz", "x")
