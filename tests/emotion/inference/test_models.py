"""The model files are the ones that the manifest describes, and nothing else is loaded."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from emotion.inference import expressions
from emotion.inference.models import (
    FOLDER,
    ModelIntegrityError,
    manifest,
    model_bytes,
    verify_models,
)
from emotion.inference.sessions import MODELS, session, warm_up


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A folder of models that a test may spoil."""
    return Path(shutil.copytree(FOLDER, tmp_path / "models"))


def test_files_are_as_the_manifest_says() -> None:
    verify_models()
    for name, entry in manifest().items():
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == entry["sha256"]
    listed = set(manifest()) | {"manifest.json", "measurements.json", "licences"}
    assert {path.name for path in FOLDER.iterdir()} == listed


def test_every_entry_names_source_licence_and_consent() -> None:
    for entry in manifest().values():
        assert entry["licence"] in {"MIT", "Apache-2.0"}
        for licence in entry["licence_files"]:
            assert len((FOLDER / "licences" / licence).read_text()) > 500
        assert all(len(checksum) == 64 for checksum in entry["sources"].values())
        assert entry["training_data"]
        assert entry["training_consent"].startswith(("none", "unknown"))


def test_label_order_is_the_one_in_the_code() -> None:
    known = manifest()
    assert known["expression_fer.onnx"]["labels"] == list(expressions.LABELS)
    assert known["expression_human.onnx"]["labels"] == list(expressions.LABELS)
    assert known["expression_faceapi.onnx"]["labels"] == list(expressions.FACEAPI_LABELS)
    assert [expressions.FACEAPI_LABELS[i] for i in expressions.FROM_FACEAPI] == list(
        expressions.LABELS
    )


def test_one_changed_byte_is_refused(copied: Path) -> None:
    verify_models(copied)
    spoiled = copied / "expression_fer.onnx"
    body = bytearray(spoiled.read_bytes())
    body[len(body) // 2] ^= 1
    spoiled.write_bytes(body)
    with pytest.raises(ModelIntegrityError, match=r"expression_fer\.onnx: expected SHA-256"):
        model_bytes("expression_fer.onnx", copied)
    with pytest.raises(ModelIntegrityError):
        verify_models(copied)


def test_missing_or_unlisted_file_is_refused(copied: Path) -> None:
    (copied / "face_detector.onnx").unlink()
    with pytest.raises(ModelIntegrityError, match="face_detector"):
        model_bytes("face_detector.onnx", copied)
    (copied / "other.onnx").write_bytes(b"x")
    with pytest.raises(ModelIntegrityError, match="not in the manifest"):
        model_bytes("other.onnx", copied)
    (copied / "manifest.json").write_text("{")
    manifest.cache_clear()
    with pytest.raises(ModelIntegrityError, match="manifest"):
        verify_models(copied)


def test_sessions_are_made_once_with_one_thread() -> None:
    warm_up()
    for name in MODELS:
        assert session(name) is session(name)
        assert session(name).get_session_options().intra_op_num_threads == 1
        assert session(name).get_providers() == ["CPUExecutionProvider"]
