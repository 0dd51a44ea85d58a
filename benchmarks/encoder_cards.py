"""Every tile encoder of the catalogue at full size: random weights in its published file's layout, loaded and compared.

PYTHONPATH=. python benchmarks/encoder_cards.py FOLDER [NAMES ...]    measure, and keep it in encoder_cards.json
PYTHONPATH=. python benchmarks/encoder_cards.py --table docs/encoders-verified.md    write the table from it

For each name (all without words, if none is given) weights are drawn for the whole network, written to FOLDER under the
names and in the format of the published file, loaded as users load theirs, and a tile's features in float32 compared
with those of timm's own network (or of the network written out in tests/encoders/reference_networks.py) over the same
tensors. The largest take 5 GB on disk and 6 GB of memory; files are removed again.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import time
from pathlib import Path
from typing import Any

os.environ.update(HISTOSEEK_RUNTIME="torch", HISTOSEEK_ACCEPT_UNKNOWN_WEIGHTS="1", HISTOSEEK_READ_MEMORY_MB="16384")

import numpy as np
import torch
from tests.encoders import reference_networks as reference
from tests.encoders.published_sizes import PUBLISHED

from histoseek.encoders.cards.card import TensorLayout, TileModelCard
from histoseek.encoders.cards.catalogue import list_tile_models
from histoseek.encoders.devices import import_timm
from histoseek.encoders.tile.base import TileCard
from histoseek.encoders.tile.networks.base import shapes_of
from histoseek.encoders.tile.networks.timm_networks import build_network
from histoseek.encoders.tile.preparation import prepare_pixels
from histoseek.encoders.tile.registry import _find_kind, load_tile_encoder, make_tile_card

RESULTS = Path(__file__).with_suffix(".json")
POOL = 2**22 + 1
TEACHERS = ("hipt", "openpath", "dinobloom_s")
WEIGHTS = "the weights themselves: nobody here has loaded them"
CHUNKED = {"openpath": 10, "crown": 6}
"""Blocks in a chunk."""

TO_TRANSFORMERS = {
    r"^(cls_token)$": r"embeddings.\1",
    r"^pos_embed$": "embeddings.position_embeddings",
    r"^reg_token$": "embeddings.register_tokens",
    r"^patch_embed\.proj\.": "embeddings.patch_embeddings.projection.",
    r"^norm\.": "layernorm.",
    r"^blocks\.": "encoder.layer.",
    r"\.attn\.qkv\.": ".attention.attention.{}.",
    r"\.attn\.proj\.": ".attention.output.dense.",
    r"\.ls([12])\.gamma$": r".layer_scale\1.lambda1",
}
TO_VIT = {r"\.norm1\.": ".layernorm_before.", r"\.norm2\.": ".layernorm_after."}
TO_VIT |= {r"\.mlp\.fc1\.": ".intermediate.dense.", r"(layer\.\d+)\.mlp\.fc2\.": r"\1.output.dense."}
TO_CLIP = {
    r"^cls_token$": "embeddings.class_embedding",
    r"^pos_embed$": "embeddings.position_embedding.weight",
    r"^patch_embed\.proj\.": "embeddings.patch_embedding.",
    r"^norm_pre\.": "pre_layrnorm.",
    r"^blocks\.": "encoder.layers.",
    r"\.attn\.qkv\.": ".self_attn.{}_proj.",
    r"\.attn\.proj\.": ".self_attn.out_proj.",
    r"\.norm([12])\.": r".layer_norm\1.",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--table", type=Path)
    arguments = parser.parse_args()
    results: dict[str, dict[str, Any]] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if arguments.folder:
        for model in sorted(list_tile_models(), key=lambda model: model.network.parameters):
            chosen = model.name in arguments.names if arguments.names else model.name not in results
            if chosen and not model.has_words and not model.features_only:
                twin = find_twin(model, results)
                results[model.name] = {"same_as": twin} if twin else measure(model, arguments.folder)
                print(model.name, results[model.name], flush=True)
                RESULTS.write_text(json.dumps(dict(sorted(results.items())), indent=1) + "\n")
    if arguments.table:
        arguments.table.write_text(write_table(results), encoding="utf-8")


def find_twin(model: TileModelCard, results: dict[str, dict[str, Any]]) -> str:
    """A model of the same network, layout, input and format of files that has been measured, "" for none."""
    others = (other for other in list_tile_models() if "difference" in results.get(other.name, {}))
    return next((other.name for other in others if describe_kind(other) == describe_kind(model)), "")


def describe_kind(model: TileModelCard) -> tuple[object, ...]:
    is_safetensors = model.publication.files[0].name.endswith(".safetensors")
    return model.network, model.preparation.input_px, model.variants[0].pooling, is_safetensors


def measure(model: TileModelCard, folder: Path) -> dict[str, Any]:
    """What loading and encoding a tile takes, and how far the features are from the library's."""
    card = make_tile_card(model, model.variants[0])
    path = folder / Path(model.publication.files[0].name).name
    tensors, positions = draw(card)
    count = write_published(model, lay_out(model, tensors, positions), path)
    del tensors
    tiles = np.random.default_rng(0).integers(0, 256, (1, card.tile_px, card.tile_px, 3), dtype=np.uint8)
    try:
        started = time.perf_counter()
        encoder = load_tile_encoder(f"{model.name}@{path}")
        loaded = time.perf_counter()
        features = encoder.encode(tiles)
        encoded = time.perf_counter()
    finally:
        path.unlink()
    del encoder
    tensors, positions = draw(card)
    if positions is not None:
        tensors["pos_embed"] = resample(positions, model)
    pixels = torch.from_numpy(prepare_pixels(tiles, card.preparation)).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (card.preparation.mean, card.preparation.std))
    with torch.inference_mode():
        expected = compose(card, tensors, (pixels - mean) / std).numpy()
    assert features.shape == expected.shape == (1, card.dimension)
    assert np.isfinite(features).all()
    return {
        "tensors": count,
        "difference": float(np.abs(features - expected).max() / np.abs(expected).max()),
        "load_seconds": round(loaded - started, 1),
        "tile_seconds": round(encoded - loaded, 2),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def draw(card: TileCard) -> tuple[dict[str, Any], Any]:
    """Tensors of the whole network, always the same, and the position embeddings of its file if they are others."""
    kind = _find_kind(card)
    assert kind is not None
    with torch.device("meta"):
        state = kind.build(card).state_dict()
    if card.network.library == "timm":
        state = {name.removeprefix("network."): tensor for name, tensor in state.items()}
    pool = torch.randn(POOL, generator=torch.Generator().manual_seed(0))
    tensors, place = {}, 0
    for name, shape in shapes_of(state).items():
        gain = "norm" in name.rpartition(".")[0] or ".bn" in f".{name}" or name.endswith("running_var")
        scale = 0.3 / max(np.prod(shape[1:], dtype=float), 1) ** 0.5 if len(shape) > 1 else 0.05
        values = take(pool, place, int(np.prod(shape))).reshape(shape) * scale
        if gain and name.endswith(("weight", "running_var")):
            values = 1 + 0.2 * values.abs()
        tensors[name] = values if state[name].dtype.is_floating_point else torch.zeros(shape, dtype=state[name].dtype)
        place += 7919
    if "rope_embed.periods" in tensors:
        tensors["rope_embed.periods"] = (100.0 ** (torch.arange(16) / 16)).bfloat16()
    layout, positions = card.network.layout, None
    if layout.positions and layout.positions_px != card.preparation.input_px:
        _, rows, width = tensors["pos_embed"].shape
        side = int(rows**0.5)
        more = (side * layout.positions_px // card.preparation.input_px) ** 2 + rows - side**2
        positions = take(pool, place, more * width).reshape(1, more, width) * 0.1
    return tensors, positions


def take(pool: Any, place: int, count: int) -> Any:
    start = place % POOL
    return pool.repeat(-(-(start + count) // POOL))[start : start + count].clone()


def resample(positions: Any, model: TileModelCard) -> Any:
    """By the rule that the card names, in the code of the library that has it."""
    layout, edge = model.network.layout, model.preparation.input_px
    old = int(positions.shape[1] ** 0.5)
    before, side = positions.shape[1] - old**2, old * edge // layout.positions_px
    if layout.positions == "dino":
        return reference.resample_as_dino(positions, side)
    if layout.positions == "timm":
        import_timm()
        from timm.layers import resample_abs_pos_embed

        return resample_abs_pos_embed(positions, [side, side], num_prefix_tokens=before)
    grid = positions[:, before:].reshape(1, old, old, -1).permute(0, 3, 1, 2)
    grid = torch.nn.functional.interpolate(grid, size=(side, side), mode="bicubic", align_corners=False)
    return torch.cat((positions[:, :before], grid.permute(0, 2, 3, 1).reshape(1, side**2, -1)), dim=1)


def lay_out(model: TileModelCard, tensors: dict[str, Any], positions: Any) -> dict[str, Any]:
    """The tensors under the names of the published file."""
    layout, found = model.network.layout, dict(tensors)
    if positions is not None:
        found["pos_embed"] = positions
    if layout.naming in ("dinov2", "transformers") and "reg_token" in found:
        first = torch.full_like(found["cls_token"], 0.01)
        found["cls_token"] = found["cls_token"] - first
        found["pos_embed"] = torch.cat((first, found["pos_embed"]), dim=1)
    if layout.naming == "dinov2":
        found = to_dinov2(found, CHUNKED.get(model.name, 0))
    if layout.naming == "transformers":
        found = rename(found, TO_TRANSFORMERS | (TO_VIT if model.name == "phikon" else {}), ("query", "key", "value"))
        if "SwiGLUPacked" in str(model.network.arguments) or model.name == "midnight":
            found = {re.sub(r"\.fc1\.", ".weights_in.", name): tensor for name, tensor in found.items()}
            found = {re.sub(r"\.fc2\.", ".weights_out.", name): tensor for name, tensor in found.items()}
        found |= {} if model.name == "phikon" else {"embeddings.mask_token": torch.zeros(1, 8)}
    if layout.naming == "clip":
        found = to_clip(found)
    if layout.adapter_scale:
        found = add_adapters(found, layout)
    return {"".join(layout.prefixes) + name: tensor for name, tensor in found.items()}


def to_dinov2(tensors: dict[str, Any], chunk: int) -> dict[str, Any]:
    swiglu = tensors["blocks.0.mlp.fc1.weight"].shape[0] != tensors["blocks.0.mlp.fc2.weight"].shape[1]
    found = {"mask_token": torch.zeros(1, 8)}
    for name, tensor in tensors.items():
        new = name.replace(".fc1.", ".w12.").replace(".fc2.", ".w3.") if swiglu else name
        if chunk:
            new = re.sub(r"^blocks\.(\d+)", lambda match: f"blocks.{int(match[1]) // chunk}.{match[1]}", new)
        found["register_tokens" if name == "reg_token" else new] = tensor
    return found


def rename(tensors: dict[str, Any], patterns: dict[str, str], parts: tuple[str, str, str]) -> dict[str, Any]:
    found = {}
    for name, tensor in tensors.items():
        new = name
        for pattern, wanted in patterns.items():
            new = re.sub(pattern, wanted, new)
        pieces = tensor.chunk(3) if "{}" in new else (tensor,)
        found |= {new.format(part): piece.contiguous() for part, piece in zip(parts, pieces, strict=False)}
    return found


def to_clip(tensors: dict[str, Any]) -> dict[str, Any]:
    own = {name.removeprefix("network."): t for name, t in tensors.items() if name.startswith("network.")}
    own = rename(own, TO_CLIP, ("q", "k", "v"))
    own["embeddings.class_embedding"] = own["embeddings.class_embedding"].flatten()
    own["embeddings.position_embedding.weight"] = own["embeddings.position_embedding.weight"][0]
    rest = {name: tensor for name, tensor in tensors.items() if not name.startswith("network.")}
    return {f"vision_model.{name}": tensor for name, tensor in own.items()} | rest


def add_adapters(tensors: dict[str, Any], layout: TensorLayout) -> dict[str, Any]:
    found = {}
    for name, tensor in tensors.items():
        layer, _, kind = name.rpartition(".")
        if not layer.endswith(".attn.qkv"):
            found[name] = tensor
            continue
        found[f"{layer}.base_layer.{kind}"] = tensor
        if kind == "weight":
            down, up = torch.full((8, tensor.shape[1]), 1e-3), torch.full((tensor.shape[0], 8), 1e-3)
            found[f"{layer}.lora_A.default.weight"], found[f"{layer}.lora_B.default.weight"] = down, up
            found[f"{layer}.base_layer.{kind}"] = tensor - layout.adapter_scale * (up @ down)
    return found


def write_published(model: TileModelCard, tensors: dict[str, Any], path: Path) -> int:
    """The file, its tensors in the table of a training where the published one has them there; how many there are."""
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".safetensors":
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
        return len(tensors)
    tables = {"isight": "model_state_dict", "ctranspath_chief": "model"} | dict.fromkeys(TEACHERS, "teacher")
    torch.save({tables[model.name]: tensors} if model.name in tables else tensors, path)
    return len(tensors)


def compose(card: TileCard, tensors: dict[str, Any], images: Any) -> Any:
    """Features by the library's own parts."""
    arguments = dict(card.network.arguments)
    if card.network.architecture == "genbio_pathfm":
        return reference.pathfm(tensors, images, int(str(arguments["patch_size"])), int(str(arguments["num_heads"])))
    timm = import_timm()
    if card.network.architecture == "mettle":
        own = {name.removeprefix("backbone."): t for name, t in tensors.items() if name.startswith("backbone.")}
        head = {name.removeprefix("head."): t for name, t in tensors.items() if name.startswith("head.")}
        tokens = fill(timm.create_model("vit_giant_patch14_reg4_dinov2", **arguments), own).forward_features(images)
        return torch.cat((reference.refine_as_mettle(tokens[:, 0], head), tokens[:, 5:].mean(1)), dim=-1)
    if card.network.architecture == "isight":
        own = {name.removeprefix("network."): t for name, t in tensors.items() if name.startswith("network.")}
        network = timm.create_model("vit_large_patch14_clip_quickgelu_336", **arguments, final_norm=False)
        tokens = fill(network, own).forward_features(images)
        return reference.linear(tokens, tensors, "visual_token_projection").mean(1)
    network = fill(build_network(card.name, card.network), tensors)
    if card.variant.pooling == "stage3":
        stem = network.maxpool(network.act1(network.bn1(network.conv1(images))))
        return network.layer3(network.layer2(network.layer1(stem))).mean((2, 3))
    if card.variant.pooling == "pooled":
        grid = network.forward_features(images)
        return grid.mean((1, 2)) if grid.shape[-1] == card.dimension else grid.mean((2, 3))
    tokens = network.forward_features(images)
    parts = {"cls": (tokens[:, 0],), "cls+mean": (tokens[:, 0], tokens[:, network.num_prefix_tokens :].mean(1))}
    return torch.cat(parts[card.variant.pooling], dim=-1)


def fill(network: Any, tensors: dict[str, Any]) -> Any:
    network.load_state_dict(tensors, assign=True)
    return network.eval()


AGAINST = {
    "": "timm's own network",
    "transformers": "transformers' own network, from a file that it wrote",
    "dinov2": "DINOv2's network, written out",
    "swin": "timm's Swin behind convolutions written out",
    "mettle": "timm's network and the head written out",
    "isight": "transformers' CLIP and the layer written out",
    "genbio_pathfm": "the network written out",
    "open_clip": "open_clip's own network",
    "CLIPModel": "transformers' own network",
}


def write_table(results: dict[str, dict[str, Any]]) -> str:
    """The page: what was verified of each card, and how."""
    lines = [
        "# What was verified of the published tile encoders",
        "",
        "Written by `PYTHONPATH=. python benchmarks/encoder_cards.py --table docs/encoders-verified.md`, not by hand.",
        "",
        "No published weights could be had where this was made: everything below is with random ones.",
        "",
        "- *Parameters* are counted on the network as its file holds it; **=** says that a public registry states that",
        "  number, to its digits.",
        "- *Tensors* are those of the file as it was written here; **=** says that a registry states how many the",
        "  network has.",
        "- *Small*: loaded from a file in the published layout at a depth of two, and equal within 1e-5 in float32 to",
        "  what is named (`tests/encoders`).",
        "- *Full size*: loaded from such a file at full size, and how far a tile's features are from the library's,",
        "  relative to their largest value; or the model of the same network and layout of which that was measured.",
        "",
        "| model | variants | parameters | tensors | small, equal to | full size | not verified |",
        "|---|---|---:|---:|---|---|---|",
    ]
    models = list_tile_models()
    lines += [write_row(model, results.get(model.name)) for model in models if not model.features_only]
    lines += ["", "Features only:", ""]
    lines += [f"- `{model.name}`: {model.features_only}." for model in models if model.features_only]
    return "\n".join(lines) + "\n"


def write_row(model: TileModelCard, result: dict[str, Any] | None) -> str:
    said, count = PUBLISHED.get(model.name, ("", 0))
    network = model.network
    way = network.layout.naming if network.library == "timm" else network.architecture
    small = AGAINST.get(way) or AGAINST.get(network.library) or "in its own tests"
    if network.layout.adapter_scale:
        small += ", adapters added by hand"
    measured, full = result, "not run"
    if result and "same_as" in result:
        full = f"as `{result['same_as']}`"
        measured = None
    elif result:
        full = f"{result['difference']:.0e}"
    cells = (
        f"`{model.name}`",
        ", ".join(f"{each.name} {each.dimension}" for each in model.variants),
        f"{network.parameters:,}" + (" **=**" if said else ""),
        (f"{measured['tensors']}" if measured else "") + (" **=**" if count else ""),
        small,
        full,
        "; ".join(each for each in model.not_verified if each != WEIGHTS),
    )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
