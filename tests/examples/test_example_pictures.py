"""The pictures: where they come from, how they shrink, and that an input set's bytes never change."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from examples import pictures


def test_a_pixel_of_the_small_picture_is_the_rounded_mean_of_its_block() -> None:
    block = np.repeat(np.arange(16, dtype=np.uint8).reshape(4, 4, 1), 3, axis=2)
    assert pictures.shrink(block).tolist() == [[[8, 8, 8]]]  # The mean is 7.5.


def test_rows_and_columns_that_fill_no_block_are_dropped() -> None:
    assert pictures.shrink(np.zeros((9, 15, 3), np.uint8)).shape == (2, 3, 3)


def test_a_white_picture_stays_white() -> None:
    assert pictures.shrink(np.full((4, 4, 3), 255, np.uint8)).tolist() == [[[255, 255, 255]]]


def test_a_low_picture_is_turned_before_it_is_cut() -> None:
    assert pictures.middle(np.zeros((427, 640, 3), np.uint8)).high.shape == (480, 360, 3)


def test_a_picture_too_small_for_a_crop_is_refused() -> None:
    with pytest.raises(ValueError, match="too small"):
        pictures.middle(np.zeros((300, 451, 3), np.uint8))


def test_a_package_that_is_not_there_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="no_such_package"):
        pictures.photograph("no_such_package", "data", "cat.png")


def test_the_calibration_set_has_at_least_eight_pictures_of_the_networks_size() -> None:
    shapes = [picture.shape for picture in pictures.calibration_pictures().values()]
    assert len(shapes) >= 8
    assert set(shapes) == {(120, 90, 3)}


def test_training_never_sees_a_held_out_file() -> None:
    scenes = [
        {file.split("_")[0] for _, _, file in group.values()}
        for group in (pictures.TRAINING, pictures.HELD_OUT)
    ]
    assert not scenes[0] & scenes[1]


def test_calibration_takes_training_photographs_only() -> None:
    assert set(pictures.CALIBRATION) <= set(pictures.TRAINING)


def test_the_zip_gives_the_pixels_back() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    with zipfile.ZipFile(io.BytesIO(pictures.as_zip({"noise": picture}))) as archive:
        image = Image.open(io.BytesIO(archive.read("noise.png")))
    assert np.array_equal(np.asarray(image), picture)


def test_the_zip_does_not_depend_on_the_order_of_its_pictures() -> None:
    black, white = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)
    assert pictures.as_zip({"a": black, "b": white}) == pictures.as_zip({"b": white, "a": black})
