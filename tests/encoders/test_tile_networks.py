"""Tile encoders without words: from files as they are published, against compositions of the libraries' own parts."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from histoseek.encoders.cards.card import Argument, TensorLayout, TileModelCard
from histoseek.encoders.devices import import_timm, import_transformers
from histoseek.encoders.tile.networks.base import shapes_of, without_random_values
from histoseek.encoders.tile.registry import load_tile_encoder
from histoseek.errors import EncoderError

from .small_models import (
    draw_tensors,
    draw_tiles,
    draw_weights,
    find_model,
    fixture_in_torch,
    normalise,
    publish,
    require_packages,
    shrink,
    write,
)

torch = pytest.importorskip("torch")
require_packages()

from . import reference_networks as reference  # noqa: E402

__all__ = ["fixture_in_torch"]
pytestmark = pytest.mark.usefixtures("in_torch")

EDGE, SIDE, WIDTH, HEADS = 56, 4, 32, 2
SMALL: dict[str, Argument] = {"img_size": EDGE, "patch_size": 14, "embed_dim": WIDTH, "depth": 2, "num_heads": HEADS}
SWIGLU_RATIO = 2 * 88 / WIDTH
"""What transformers and DINOv2 make of a ratio of four: two thirds of it, in steps of eight, twice."""


def small(name: str, **arguments: Argument) -> TileModelCard:
    """The card at a depth of two and a width of 32, for pictures of 56 px."""
    model = find_model(name)
    sizes = {each.name: WIDTH * (2 if each.pooling == "cls+mean" else 1) for each in model.variants}
    return shrink(model, {**SMALL, **arguments}, EDGE, sizes)


def encode(model: TileModelCard, path: Path, monkeypatch: pytest.MonkeyPatch, variant: str = "") -> Any:
    publish(monkeypatch, model)
    spec = f"{model.name}:{variant}" if variant else model.name
    return load_tile_encoder(f"{spec}@{path}").encode(draw_tiles(EDGE))


def images(model: TileModelCard) -> Any:
    return normalise(draw_tiles(EDGE), model)


def assert_equal(features: Any, expected: Any) -> None:
    expected = np.asarray(expected)
    assert features.shape == expected.shape
    assert np.abs(features - expected).max() < 1e-5
    assert np.abs(np.diff(expected, axis=0)).max() > 1e-2, "it gives the same for all tiles"


def make_timm(model: TileModelCard, **arguments: Any) -> Any:
    """timm's network by its name, with these arguments beside the card's plain ones."""
    plain = {name: value for name, value in model.network.arguments if not name.endswith("_layer")}
    return import_timm().create_model(model.network.architecture, pretrained=False, **{**plain, **arguments})


def pool(tokens: Any, pooling: str, prefix: int) -> Any:
    if pooling == "cls":
        return tokens[:, 0]
    return torch.cat((tokens[:, 0], tokens[:, prefix:].mean(1)), dim=-1)


SWIGLU_OF_TIMM = ("uni2_h", "virchow", "virchow2", "h0_mini", "gigapath_flash")
AS_TIMM_HAS_THEM = {
    "uni": 1,
    "uni2_h": 9,
    "virchow": 1,
    "virchow2": 5,
    "gigapath": 1,
    "gigapath_flash": 1,
    "h_optimus_0": 5,
    "h0_mini": 5,
    "gpfm": 1,
    "kaiko_vits16": 1,
    "lunit_dino8": 1,
    "prost40m": 1,
}
"""Published under timm's own names; what stands before the patches' tokens."""


@pytest.mark.parametrize("name", AS_TIMM_HAS_THEM)
def test_timm_gives_the_librarys_vectors(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = small(name, mlp_ratio=4.0)
    timm = import_timm()
    swiglu = {"mlp_layer": timm.layers.SwiGLUPacked, "act_layer": torch.nn.SiLU}
    library = make_timm(model, **(swiglu if name in SWIGLU_OF_TIMM else {}))
    assert library.num_prefix_tokens == AS_TIMM_HAS_THEM[name] == model.network.prefix_tokens
    path = write(draw_weights(library), tmp_path / Path(model.publication.files[0].name).name)
    for variant in model.variants:
        adapted = replace(model, preparation=variant.adapt(replace(model.preparation, resize_px=0)))
        with torch.inference_mode():
            expected = pool(library.forward_features(images(adapted)), variant.pooling, AS_TIMM_HAS_THEM[name])
        if not variant.resize_px:
            assert_equal(encode(model, path, monkeypatch, variant.name), expected)


def test_registers_and_class_token_are_no_patches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Virchow2's mean is over its 16 patches here (256 in full): the four registers are left out."""
    model = small("virchow2", mlp_ratio=4.0)
    timm = import_timm()
    library = make_timm(model, mlp_layer=timm.layers.SwiGLUPacked, act_layer=torch.nn.SiLU)
    path = write(draw_weights(library), tmp_path / "model.safetensors")
    with torch.inference_mode():
        tokens = library.forward_features(images(model))
    assert tokens.shape == (3, 1 + 4 + SIDE**2, WIDTH)
    features = encode(model, path, monkeypatch)
    assert_equal(features[:, WIDTH:], tokens[:, 5:].mean(1))
    assert np.abs(features[:, WIDTH:] - tokens[:, 1:].mean(1).numpy()).max() > 1e-2


@pytest.mark.parametrize("name", ["kaiko_vitl", "dinov2"])
def test_positions_are_resampled_as_timm_does(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = small(name)
    layout = replace(model.network.layout, positions_px=2 * EDGE)
    model = replace(model, network=replace(model.network, layout=layout))
    library = make_timm(model, img_size=2 * EDGE, dynamic_img_size=True)
    path = write(draw_weights(library), tmp_path / "model.safetensors")
    assert library.pos_embed.shape[1] in (64, 65)
    with torch.inference_mode():
        expected = library.forward_features(images(model))[:, 0]
    assert_equal(encode(model, path, monkeypatch, "cls"), expected)


@pytest.mark.parametrize("name", ["lunit_bt", "resnet50"])
def test_resnets_are_pooled(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Files may hold the classifier; what is pooled is the fourth stage, or the third as CLAM does."""
    found = find_model(name)
    sizes = {each.name: each.dimension for each in found.variants}
    model = shrink(found, {}, EDGE, sizes)
    library = import_timm().create_model("resnet50", pretrained=False, num_classes=10)
    path = write(draw_resnet(library), tmp_path / "weights.pth")
    with torch.inference_mode():
        stem = library.maxpool(library.act1(library.bn1(library.conv1(images(model)))))
        third = library.layer3(library.layer2(library.layer1(stem)))
        expected = {"pooled": library.layer4(third).mean((2, 3)), "stage3": third.mean((2, 3))}
    for variant in model.variants:
        features = encode(model, path, monkeypatch, variant.name)
        assert features.shape == (3, {"pooled": 2048, "stage3": 1024}[variant.pooling])
        assert_equal(features, expected[variant.pooling])


def draw_resnet(library: Any) -> dict[str, Any]:
    """Weights as the library draws them (deep convolutions need them small), with statistics of their own."""
    torch.manual_seed(0)
    library.init_weights(zero_init_last=False)
    for name, values in library.named_buffers():
        if values.dtype.is_floating_point:
            values.copy_(torch.rand_like(values) + (0.5 if name.endswith("var") else -0.5))
    library.eval()
    return dict(library.state_dict())


def draw_dinov2(swiglu: bool, registers: bool, chunks: int = 0) -> dict[str, Any]:
    """A state dict as DINOv2's code writes it, its blocks in so many chunks."""
    hidden = 88 if swiglu else 4 * WIDTH
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, WIDTH),
        "pos_embed": (1, 1 + SIDE**2, WIDTH),
        "mask_token": (1, WIDTH),
        "patch_embed.proj.weight": (WIDTH, 3, 14, 14),
        "patch_embed.proj.bias": (WIDTH,),
        "norm.weight": (WIDTH,),
        "norm.bias": (WIDTH,),
    }
    if registers:
        shapes["register_tokens"] = (1, 4, WIDTH)
    inner = {"mlp.w12": (2 * hidden, WIDTH), "mlp.w3": (WIDTH, hidden)}
    if not swiglu:
        inner = {"mlp.fc1": (hidden, WIDTH), "mlp.fc2": (WIDTH, hidden)}
    for number in range(2):
        block = f"blocks.{number // 1}.{number}" if chunks else f"blocks.{number}"
        for norm in ("norm1", "norm2"):
            shapes |= {f"{block}.{norm}.weight": (WIDTH,), f"{block}.{norm}.bias": (WIDTH,)}
        for layer, shape in {"attn.qkv": (3 * WIDTH, WIDTH), "attn.proj": (WIDTH, WIDTH), **inner}.items():
            shapes |= {f"{block}.{layer}.weight": shape, f"{block}.{layer}.bias": shape[:1]}
        shapes |= {f"{block}.ls1.gamma": (WIDTH,), f"{block}.ls2.gamma": (WIDTH,)}
    return draw_tensors(shapes)


def test_dinov2s_own_names_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As OpenMidnight (flat), OpenPath and CROWN (chunks; without registers), and DinoBloom (a teacher) have them."""
    heads = {"dino_head.mlp.0.weight": torch.zeros(3), "ibot_head.last_layer.weight": torch.zeros(3)}
    for name, parts, is_teacher in (
        ("openmidnight", {"swiglu": True, "registers": True}, False),
        ("openpath", {"swiglu": True, "registers": True, "chunks": 2}, True),
        ("crown", {"swiglu": True, "registers": False, "chunks": 2}, False),
        ("dinobloom_s", {"swiglu": False, "registers": False}, True),
    ):
        model = small(name, mlp_ratio=SWIGLU_RATIO if parts["swiglu"] else 4.0)
        tensors = draw_dinov2(**parts)
        state: Any = tensors
        if is_teacher:
            state = {"teacher": {f"backbone.{key}": value for key, value in {**tensors, **heads}.items()}, "epoch": 3}
        path = tmp_path / f"{name}.pth"
        torch.save(state, path)
        assert_equal(encode(model, path, monkeypatch), reference.dinov2(tensors, images(model), 14, HEADS)[:, 0])


def make_transformers(name: str, edge: int) -> Any:
    """The published model's class, small: transformers writes its file under the names that it was published with."""
    transformers = import_transformers()
    sizes = {"hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": HEADS, "image_size": edge}
    if name == "phikon":
        config = transformers.ViTConfig(**sizes, patch_size=14, intermediate_size=4 * WIDTH, layer_norm_eps=1e-12)
        return transformers.ViTModel(config)
    if name.startswith("hibou"):
        config = transformers.Dinov2WithRegistersConfig(**sizes, patch_size=14, use_swiglu_ffn=True)
        return transformers.Dinov2WithRegistersModel(config)
    config = transformers.Dinov2Config(**sizes, patch_size=14, use_swiglu_ffn=name == "midnight")
    return transformers.Dinov2Model(config)


@pytest.mark.parametrize(
    ("name", "times"),
    [("phikon", 1), ("phikon_v2", 1), ("midnight", 1), ("midnight", 2), ("hibou_b", 1), ("hibou_l", 1)],
)
def test_files_of_transformers_give_its_vectors(
    name: str, times: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The positions of Midnight's file may be for larger pictures; Hibou's pooler gives its class token."""
    swiglu = name == "midnight" or name.startswith("hibou")
    model = small(name, mlp_ratio=SWIGLU_RATIO if swiglu else 4.0)
    if model.network.layout.positions:
        layout = replace(model.network.layout, positions_px=times * EDGE)
        model = replace(model, network=replace(model.network, layout=layout))
    library = make_transformers(name, times * EDGE)
    draw_weights(library)
    library.save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    from safetensors.torch import load_file

    assert "encoder.layer.1.attention.attention.query.weight" in load_file(path)
    with torch.inference_mode():
        output = library(pixel_values=images(model))
    for variant in model.variants:
        expected = pool(output.last_hidden_state, variant.pooling, model.network.prefix_tokens)
        assert_equal(encode(model, path, monkeypatch, variant.name), expected)
    if name.startswith("hibou"):
        assert torch.equal(output.pooler_output, output.last_hidden_state[:, 0])


def test_hipts_teacher_is_read_from_a_checkpoint_of_dino(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its arguments lie beside its weights, and its positions are for smaller pictures."""
    model = small("hipt")
    layout = replace(model.network.layout, positions_px=EDGE // 2)
    model = replace(model, network=replace(model.network, layout=layout))
    library = make_timm(model, img_size=EDGE // 2)
    tensors = draw_weights(library)
    student = {f"module.backbone.{name}": torch.zeros_like(tensor) for name, tensor in tensors.items()}
    teacher = {f"backbone.{name}": tensor for name, tensor in tensors.items()} | {"head.mlp.0.weight": torch.ones(2)}
    path = tmp_path / "vit256_small_dino.pth"
    torch.save({"student": student, "teacher": teacher, "epoch": 9, "args": Namespace(arch="vit_small")}, path)
    whole = make_timm(model)
    positions = reference.resample_as_dino(tensors["pos_embed"], SIDE)
    whole.load_state_dict({**tensors, "pos_embed": positions})
    with torch.inference_mode():
        expected = whole.eval().forward_features(images(model))[:, 0]
    assert_equal(encode(model, path, monkeypatch), expected)


def test_prefixes_are_taken_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = small("sp22m")
    library = make_timm(model)
    tensors = draw_weights(library)
    path = write({f"encoder.{name}": tensor for name, tensor in tensors.items()}, tmp_path / "pytorch_model.bin")
    with torch.inference_mode():
        assert_equal(encode(model, path, monkeypatch), library.forward_features(images(model))[:, 0])


def test_adapters_are_added_to_their_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """CRISP: LoRA of rank 8 and alpha 16 on Virchow2, as peft names it."""
    model = small("crisp", mlp_ratio=4.0)
    timm = import_timm()
    library = make_timm(model, mlp_layer=timm.layers.SwiGLUPacked, act_layer=torch.nn.SiLU)
    published, merged = {}, {}
    for name, tensor in draw_weights(library).items():
        layer, _, kind = name.rpartition(".")
        merged[name] = tensor
        if ".attn.qkv" not in name:
            published[f"base_model.model.{name}"] = tensor
            continue
        published[f"base_model.model.{layer}.base_layer.{kind}"] = tensor
        if kind == "weight":
            down, up = torch.randn(8, WIDTH) * 0.1, torch.randn(3 * WIDTH, 8) * 0.1
            published[f"base_model.model.{layer}.lora_A.default.weight"] = down
            published[f"base_model.model.{layer}.lora_B.default.weight"] = up
            merged[name] = tensor + 16 / 8 * up @ down
    library.load_state_dict(merged)
    path = write(published, tmp_path / "CRISP.pth")
    with torch.inference_mode():
        expected = pool(library.forward_features(images(model)), "cls+mean", 5)
    assert_equal(encode(model, path, monkeypatch), expected)
    published.pop("base_model.model.blocks.1.attn.qkv.lora_B.default.weight")
    with pytest.raises(EncoderError, match=r"no blocks\.1\.attn\.qkv\.lora_B\.default\.weight"):
        encode(model, write(published, tmp_path / "half.pth"), monkeypatch)


@pytest.mark.parametrize("is_old", [True, False])
def test_ctranspath_is_swin_behind_convolutions(is_old: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its first file is older than timm 0.8: patches are merged at the end of stages, and buffers are stored."""
    model = replace(shrink(find_model("ctranspath"), {}, 224, 768))
    timm = import_timm()
    library = timm.create_model("swin_tiny_patch4_window7_224", pretrained=False, num_classes=0)
    convolutions = (torch.nn.Conv2d(3, 12, 3, 2, 1, bias=False), torch.nn.Conv2d(12, 24, 3, 2, 1, bias=False))
    norms = (torch.nn.BatchNorm2d(12), torch.nn.BatchNorm2d(24))
    last = torch.nn.Conv2d(24, 96, 1)
    steps = (convolutions[0], norms[0], torch.nn.ReLU(), convolutions[1], norms[1], torch.nn.ReLU(), last)
    library.patch_embed.proj = torch.nn.Sequential(*steps)
    tensors = {name: tensor.clone() for name, tensor in library.state_dict().items()}
    library.eval()
    tiles = draw_tiles(224, count=2)
    with torch.inference_mode():
        grid = library.patch_embed.norm(library.patch_embed.proj(normalise(tiles, model)).permute(0, 2, 3, 1))
        expected = library.norm(library.layers(grid)).mean((1, 2))
    path = tmp_path / "weights.pth"
    torch.save({"model": as_swins_first_code(tensors) if is_old else tensors}, path)
    publish(monkeypatch, model)
    assert_equal(load_tile_encoder(f"ctranspath@{path}").encode(tiles), expected)


def as_swins_first_code(tensors: dict[str, Any]) -> dict[str, Any]:
    renamed = {}
    for name, tensor in tensors.items():
        stage, part = name.split(".")[1:3] if name.startswith("layers.") else ("", "")
        moved = part == "downsample"
        renamed[name.replace(f"layers.{stage}.", f"layers.{int(stage) - 1}.") if moved else name] = tensor
    renamed["layers.0.blocks.1.attn_mask"] = torch.zeros(64, 49, 49)
    renamed["layers.0.blocks.0.attn.relative_position_index"] = torch.zeros(49, 49, dtype=torch.long)
    assert "layers.0.downsample.reduction.weight" in renamed
    return renamed


def test_mettle_refines_its_class_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = small("mettle", mlp_ratio=4.0)
    arguments = dict(model.network.arguments)
    library = import_timm().create_model("vit_giant_patch14_reg4_dinov2", pretrained=False, **arguments)
    backbone = draw_weights(library)
    two = {"mix.0": (256, WIDTH), "mix.2": (16, 256), "shift.0": (256, WIDTH), "shift.2": (WIDTH, 256)}
    shapes: dict[str, tuple[int, ...]] = {"P": (16, WIDTH, 8), "Q": (16, WIDTH, 8)}
    for layer, shape in two.items():
        shapes |= {f"{layer}.weight": shape, f"{layer}.bias": shape[:1]}
    head = draw_tensors(shapes)
    published = {f"backbone.{name}": tensor for name, tensor in backbone.items()}
    published |= {f"head.{name}": tensor for name, tensor in head.items()}
    path = write(published, tmp_path / "model.safetensors")
    with torch.inference_mode():
        tokens = library.forward_features(images(model))
        first = reference.refine_as_mettle(tokens[:, 0], head)
    assert_equal(encode(model, path, monkeypatch, "cls"), first)
    assert_equal(encode(model, path, monkeypatch), torch.cat((first, tokens[:, 5:].mean(1)), dim=-1))


def test_isight_takes_the_mean_of_all_projected_tokens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Before CLIP's last normalisation, from a checkpoint of a training whose other parts are left."""
    transformers = import_transformers()
    model = small("isight")
    vision = {
        "hidden_size": WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": HEADS,
        "intermediate_size": 4 * WIDTH,
    }
    vision |= {"image_size": EDGE, "patch_size": 14}
    text = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    library = transformers.CLIPModel(transformers.CLIPConfig(vision_config=vision, text_config=text))
    clip = draw_weights(library)
    layer = draw_tensors({"weight": (WIDTH, WIDTH), "bias": (WIDTH,)})
    state = {f"patch_encoder.{name}": tensor for name, tensor in clip.items()}
    state |= {f"visual_token_projection.{name}": tensor for name, tensor in layer.items()}
    state["attention_net.0.weight"] = torch.zeros(2, 2)
    path = tmp_path / "iSight_model_checkpoint.pth"
    torch.save({"epoch": 1, "model_state_dict": state, "optimizer_state_dict": {"state": {}}}, path)
    with torch.inference_mode():
        hidden = library.vision_model(images(model), output_hidden_states=True).hidden_states[-1]
        tokens = torch.nn.functional.linear(hidden, layer["weight"], layer["bias"])
    assert_equal(encode(model, path, monkeypatch), tokens.mean(1))
    assert_equal(encode(model, path, monkeypatch, "cls"), tokens[:, 0])


def test_pathfm_sees_each_colour_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = find_model("genbio_pathfm")
    model = shrink(found, {"patch_size": 14, "embed_dim": WIDTH, "depth": 2, "num_heads": HEADS}, EDGE, 3 * WIDTH)
    from histoseek.encoders.tile.networks import genbio
    from histoseek.encoders.tile.registry import make_tile_card

    network = genbio.build(make_tile_card(model, model.variants[0]))
    shapes = shapes_of(network.state_dict())
    assert {name.split(".", 2)[2] for name in shapes if name.startswith("blocks.0.")} == {
        *(
            f"{layer}.{kind}"
            for layer in ("norm1", "norm2", "attn.proj", "mlp.w1", "mlp.w2", "mlp.w3")
            for kind in ("weight", "bias")
        ),
        "attn.qkv.weight",
        "ls1.gamma",
        "ls2.gamma",
    }
    tensors = draw_tensors(shapes)
    tensors["rope_embed.periods"] = (100.0 ** (torch.arange(4) / 4)).bfloat16()
    path = write(tensors, tmp_path / "model.pth")
    with torch.inference_mode():
        expected = reference.pathfm(tensors, images(model), 14, HEADS)
    assert_equal(encode(model, path, monkeypatch), expected)


def test_other_files_are_refused_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = small("uni")
    tensors = draw_weights(make_timm(model))
    for change, said in (
        ({"norm.weight": None}, "no norm.weight"),
        ({"head.weight": torch.zeros(2)}, "head.weight, which it does not have"),
        ({"cls_token": torch.zeros(1, 1, 7)}, r"cls_token of shape \(1, 1, 7\), wanted \(1, 1, 32\)"),
    ):
        changed = {name: tensor for name, tensor in {**tensors, **change}.items() if tensor is not None}
        with pytest.raises(EncoderError, match=said) as caught:
            encode(model, write(changed, tmp_path / "changed.bin"), monkeypatch)
        assert "\n" not in str(caught.value)


def test_half_precision_files_are_computed_in_single(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = small("uni")
    library = make_timm(model)
    halves = {name: tensor.half() for name, tensor in draw_weights(library).items()}
    library.load_state_dict({name: tensor.float() for name, tensor in halves.items()})
    path = write(halves, tmp_path / "pytorch_model.bin")
    with torch.inference_mode():
        assert_equal(encode(model, path, monkeypatch), library.forward_features(images(model))[:, 0])


def test_cards_name_layers_of_a_fixed_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "pytorch_model.bin"
    torch.save({"cls_token": torch.zeros(1)}, path)
    for arguments, said in (
        ({"mlp_layer": "os.system"}, "mlp_layer = 'os.system' is no layer that is known here"),
        ({"patch_size": 14, "breadth": 3}, "timm builds no vit_large_patch16_224 from these arguments"),
    ):
        with pytest.raises(EncoderError, match=said):
            encode(small("uni", **arguments), path, monkeypatch)
    model = small("uni")
    unknown = replace(model, network=replace(model.network, architecture="vit_of_nobody"))
    with pytest.raises(EncoderError, match="timm builds no vit_of_nobody"):
        encode(unknown, path, monkeypatch)


def test_blocks_with_the_same_number_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = small("openpath", mlp_ratio=SWIGLU_RATIO)
    tensors = draw_dinov2(swiglu=True, registers=True, chunks=2)
    tensors["blocks.0.1.norm1.bias"] = torch.zeros(WIDTH)
    with pytest.raises(EncoderError, match="two of its blocks have the same number"):
        encode(model, write(tensors, tmp_path / "weights.pth"), monkeypatch)
    assert model.network.layout != TensorLayout()


@pytest.mark.parametrize("bounds", [(-2.0, 2.0), (0.3, 0.5)])
def test_values_that_are_not_drawn_lie_between_their_bounds(bounds: tuple[float, float]) -> None:
    """torch draws anew as long as one lies outside: what memory held there before would keep it at that for ever."""
    held = torch.full((64,), 1e9)
    with without_random_values():
        assert torch.equal(held.clone().normal_(0.1, 0.2), torch.full((64,), 0.1))
        assert torch.equal(held.clone().uniform_(-3, 3), torch.full((64,), -3.0))
        cut = torch.nn.init.trunc_normal_(held, 0.0, 1.0, *bounds)
    assert bool(((cut >= bounds[0]) & (cut <= bounds[1])).all())
