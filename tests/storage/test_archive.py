import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from softhash.storage.archive import Files

Make = Callable[..., Any]


def test_lists_of_windows_read_like_others(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbfa b.jpg\r\n\r\nGr\xc3\xb6\xc3\x9fe.jpg \r\n")

    assert Files(tmp_path, "data.root", "").lines("list.txt") == ["a b.jpg", "Größe.jpg"]


def test_a_list_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(b"Gr\xf6\xdfe.jpg\n")

    with pytest.raises(ValueError, match=r"list\.txt in .* is not text in UTF-8"):
        Files(tmp_path, "data.root", "").lines("list.txt")


def test_a_damaged_member_of_an_archive_is_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.txt", b"1" * 1000)
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[500] ^= 255
    (tmp_path / "a.zip").write_bytes(data)

    with pytest.raises(ValueError, match=r"cannot read a\.txt in .*a\.zip: its size or checksum is wrong"):
        Files(tmp_path / "a.zip", "data.root", "").read("a.txt")


def test_members_with_paths_that_lead_out_are_never_written(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("../escaped.txt", "x")

    files = Files(tmp_path / "a.zip", "data.root", "")

    assert files.read("../escaped.txt") == b"x"
    assert not (tmp_path.parent / "escaped.txt").exists()


def test_a_tar_archive_gives_what_the_folder_gives(tmp_path: Path, write_voc: Make, voc: Make) -> None:
    write_voc(tmp_path / "folder")
    with tarfile.open(tmp_path / "VOCtest.tar", "w") as archive:
        archive.add(tmp_path / "folder" / "VOCdevkit", "VOCdevkit")

    folder, archived = voc(tmp_path / "folder"), voc(tmp_path / "VOCtest.tar", num_workers=1)
    folder.setup()
    archived.prepare_data()

    assert folder.checksum() == archived.checksum()
    for first, second in zip(folder.val_dataloader(), archived.val_dataloader(), strict=True):
        torch.testing.assert_close(first.inputs, second.inputs)


def test_a_compressed_tar_archive_must_be_unpacked(tmp_path: Path, write_voc: Make, voc: Make) -> None:
    write_voc(tmp_path / "folder")
    archive = shutil.make_archive(str(tmp_path / "voc"), "gztar", tmp_path / "folder")

    with pytest.raises(ValueError, match=r"not a complete zip archive or uncompressed tar archive .* unpack it"):
        voc(archive).setup()
