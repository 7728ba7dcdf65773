"""Uploaded input sets, good and hostile, through the real inspection child."""

import io
import stat
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from similarity.tensorfile import TensorFile
from tests.toolkits.networks import conv_relu_net, convert
from workers.errors import JobError
from workers.toolkits.inspect import inspect_samples


def npy(array, version=None, **settings) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, np.asarray(array), version=version, **settings)
    return out.getvalue()


def npz(**arrays) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def picture(mode="RGB", size=(6, 4), form="PNG", colour=None, **settings) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, colour or 0).save(out, form, **settings)
    return out.getvalue()


def zipped(entries: dict[str, bytes], compression=zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(zipfile.ZipInfo(name), data, compression)
    return out.getvalue()


def inspected(folder, content: bytes, name: str, **settings):
    upload = folder.path.parent / "upload"
    upload.write_bytes(content)
    return inspect_samples(folder, upload, name, **settings)


def refused(folder, content: bytes, name: str, **settings) -> JobError:
    with pytest.raises(JobError) as caught:
        inspected(folder, content, name, **settings)
    return caught.value


def values(facts, name="000000/") -> np.ndarray:
    with TensorFile.open(facts.file) as samples:
        return np.array(samples.array(name))


def test_a_zip_of_pictures_is_one_sample_each(folder):
    facts = inspected(folder, zipped({f"p{i}.png": picture() for i in range(3)}), "set.zip")
    shapes = [(t.name, t.shape, t.dtype) for t in facts.inputs]
    assert (facts.count, shapes, facts.layout_guess) == (3, [("", (4, 6, 3), "uint8")], "NHWC")


def test_samples_are_in_order_of_their_names(folder):
    content = zipped({"b.npy": npy(np.float32([2])), "a.npy": npy(np.float32([1]))})
    assert values(inspected(folder, content, "set.zip"))[0] == 1


def test_an_array_stays_as_it_is(folder):
    array = np.arange(12, dtype=np.int16).reshape(3, 2, 2)
    assert (values(inspected(folder, npy(array), "a.npy")) == array).all()


def test_channels_first_are_recognised(folder):
    assert inspected(folder, npy(np.zeros((3, 8, 8), np.float32)), "a.npy").layout_guess == "NCHW"


def test_an_npz_is_one_sample_of_several_inputs(folder):
    facts = inspected(folder, npz(left=np.zeros(2, np.float32), right=np.ones(3, np.float32)), "pair.npz")
    assert facts.count == 1 and [t.name for t in facts.inputs] == ["left", "right"]


def test_an_array_saved_without_a_name_has_none(folder):
    assert [t.name for t in inspected(folder, npz(arr_0=np.zeros(2, np.float32)), "one.npz").inputs] == [""]


def test_a_zip_of_npz_files_holds_many_samples(folder):
    content = zipped({f"{i}.npz": npz(x=np.full(2, i, np.float32)) for i in range(2)})
    assert inspected(folder, content, "set.zip").count == 2


def test_double_precision_becomes_single(folder):
    assert values(inspected(folder, npy(np.array([0.1])), "a.npy")).dtype == np.float32


def test_big_endian_and_fortran_order_are_read_right(folder):
    array = np.asfortranarray(np.arange(6, dtype=">f4").reshape(2, 3))
    assert (values(inspected(folder, npy(array), "a.npy")) == [[0, 1, 2], [3, 4, 5]]).all()


PICTURES = {
    "grey": picture("L", colour=200),
    "with transparency": picture("RGBA", colour=(200, 200, 200, 10)),
    "palette": picture("P"),
    "one bit": picture("1", colour=1),
    "sixteen bits": picture("I;16", colour=51400),
    "print colours": picture("CMYK", form="JPEG"),
    "bitmap": picture(form="BMP"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_every_kind_of_picture_becomes_rgb(folder, name):
    facts = inspected(folder, PICTURES[name], "picture")
    assert (facts.inputs[0].shape, facts.inputs[0].dtype) == ((4, 6, 3), "uint8")


def test_sixteen_bit_grey_is_scaled_and_not_clipped(folder):
    assert values(inspected(folder, PICTURES["sixteen bits"], "p.png"))[0, 0].tolist() == [200, 200, 200]


def test_a_photograph_is_turned_as_the_camera_says(folder):
    exif = Image.Exif()
    exif[0x0112] = 6  # Turn by 90 degrees.
    assert inspected(folder, picture(form="JPEG", exif=exif), "p.jpg").inputs[0].shape == (6, 4, 3)


def test_what_a_mac_adds_is_no_sample(folder):
    content = zipped({"a.png": picture(), "__MACOSX/._a.png": b"junk", ".DS_Store": b"junk"})
    assert inspected(folder, content, "set.zip").count == 1


def test_inspected_samples_are_what_a_conversion_takes(folder):
    facts = inspected(folder, zipped({"a.png": picture(size=(8, 8))}), "set.zip")
    assert convert(folder, conv_relu_net(), facts.file, layout=facts.layout_guess).inputs.exists()


def linked() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("a.png")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    return out.getvalue()


def twice() -> bytes:
    return zipped({"a.npy": npy([1.0]), "b.npy": npy([2.0])}).replace(b"b.npy", b"a.npy")


def lying_size() -> bytes:
    """An entry that declares 100 bytes and unpacks to ten megabytes."""
    content = zipped({"a.npy": bytes(10 << 20)})
    return content.replace(struct.pack("<I", 10 << 20), struct.pack("<I", 100))


def huge_picture() -> bytes:
    """A PNG whose header says 60,000 x 60,000 pixels."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


def claims(shape: str, descr: str = "'<f4'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + bytes(16)


REFUSED = {
    "nothing": (b"", "a.npy", "data:empty"),
    "empty zip": (zipped({}), "set.zip", "data:empty"),
    "zip of junk files": (zipped({".DS_Store": b"x"}), "set.zip", "data:empty"),
    "text": (b"hello", "a.png", "data:unreadable"),
    "truncated picture": (picture(size=(60, 60))[:60], "a.png", "data:unreadable"),
    "truncated zip": (zipped({"a.png": picture()})[:-30], "set.zip", "data:unreadable"),
    "gif": (picture(form="GIF"), "a.gif", "data:unreadable"),
    "zip in a zip": (zipped({"inner.zip": zipped({"a.png": picture()})}), "set.zip", "data:unreadable"),
    "zip in a zip by another name": (zipped({"a.png": zipped({"b": b"c"})}), "set.zip", "data:unreadable"),
    "path upwards": (zipped({"../a.png": picture()}), "set.zip", "data:unsafe-path"),
    "path upwards, other slashes": (zipped({"..\\a.png": picture()}), "set.zip", "data:unsafe-path"),
    "absolute path": (zipped({"/etc/a.png": picture()}), "set.zip", "data:unsafe-path"),
    "path with a drive": (zipped({"C:a.png": picture()}), "set.zip", "data:unsafe-path"),
    "link": (linked(), "set.zip", "data:unsafe-path"),
    "same name twice": (twice(), "set.zip", "data:unsafe-path"),
    "bomb by ratio": (zipped({"a.npy": bytes(400 << 20)}), "set.zip", "data:too-large"),
    "bomb that lies": (lying_size(), "set.zip", "data:unreadable"),
    "picture bomb": (huge_picture(), "a.png", "data:too-large"),
    "pickle": (npy(np.array([{}], dtype=object), allow_pickle=True), "a.npy", "data:pickle"),
    "pickle in an npz": (npz(x=np.array([{}], dtype=object)), "a.npz", "data:pickle"),
    "header that claims 32 GB": (claims("(8589934592,)"), "a.npy", "data:unreadable"),
    "header with a negative size": (claims("(-4, -1)"), "a.npy", "data:unreadable"),
    "header that runs code": (claims("__import__('os').abort()"), "a.npy", "data:unreadable"),
    "header that nests": (claims("(" * 50 + ")" * 50), "a.npy", "data:unreadable"),
    "complex numbers": (npy(np.zeros(2, np.complex64)), "a.npy", "data:wrong-type"),
    "texts": (npy(np.array(["a"])), "a.npy", "data:wrong-type"),
    "records": (npy(np.zeros(2, [("a", "f4")])), "a.npy", "data:wrong-type"),
    "not a number": (npy(np.float32([1, np.nan])), "a.npy", "data:not-finite"),
    "too large for single precision": (npy(np.array([1e300])), "a.npy", "data:not-finite"),
    "no values": (npy(np.zeros((0, 3), np.float32)), "a.npy", "data:unreadable"),
    "two sizes": (zipped({"a.png": picture(), "b.png": picture(size=(5, 5))}), "set.zip", "data:mixed"),
    "two types": (zipped({"a.png": picture(), "b.npy": npy(np.zeros((4, 6, 3)))}), "set.zip", "data:mixed"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_is_refused(folder, name):
    content, uploaded, code = REFUSED[name]
    assert refused(folder, content, uploaded).code == code


def test_more_than_the_site_allows_is_refused(folder):
    content = zipped({"a.npy": npy(np.zeros(100_000, np.float32))})
    assert refused(folder, content, "set.zip", max_bytes=1000).code == "data:too-large"


def test_the_bad_file_is_named(folder):
    content = zipped({"good.png": picture(), "holiday.png": b"broken"})
    assert "holiday.png" in refused(folder, content, "set.zip").detail


def test_too_many_entries_are_refused(folder):
    assert refused(folder, zipped({f"{i}": b"" for i in range(100_001)}), "set.zip").code == "data:too-large"
