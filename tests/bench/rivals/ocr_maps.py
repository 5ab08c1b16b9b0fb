"""Feature maps of trained networks whose weights lie in a package: PP-OCRv4, by PaddlePaddle.

    pip install --no-deps rapidocr-onnxruntime==1.4.4 && pip install onnx onnxruntime

Only the weights are taken from the package. Pages of words in Pillow's own font go in; what comes
out of blocks of the detector and of the recogniser is what would cross there.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

NEEDED = ("onnx", "onnxruntime", "rapidocr_onnxruntime")
WORDS = (
    "twelve",
    "boxing",
    "wizards",
    "jump",
    "over",
    "a",
    "lazy",
    "dog",
    "at",
    "7",
    "pm",
    "daily",
)
NETWORKS = {  # name: (file, (width, height, size of letters), outputs of blocks)
    "OCR detector": (
        "ch_PP-OCRv4_det_infer.onnx", (320, 320, 24), ("p2o.Add.43", "p2o.Add.71", "p2o.Add.147"),
    ),
    "OCR recogniser": (
        "ch_PP-OCRv4_rec_infer.onnx", (320, 48, 34), ("p2o.Add.15", "p2o.Add.31", "p2o.Add.95"),
    ),
}  # fmt: skip


def missing() -> list[str]:
    """The packages that are not installed."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def maps() -> Iterator[tuple[str, np.ndarray]]:
    """(network and shape, features [1, channels, rows, cols]) of all cuts."""
    for name, (file, page, outputs) in NETWORKS.items():
        x = (draw_page(*page) / 127.5 - 1).transpose(2, 0, 1)[None].astype(np.float32)
        for features in run(weights_folder() / file, list(outputs), x):
            yield f"{name} {' x '.join(map(str, features.shape[1:]))}", features


def weights_folder() -> Path:
    """Where the package keeps its weights; it is not imported."""
    spec = importlib.util.find_spec("rapidocr_onnxruntime")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(next(iter(spec.submodule_search_locations))) / "models"


def draw_page(width: int, height: int, size: int, seed: int = 0) -> np.ndarray:
    """Lines of random words, black on white, (rows, cols, 3) of 0..255."""
    generator = np.random.default_rng(seed)
    page = Image.new("RGB", (width, height), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size)
    for top in range(4, height, int(1.4 * size)):
        pen.text((4, top), " ".join(generator.choice(WORDS, 20)), fill="black", font=font)
    return np.asarray(page)


def run(path: Path, names: list[str], x: np.ndarray) -> list[np.ndarray]:
    """What the named nodes put out."""
    import onnx
    import onnxruntime

    network = onnx.load(path)
    network.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = onnxruntime.InferenceSession(
        network.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    found: list[np.ndarray] = session.run(names, {session.get_inputs()[0].name: x})
    return found
