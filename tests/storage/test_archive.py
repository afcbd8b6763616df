import os
import pickle
import shutil
import tarfile
import zipfile
import zlib
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


@pytest.fixture(params=["folder", "zip", "tar"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    """The same four files in each way that they may lie."""
    folder = tmp_path / "photos"
    for name in ("b/2.jpg", "b/10.jpg", "ä.txt", "a.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(f"content of {name}".encode() * 50)
    if request.param == "folder":
        return Files(folder, "data.root", "Put them there.")
    return Files(shutil.make_archive(str(tmp_path / "archive"), request.param, folder), "data.root", "Put them there.")


def test_files_are_known_by_name_and_by_position(files: Files) -> None:
    names = files.names()

    assert names == ["a.txt", "b/10.jpg", "b/2.jpg", "ä.txt"]
    assert files.positions(["ä.txt", "b/10.jpg"]).tolist() == [3, 1]
    for position, name in enumerate(names):
        assert files.name(position) == name
        assert files.read_at(position) == files.read(name) == f"content of {name}".encode() * 50


def test_files_that_are_missing_are_named(files: Files) -> None:
    assert files.missing(["a.txt", "b/3.jpg", "../a.txt", ""]) == ["b/3.jpg", "../a.txt", ""]
    with pytest.raises(FileNotFoundError, match=r"data\.root='.*' lacks 1 of 2 files: b/3\.jpg\.\n  Put them there\."):
        files.positions(["a.txt", "b/3.jpg"])
    with pytest.raises(FileNotFoundError, match=r"data\.root='.*' has no b/3\.jpg"):
        files.read("b/3.jpg")


def test_a_process_that_is_spawned_reads_the_same(files: Files) -> None:
    files.read("a.txt")

    copy = pickle.loads(pickle.dumps(files))  # noqa: S301 - our own

    assert copy.read("b/2.jpg") == files.read("b/2.jpg")


def test_an_empty_folder_has_no_files(tmp_path: Path) -> None:
    files = Files(tmp_path, "images", "")

    assert files.names() == []
    assert files.missing(["a.jpg"]) == ["a.jpg"]


def test_a_photo_that_is_gone_since_the_files_were_listed_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"a")
    files = Files(tmp_path, "data.root", "")
    (position,) = files.positions(["a.jpg"]).tolist()
    (tmp_path / "a.jpg").unlink()

    with pytest.raises(FileNotFoundError, match=r"has no a\.jpg"):
        files.read_at(position)


def test_folders_that_are_links_are_looked_into(tmp_path: Path) -> None:
    root, disk = tmp_path / "root", tmp_path / "other disk"
    (disk / "inner").mkdir(parents=True)
    (disk / "inner" / "1.jpg").write_bytes(b"1")
    root.mkdir()
    (root / "train").symlink_to(disk)
    (root / "test").symlink_to(disk)

    files = Files(root, "data.root", "")

    assert files.names() == ["test/inner/1.jpg", "train/inner/1.jpg"]
    assert files.read("train/inner/1.jpg") == b"1"


def test_links_that_lead_back_or_nowhere_end(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.jpg").write_bytes(b"1")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    (tmp_path / "gone").symlink_to(tmp_path / "nothing")

    assert Files(tmp_path, "data.root", "").names() == ["a/1.jpg"]


def test_pipes_and_devices_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "real.jpg")
    (tmp_path / "real.jpg").write_bytes(b"1")

    files = Files(tmp_path, "data.root", "")

    assert files.names() == ["link.jpg", "real.jpg"]
    assert files.missing(["pipe.jpg", "zero.jpg"]) == ["pipe.jpg", "zero.jpg"]


def test_a_name_that_is_no_text_is_read_and_shown(tmp_path: Path) -> None:
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg"))).write_bytes(b"1")

    files = Files(tmp_path, "data.root", "")

    (name,) = files.names()
    assert files.read(name) == b"1"
    with pytest.raises(FileNotFoundError, match=r"has no tea\\udce9\.jpg") as raised:
        files.read("tea\udce9.jpg")
    assert str(raised.value).encode()


def bomb(path: Path, claimed: int) -> None:
    """An archive with a member of 3 MB of zeros, packed to 3 kB, that claims to have another size."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", bytes(3_000_000))
    data = path.read_bytes()
    path.write_bytes(data.replace((3_000_000).to_bytes(4, "little"), claimed.to_bytes(4, "little")))


def test_a_member_inflates_no_further_than_it_claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb(tmp_path / "a.zip", claimed=1000)
    inflated = []
    make = zlib.decompressobj

    class Counted:
        def __init__(self, bits: int) -> None:
            self.inner = make(bits)

        def decompress(self, data: bytes, limit: int) -> bytes:
            inflated.append(self.inner.decompress(data, limit))
            return inflated[-1]

    monkeypatch.setattr(zlib, "decompressobj", Counted)
    with pytest.raises(ValueError, match=r"cannot read a\.jpg in .*a\.zip: its size or checksum is wrong"):
        Files(tmp_path / "a.zip", "data.root", "").read("a.jpg")

    assert [len(content) for content in inflated] == [1001]


def test_a_member_that_claims_gigabytes_is_not_inflated(tmp_path: Path) -> None:
    bomb(tmp_path / "a.zip", claimed=3_000_000_000)

    with pytest.raises(ValueError, match=r"cannot read a\.jpg in .*a\.zip: it has 3\.0 GB, more than"):
        Files(tmp_path / "a.zip", "data.root", "").read("a.jpg")


def test_a_member_beyond_the_end_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.txt", b"1" * 1000)
    data = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(data.replace((1000).to_bytes(4, "little"), (10**9).to_bytes(4, "little")))

    with pytest.raises(ValueError, match=r"is not a complete zip archive .*a\.txt goes beyond its end"):
        Files(tmp_path / "a.zip", "data.root", "")


def test_an_archive_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    path, aside = tmp_path / "photos.zip", tmp_path / "aside.zip"
    for target, text in ((path, "first"), (aside, "other")):
        with zipfile.ZipFile(target, "w") as archive:
            archive.writestr("list.txt", text)
    assert Files(path, "data.root", "").lines("list.txt") == ["first"]
    aside.replace(path)
    assert Files(path, "data.root", "").lines("list.txt") == ["other"]
