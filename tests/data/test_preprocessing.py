from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from softhash.data.preprocessing import Preprocessing


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(256, size=(40, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.jpg")
    return tmp_path / "photo.jpg"


def test_a_file_an_image_and_a_tensor_of_a_photo_are_one(photo: Path) -> None:
    image = Image.open(photo)
    tensor = torch.from_numpy(np.array(image)).permute(2, 0, 1)

    batch = Preprocessing(resize=20, squash=False, image_size=16)(photo, str(photo), image, tensor)

    assert batch.shape == (4, 3, 16, 16)
    assert batch.dtype == torch.uint8
    assert (batch == batch[0]).all()


def test_the_middle_is_cut_out_of_a_photo_of_the_right_short_side() -> None:
    photo = torch.arange(6 * 10, dtype=torch.uint8).reshape(1, 6, 10)

    (square,) = Preprocessing(resize=6, squash=False, image_size=4)(photo)

    assert square.tolist() == [photo[0, 1:5, 3:7].tolist()] * 3


def test_a_squashed_photo_loses_its_proportions_and_nothing_else() -> None:
    left, right = torch.zeros(1, 8, 8, dtype=torch.uint8), torch.full((1, 8, 8), 200, dtype=torch.uint8)

    (square,) = Preprocessing(resize=8, squash=True, image_size=8)(torch.cat([left, right], dim=2))

    assert (square[:, :, 0] == 0).all()
    assert (square[:, :, -1] == 200).all()


def test_a_run_on_grey_images_sees_grey() -> None:
    photo = torch.tensor([255, 0, 0], dtype=torch.uint8)[:, None, None].expand(3, 4, 4)

    (square,) = Preprocessing(resize=4, squash=False, image_size=4, channels=1)(photo)

    assert square.tolist() == [[[76] * 4] * 4]  # 0.299 of red


def test_an_upright_photo_is_what_the_network_sees(tmp_path: Path) -> None:
    pixels = np.zeros((8, 8, 3), dtype=np.uint8)
    pixels[0] = 255
    exif = Image.Exif()
    exif[274] = 3  # turned by 180 degrees
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)

    (square,) = Preprocessing(resize=8, squash=False, image_size=8)(tmp_path / "turned.png")

    assert (square[:, -1] == 255).all()
    assert (square[:, :-1] == 0).all()


@pytest.mark.parametrize(
    "wrong", [{"image_size": 30}, {"image_size": 0}, {"resize": "big"}, {"resize": 2.5}, {"channels": 4}]
)
def test_sizes_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must"):
        Preprocessing(**({"resize": 20, "squash": False, "image_size": 16} | wrong))  # type: ignore[arg-type]


def test_what_is_no_photo_is_refused(tmp_path: Path) -> None:
    prepare = Preprocessing(resize=20, squash=False, image_size=16)
    (tmp_path / "page.jpg").write_text("<html>")

    with pytest.raises(ValueError, match="web page"):
        prepare(tmp_path / "page.jpg")
    with pytest.raises(ValueError, match=r"a photo must be \(1 or 3, height, width\) uint8"):
        prepare(torch.zeros(3, 8, 8))
    with pytest.raises(FileNotFoundError):
        prepare(tmp_path / "none.jpg")
