"""Names and shapes of tensors in published files, listed from the public sources that the cards name."""

from __future__ import annotations

Shapes = dict[str, tuple[int, ...]]


def linear(name: str, before: int, after: int, bias: bool = True) -> Shapes:
    return {f"{name}.weight": (after, before), **({f"{name}.bias": (after,)} if bias else {})}


def norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def gate(name: str, width: int, hidden: int) -> Shapes:
    parts = (linear(f"{name}.attention_{side}.0", width, hidden) for side in "ab")
    return {key: shape for part in parts for key, shape in part.items()} | linear(f"{name}.attention_c", hidden, 1)


def chief(width: int = 768, hidden: int = 512, gates: int = 256) -> Shapes:
    others = linear("classifiers", hidden, 2) | linear("att_head.fc1", hidden, gates) | linear("att_head.fc2", gates, 1)
    others |= linear("instance_classifiers.0", hidden, 2) | linear("instance_classifiers.1", hidden, 2)
    others |= linear("text_to_vision.0", 768, hidden) | {"organ_embedding": (19, 768)}
    return linear("attention_net.0", width, hidden) | gate("attention_net.3", hidden, gates) | others


def feather(features: int = 768, width: int = 512, gates: int = 384) -> Shapes:
    return linear("model.patch_embed.0", features, width) | gate("model.global_attn", width, gates)


def _headed(prefix: str, features: int, width: int, heads: int) -> Shapes:
    shapes: Shapes = {}
    for place, (before, after) in zip(
        (0, 4, 8), ((features, width), (width, width), (width, width * heads)), strict=True
    ):
        shapes |= linear(f"{prefix}.pre_attn.{place}", before, after) | norm(f"{prefix}.pre_attn.{place + 1}", after)
    for head in range(heads):
        shapes |= gate(f"{prefix}.attn.{head}", width, width)
    return shapes


def madeleine(features: int = 512, width: int = 512, heads: int = 4, tokens: int = 128) -> Shapes:
    ends = linear("token_projector", width * heads, tokens) | linear("projector", width * heads, width)
    return _headed("wsi_embedders", features, width, heads) | ends


def tangle(features: int = 1024, width: int = 512, heads: int = 4, genes: int = 96) -> Shapes:
    others = linear("rna_embedder.blocks.0.0", genes, width) | norm("rna_embedder.blocks.0.1", width)
    end = linear("wsi_embedder.proj_multihead", width * heads, width)
    return _headed("wsi_embedder", features, width, heads) | end | others


def titan(features: int = 768, width: int = 768, depth: int = 6, hidden: int = 3072, captions: int = 128) -> Shapes:
    shapes = linear("patch_embed.0", features, width) | norm("norm", width)
    shapes |= {"cls_token": (1, 1, width), "proj": (width, width)}
    for number in range(depth):
        block = f"blocks.modules_list.{number}"
        shapes |= norm(f"{block}.norm1", width) | norm(f"{block}.norm2", width)
        shapes |= linear(f"{block}.attn.qkv", width, 3 * width) | linear(f"{block}.attn.proj", width, width)
        shapes |= linear(f"{block}.mlp.fc1", width, hidden) | linear(f"{block}.mlp.fc2", hidden, width)
    for pool, queries in (("attn_pool", captions), ("attn_pool_contrastive", 1)):
        shapes |= {f"{pool}.query": (queries, width), f"{pool}.attn.in_proj_weight": (3 * width, width)}
        shapes |= {f"{pool}.attn.in_proj_bias": (3 * width,)} | linear(f"{pool}.attn.out_proj", width, width)
        shapes |= norm(f"{pool}.ln_q", width) | norm(f"{pool}.ln_k", width)
    vision = {f"vision_encoder.{name}": shape for name, shape in shapes.items()}
    return vision | {"text_encoder.cls_emb": (8,), "text_encoder.ln_final.weight": (8,)}


def moozy(
    features: int = 384,
    width: int = 768,
    depth: int = 6,
    hidden: int = 3072,
    heads: int = 12,
    registers: int = 4,
    extras: bool = False,
) -> Shapes:
    shapes = linear("input_proj.0", features, width) | norm("norm", width)
    shapes |= {"cls_token": (1, 1, width), "register_tokens": (1, registers, width), "mask_token": (1, 1, width)}
    shapes["pos_bias.slopes"] = (heads, 1)
    for number in range(depth):
        block = f"blocks.{number}"
        shapes |= norm(f"{block}.norm1", width) | norm(f"{block}.norm2", width)
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes |= linear(f"{block}.{part}", width, width)
        shapes |= linear(f"{block}.fc1", width, hidden) | linear(f"{block}.fc2", hidden, width)
        shapes[f"{block}.pos_bias.slopes"] = (heads, 1)
        if extras:
            shapes |= norm(f"{block}.q_norm", width // heads) | norm(f"{block}.k_norm", width // heads)
            shapes |= {f"{block}.ls_attn.gamma": (width,), f"{block}.ls_mlp.gamma": (width,)}
    return shapes


def gigapath(features: int = 1536, width: int = 768, depth: int = 12, hidden: int = 3072) -> Shapes:
    shapes = linear("patch_embed.proj", features, width) | {"cls_token": (1, 1, width)}
    shapes |= norm("norm", width) | norm("encoder.layer_norm", width)
    for number in range(depth):
        layer = f"encoder.layers.{number}"
        for part in ("k_proj", "v_proj", "q_proj", "out_proj"):
            shapes |= linear(f"{layer}.self_attn.{part}", width, width)
        shapes |= norm(f"{layer}.self_attn.inner_attn_ln", width) | norm(f"{layer}.self_attn_layer_norm", width)
        shapes |= linear(f"{layer}.ffn.fc1", width, hidden) | linear(f"{layer}.ffn.fc2", hidden, width)
        shapes |= norm(f"{layer}.ffn.ffn_layernorm", hidden) | norm(f"{layer}.final_layer_norm", width)
    return shapes


def prism(
    features: int = 2560,
    width: int = 1280,
    latents: int = 513,
    hidden: int = 1280,
    layers: int = 6,
    rounds: int = 8,
) -> Shapes:
    """With all copies of shared tensors, as the module's own state has them."""
    shapes: Shapes = {"perceiver.latents": (latents, width)} | norm("cls_norm", width) | norm("img_norm", width)
    for number in range(rounds):
        look = f"perceiver.layers.{number}.xattn"
        shapes |= norm(f"{look}.xattn.x_norm", width) | linear(f"{look}.xattn.to_q", width, width, bias=False)
        shapes |= linear(f"{look}.xattn.to_kv", features, 2 * width, bias=False)
        shapes |= linear(f"{look}.xattn.to_out", width, width, bias=False) | _geglu(f"{look}.ff", width, hidden)
        for layer in range(layers):
            own = f"perceiver.layers.{number}.tf.{layer}"
            shapes |= norm(f"{own}.mhsa.norm", width) | _geglu(f"{own}.ff", width, hidden)
            shapes |= {f"{own}.mhsa.mha.in_proj_weight": (3 * width, width)}
            shapes |= linear(f"{own}.mhsa.mha.out_proj", width, width, bias=False)
    vision = {f"image_resampler.{name}": shape for name, shape in shapes.items()}
    return vision | linear("img_to_latents.to_latents", width, 8, bias=False) | {"temperature": ()}


def _geglu(name: str, width: int, hidden: int) -> Shapes:
    return (
        norm(f"{name}.norm", width)
        | linear(f"{name}.net.0", width, 2 * hidden)
        | linear(f"{name}.net.2", hidden, width)
    )
