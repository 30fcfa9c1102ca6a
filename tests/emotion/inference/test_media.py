"""Hostile and broken files: each gets its code, at the upload and again before the analysis."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emotion.inference.children import answer_from
from emotion.inference.media import MediaCode, MediaRefused, PhotoFacts, PhotoProbe, decode_photo
from emotion.inference.photo_formats import TRAILER_MAX, inspect_photo
from tests.emotion.inference.photographs import (
    EOI,
    after_start,
    astronaut,
    encode,
    pixels,
    png,
    png_chunk,
    riff,
    with_frame,
)

MEGABYTE = 1024 * 1024


def archive() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        file.writestr("run.sh", "echo")
    return held.getvalue()


def many_scans() -> bytes:
    """A JPEG that repeats its first scan again and again."""
    jpeg = encode(pixels(), ".jpg")
    start = jpeg.index(b"\xff\xda")
    return jpeg[:start] + jpeg[start:-2] * 100 + EOI


def animated_webp() -> bytes:
    frame = bytes(16) + encode(pixels(), ".webp")[12:]
    extended = b"\x02\0\0\0" + (511).to_bytes(3, "little") * 2
    return riff((b"VP8X", extended), (b"ANIM", bytes(6)), (b"ANMF", frame), (b"ANMF", frame))


def hostile() -> dict[str, tuple[bytes, MediaCode]]:
    jpeg, small = astronaut(), encode(pixels()[::4, ::4], ".jpg")
    webp, lossless = encode(pixels(), ".webp"), encode(pixels()[:64, :64], ".png")
    multi = after_start(jpeg, 0xE2, b"MPF\0" + bytes(40))
    return {
        "nothing": (b"", MediaCode.EMPTY),
        "one byte": (b"\xff", MediaCode.TYPE_NOT_SUPPORTED),
        "zeros": (bytes(5000), MediaCode.TYPE_NOT_SUPPORTED),
        "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", MediaCode.TYPE_NOT_SUPPORTED),
        "html called jpg": (b"<html><script>1</script>", MediaCode.TYPE_NOT_SUPPORTED),
        "gif": (b"GIF89a" + bytes(100), MediaCode.TYPE_NOT_SUPPORTED),
        "bmp": (encode(pixels(), ".bmp"), MediaCode.TYPE_NOT_SUPPORTED),
        "tiff": (encode(pixels(), ".tiff"), MediaCode.TYPE_NOT_SUPPORTED),
        "zip": (archive(), MediaCode.TYPE_NOT_SUPPORTED),
        "riff that is sound": (b"RIFF\x24\0\0\0WAVEfmt ", MediaCode.TYPE_NOT_SUPPORTED),
        "jpeg start only": (jpeg[:3], MediaCode.TRUNCATED),
        "jpeg half": (jpeg[: len(jpeg) // 2], MediaCode.TRUNCATED),
        "jpeg half, end glued on": (jpeg[: len(jpeg) // 2] + EOI, MediaCode.TRUNCATED),
        "png half": (lossless[: len(lossless) // 2], MediaCode.TRUNCATED),
        "webp half": (webp[: len(webp) // 2], MediaCode.TRUNCATED),
        "png with too few rows": (png(64, 64, rows=3), MediaCode.UNREADABLE),
        "png checksum": (png(64, 64, rows=64).replace(b"IDAT", b"IDAX"), MediaCode.UNREADABLE),
        "png bomb": (png(30000, 30000), MediaCode.TOO_MANY_PIXELS),
        "png of 64 megapixels": (png(8000, 8000), MediaCode.TOO_MANY_PIXELS),
        "png 1 x 1": (png(1, 1, rows=1), MediaCode.TOO_SMALL),
        "jpeg 16 x 16": (encode(pixels()[:16, :16], ".jpg"), MediaCode.TOO_SMALL),
        "16-bit png": (png(64, 64, depth=16, rows=64), MediaCode.COLOUR_NOT_SUPPORTED),
        "cmyk jpeg": (with_frame(jpeg, components=4), MediaCode.COLOUR_NOT_SUPPORTED),
        "12-bit jpeg": (with_frame(jpeg, precision=12), MediaCode.COLOUR_NOT_SUPPORTED),
        "animated png": (
            png(64, 64, rows=64, before=png_chunk(b"acTL", bytes(8))),
            MediaCode.ANIMATED,
        ),
        "animated webp": (animated_webp(), MediaCode.ANIMATED),
        "two pictures as large": (multi + jpeg, MediaCode.ANIMATED),
        "jpeg and zip": (jpeg + archive(), MediaCode.TRAILING_DATA),
        "jpeg and undeclared jpeg": (jpeg + small, MediaCode.TRAILING_DATA),
        "jpeg and film": (jpeg + b"\0\0\0\x18ftypmp42" + bytes(90), MediaCode.TRAILING_DATA),
        "jpeg and much of anything": (jpeg + bytes(TRAILER_MAX + 1), MediaCode.TRAILING_DATA),
        "png and html": (lossless + b"<HTML>", MediaCode.TRAILING_DATA),
        "webp and pdf": (webp + b"%PDF-1.7", MediaCode.TRAILING_DATA),
        "thousands of scans": (many_scans(), MediaCode.UNREADABLE),
        "jpeg without a frame": (b"\xff\xd8\xff\xda\0\2" + bytes(9) + EOI, MediaCode.UNREADABLE),
    }


HOSTILE = hostile()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file_is_refused_by_the_probe_and_by_the_decoder(name: str) -> None:
    data, code = HOSTILE[name]
    probe = PhotoProbe.start(10 * MEGABYTE)
    with pytest.raises(MediaRefused) as at_upload:
        for start in range(0, len(data), 4096):
            probe.feed(data[start : start + 4096])
        probe.finish()
    probe.close()
    assert at_upload.value.code is code
    with pytest.raises(MediaRefused) as at_analysis:
        decode_photo(data)
    assert at_analysis.value.code is code
    assert str(at_analysis.value)


def test_every_code_has_an_explanation_and_a_test() -> None:
    assert all(code.explanation.endswith(".") for code in MediaCode)
    elsewhere = {MediaCode.TOO_LARGE, MediaCode.TIMEOUT, MediaCode.KIND_NOT_TAKEN}
    elsewhere |= {code for code in MediaCode if code.value.startswith("film-")}
    assert {code for _data, code in HOSTILE.values()} | elsewhere == set(MediaCode)


def test_too_large_is_refused_while_it_comes_in() -> None:
    probe = PhotoProbe.start(MEGABYTE)
    with pytest.raises(MediaRefused) as refused:
        for _ in range(64):
            probe.feed(astronaut()[:3] + bytes(MEGABYTE))
    assert refused.value.code is MediaCode.TOO_LARGE


def test_exactly_the_most_bytes_are_taken() -> None:
    photo = astronaut()
    probe = PhotoProbe.start(len(photo))
    probe.feed(photo)
    assert probe.finish() == PhotoFacts("image/jpeg", 512, 512)


@pytest.mark.parametrize(
    ("extension", "media_type"),
    [(".jpg", "image/jpeg"), (".png", "image/png"), (".webp", "image/webp")],
)
def test_whole_photograph_is_taken_in_any_chunks(extension: str, media_type: str) -> None:
    photo = encode(pixels()[:300], extension)
    for size in (1000, 70_000, len(photo)):
        probe = PhotoProbe.start(MEGABYTE)
        for start in range(0, len(photo), size):
            probe.feed(photo[start : start + size])
        assert probe.finish() == PhotoFacts(media_type, 512, 300)


def test_camera_trailer_and_declared_preview_are_taken() -> None:
    jpeg, preview = astronaut(), encode(pixels()[::4, ::4], ".jpg")
    assert inspect_photo(jpeg + bytes(TRAILER_MAX)).width == 512
    assert inspect_photo(after_start(jpeg, 0xE2, b"MPF\0" + bytes(40)) + preview).width == 512


@settings(max_examples=300)
@given(
    extension=st.sampled_from([".jpg", ".png", ".webp"]),
    at=st.floats(0, 1),
    change=st.binary(max_size=12),
    cut=st.floats(0, 1),
)
def test_inspection_of_a_damaged_file_ends_in_facts_or_a_code(
    extension: str, at: float, change: bytes, cut: float
) -> None:
    photo = SMALL[extension]
    where = int(at * len(photo))
    damaged = photo[:where] + change + photo[where + len(change) :]
    try:
        facts = inspect_photo(damaged[: int(cut * len(damaged))])
    except MediaRefused as refused:
        assert refused.code in MediaCode
    else:
        assert facts.width * facts.height <= 40_000_000


SMALL = {
    extension: encode(pixels()[:48, :48], extension) for extension in (".jpg", ".png", ".webp")
}


@settings(max_examples=25)
@given(
    extension=st.sampled_from([".jpg", ".png", ".webp"]),
    at=st.floats(0, 1),
    byte=st.integers(0, 255),
)
def test_decoding_a_damaged_file_ends_in_pixels_or_a_code(
    extension: str, at: float, byte: int
) -> None:
    photo = bytearray(SMALL[extension])
    photo[min(int(at * len(photo)), len(photo) - 1)] = byte
    try:
        decoded = decode_photo(bytes(photo))
    except MediaRefused as refused:
        assert refused.code in MediaCode
    else:
        assert decoded.ndim == 3


def test_an_answer_of_the_decoder_that_is_nested_without_end_is_a_refusal() -> None:
    with pytest.raises(MediaRefused) as refused:
        answer_from(b"[" * 20_000)
    assert refused.value.code == MediaCode.UNREADABLE
