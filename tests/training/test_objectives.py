"""What slide encoders are trained for beside the contrast, against plain loops over pairs, regions and words."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import normalize

from histoseek.encoders.slide.base import Architecture
from histoseek.encoders.slide.batches import BagBatch, SlideVectors
from histoseek.encoders.slide.fgcr.architecture import FgcrArchitecture
from histoseek.encoders.text.tower import TextTower, Tokens
from histoseek.reports.facts.prompts import SILENT, STATED, UNKNOWN
from histoseek.training.compute import Compute
from histoseek.training.slides.learning.distributed import World
from histoseek.training.slides.learning.learner import Learner
from histoseek.training.slides.learning.model import SlideTextModel
from histoseek.training.slides.learning.objective import EmbeddedPairs, Objective, PairBatch
from histoseek.training.slides.learning.step import Batch, LearningStep
from histoseek.training.slides.objectives.fgcr import FgcrObjective, draw_places
from histoseek.training.slides.objectives.pathsearch import MosaicDiversity
from histoseek.training.slides.objectives.prompt_losses import AnchorPromptLoss, log_mean_exp
from histoseek.training.slides.objectives.token_alignment import TokenAlignmentLoss
from histoseek.training.slides.recipes import find_recipe
from tests.training.helpers import CARD, SMALL, WordTokenizer, WordTransformer

PROMPTS = ("ductal carcinoma", "necrosis", "mucinous", "clear cell change", "squamous")
DIMENSION, WIDTH, REGIONS, LENGTH = 32, 16, 7, 9
START, END, MASK = 97, 96, 95
ALL = {"anchor_prompts": 1.0, "token_alignment": 0.5, "prompt_classes": 2.0, "masked_words": 0.1}


class FramedTokenizer(WordTokenizer):
    """Words below 95 between two special tokens, and a mask."""

    special_ids = (0, MASK, END, START)
    mask_id: int | None = MASK

    def first_windows(self, texts: Sequence[str]) -> list[list[int]]:
        return [[START, *(1 + sum(word.encode()) % 94 for word in text.split()), END] for text in texts]


class MixingTransformer(WordTransformer):
    """Each state knows of the others, so that hidden words can be guessed; counts how often it is called."""

    calls = 0

    def get_input_embeddings(self) -> nn.Module:
        return self.words

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> SimpleNamespace:
        self.calls += 1
        hidden = super().forward(input_ids, attention_mask).last_hidden_state
        real = attention_mask.unsqueeze(-1)
        return SimpleNamespace(
            last_hidden_state=hidden + (hidden * real).sum(1, keepdim=True) / real.sum(1, keepdim=True)
        )


def make_model(architecture: Architecture | None = None) -> SlideTextModel:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        tower = TextTower(CARD, "0" * 16, FramedTokenizer(), MixingTransformer())
        return SlideTextModel(architecture or SMALL.architecture(24), tower, 1, 0.0).eval()


def make_objective(model: SlideTextModel, losses: dict[str, float] = ALL) -> FgcrObjective:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        balance = 0.5 + torch.rand(2, len(PROMPTS))
        objective = FgcrObjective(model, PROMPTS, balance, losses)
        for parameter in objective.parameters():  # none of them at a value that hides it
            nn.init.normal_(parameter, std=0.3)
    return objective


def unit(*shape: int, random: torch.Generator) -> Tensor:
    return normalize(torch.randn(*shape, generator=random), dim=-1)


def make_pairs(model: SlideTextModel, count: int = 3, seed: int = 0) -> tuple[PairBatch, EmbeddedPairs]:
    """Pairs with one to seven regions and four to nine tokens, of which two are special."""
    random = torch.Generator().manual_seed(seed)
    mask = torch.arange(REGIONS) < torch.randint(1, REGIONS + 1, (count, 1), generator=random)
    mosaics = unit(count, REGIONS, DIMENSION, random=random) * mask.unsqueeze(-1)
    slides = SlideVectors(unit(count, DIMENSION, random=random), mosaics, torch.empty(0), torch.empty(0), mask)
    real = torch.arange(LENGTH) < torch.randint(4, LENGTH + 1, (count, 1), generator=random)
    ids = torch.randint(1, 12, (count, LENGTH), generator=random)
    ids[:, 0] = START
    ids[torch.arange(count), real.sum(1) - 1] = END
    targets = torch.randint(-1, 2, (count, len(PROMPTS)), generator=random).to(torch.int8)
    tokens = Tokens(ids * real, real)
    with torch.no_grad():
        states, texts = model.text_model.states(tokens), model.texts(tokens)
    bags = BagBatch(torch.empty(count, 0, 24), torch.empty(count, 0, 2), torch.empty(count, 0, dtype=torch.bool))
    return PairBatch(bags, tokens, targets, seed=5, row=2), EmbeddedPairs(slides, states, texts)


def cut_pairs(pairs: PairBatch, embedded: EmbeddedPairs, rows: slice) -> tuple[PairBatch, EmbeddedPairs]:
    slides = embedded.slides
    assert slides.mosaic_mask is not None
    part = SlideVectors(
        slides.global_vectors[rows], slides.mosaics[rows], slides.tile_weights, slides.shares, slides.mosaic_mask[rows]
    )
    tokens = Tokens(pairs.tokens.ids[rows], pairs.tokens.mask[rows])
    batch = PairBatch(pairs.bags, tokens, pairs.targets[rows], pairs.seed, pairs.row + rows.start)
    return batch, EmbeddedPairs(part, embedded.token_states[rows], embedded.texts[rows])


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def softmax(values: Sequence[float]) -> np.ndarray:
    powers = np.exp(np.array(values) - max(values))
    return powers / powers.sum()


def binary_entropy(logit: float, stated: bool) -> float:
    return -math.log(1 / (1 + math.exp(-logit if stated else logit)))


def naive_regions(embedded: EmbeddedPairs, pair: int) -> list[np.ndarray]:
    mask = embedded.slides.mosaic_mask
    assert mask is not None
    return [v.numpy().astype(float) for v, real in zip(embedded.slides.mosaics[pair], mask[pair], strict=True) if real]


@torch.no_grad()
def naive_anchor_prompts(
    model: SlideTextModel, objective: FgcrObjective, pairs: PairBatch, made: EmbeddedPairs
) -> float:
    own = objective.losses["anchor_prompts"]
    prompts = [model.texts(model.text_model.tokens([text]))[0].numpy().astype(float) for text in PROMPTS]
    total = 0.0
    for pair, targets in enumerate(pairs.targets.tolist()):
        for place, prompt in enumerate(prompts):
            if targets[place] == UNKNOWN:
                continue
            logits = [
                float(own.log_scale.exp()) * cosine(r, prompt) + float(own.bias) for r in naive_regions(made, pair)
            ]
            pooled = math.log(sum(map(math.exp, logits)) / len(logits))
            weight = float(objective._balance[targets[place], place])
            total += weight * binary_entropy(pooled, targets[place] == STATED) / len(PROMPTS)
    return total


@torch.no_grad()
def naive_classes(model: SlideTextModel, objective: FgcrObjective, pairs: PairBatch, made: EmbeddedPairs) -> float:
    head = objective.losses["prompt_classes"].head
    total = 0.0
    for pair, targets in enumerate(pairs.targets.tolist()):
        for vector in (made.slides.global_vectors[pair], made.texts[pair]):
            logits = (head.weight.double() @ (math.sqrt(DIMENSION) * vector.double()) + head.bias.double()).tolist()
            for place, logit in enumerate(logits):
                if targets[place] != UNKNOWN:
                    weight = float(objective._balance[targets[place], place])
                    total += weight * binary_entropy(logit, targets[place] == STATED) / len(PROMPTS) / 2
    return total


@torch.no_grad()
def naive_tokens(model: SlideTextModel, objective: FgcrObjective, pairs: PairBatch, made: EmbeddedPairs) -> float:
    matrix = objective.losses["token_alignment"].projection.double().numpy()
    total = 0.0
    for pair, row in enumerate(pairs.tokens.ids.tolist()):
        regions = naive_regions(made, pair)
        plain = [at for at, token in enumerate(row) if 0 < token < MASK]
        words = []
        for at in plain:
            state = normalize(made.token_states[pair, at], dim=0)
            words.append(normalize(model.text_projection(state), dim=0).numpy().astype(float))
        affinity = [[9 * float((matrix @ r) @ (matrix @ w)) for w in words] for r in regions]
        seen = [sum(s * w for s, w in zip(softmax(line), words, strict=True)) for line in affinity]
        named = [
            sum(s * r for s, r in zip(softmax([line[j] for line in affinity]), regions, strict=True))
            for j in range(len(words))
        ]
        ids = [row[at] for at in plain]
        entropies = [
            naive_contrast(regions, seen, list(range(len(regions)))),
            naive_contrast(seen, regions, list(range(len(regions)))),
            naive_contrast(words, named, ids),
            naive_contrast(named, words, ids),
        ]
        total += sum(entropies) / 4
    return total


def naive_contrast(queries: Sequence[np.ndarray], answers: Sequence[np.ndarray], kinds: Sequence[int]) -> float:
    total = 0.0
    for i, query in enumerate(queries):
        logits = [cosine(query, answers[j]) / 0.1 for j in range(len(answers)) if j == i or kinds[i] != kinds[j]]
        total += math.log(sum(map(math.exp, logits))) - cosine(query, answers[i]) / 0.1
    return total / len(queries)


@torch.no_grad()
def naive_masked_words(model: SlideTextModel, objective: FgcrObjective, pairs: PairBatch, made: EmbeddedPairs) -> float:
    own, table = objective.losses["masked_words"], model.text_model.transformer.words.weight
    scale = 1 / (float(table.std()) * math.sqrt(WIDTH))
    total = 0.0
    for pair, row in enumerate(pairs.tokens.ids.tolist()):
        plain = torch.tensor([[0 < token < MASK for token in row]])
        hidden = draw_places(plain, 0.3, 32, (pairs.seed, 1), pairs.row + pair)[0].tolist()
        real = [at for at in range(len(row)) if row[at]]
        ids = torch.tensor([[MASK if hidden[at] else row[at] for at in real]])
        states = model.text_model.states(Tokens(ids, torch.ones_like(ids, dtype=torch.bool)))[0]
        losses = []
        for at in real:
            if hidden[at]:
                logits = table.double() @ (scale * own.head(states[at])).double() + own.bias.double()
                losses.append(-float(logits.log_softmax(0)[row[at]]))
        assert len(losses) == max(1, round(0.3 * int(plain.sum())))
        total += sum(losses) / len(losses)
    return total


NAIVE = {
    "anchor_prompts": naive_anchor_prompts,
    "token_alignment": naive_tokens,
    "prompt_classes": naive_classes,
    "masked_words": naive_masked_words,
}


@pytest.fixture(scope="module")
def model() -> SlideTextModel:
    return make_model()


@pytest.fixture(scope="module")
def objective(model: SlideTextModel) -> FgcrObjective:
    return make_objective(model)


@pytest.mark.parametrize("name", list(NAIVE))
@pytest.mark.parametrize("seed", [0, 1])
def test_each_loss_is_that_of_plain_loops(
    model: SlideTextModel, objective: FgcrObjective, name: str, seed: int
) -> None:
    pairs, made = make_pairs(model, seed=seed)
    loss = objective(model, pairs, made)[objective.names.index(name)].item()
    assert loss == pytest.approx(NAIVE[name](model, objective, pairs, made), rel=1e-5)
    assert loss > 0


def test_padding_changes_nothing(model: SlideTextModel, objective: FgcrObjective) -> None:
    pairs, made = make_pairs(model)
    assert made.slides.mosaic_mask is not None
    regions = nn.functional.pad(made.slides.mosaics, (0, 0, 0, 3), value=0.7)
    slides = replace(
        made.slides, mosaics=regions, mosaic_mask=nn.functional.pad(made.slides.mosaic_mask, (0, 3), value=False)
    )
    ids = nn.functional.pad(pairs.tokens.ids, (0, 4), value=3)
    tokens = Tokens(ids, nn.functional.pad(pairs.tokens.mask, (0, 4), value=False))
    states = nn.functional.pad(made.token_states, (0, 0, 0, 4), value=2.5)
    padded = objective(model, replace(pairs, tokens=tokens), EmbeddedPairs(slides, states, made.texts))
    torch.testing.assert_close(padded, objective(model, pairs, made), rtol=1e-5, atol=1e-6)


@settings(max_examples=15)
@given(order=st.permutations(range(REGIONS)))
def test_the_order_of_regions_is_nothing(model: SlideTextModel, objective: FgcrObjective, order: list[int]) -> None:
    pairs, made = make_pairs(model)
    assert made.slides.mosaic_mask is not None
    mixed = replace(made.slides, mosaics=made.slides.mosaics[:, order], mosaic_mask=made.slides.mosaic_mask[:, order])
    losses = objective(model, pairs, replace(made, slides=mixed))
    torch.testing.assert_close(losses, objective(model, pairs, made), rtol=1e-5, atol=1e-6)


def test_a_batch_has_the_same_losses_however_it_is_cut(model: SlideTextModel, objective: FgcrObjective) -> None:
    pairs, made = make_pairs(model, count=5)
    whole = objective(model, pairs, made)
    pieces = [objective(model, *cut_pairs(pairs, made, rows)) for rows in (slice(0, 2), slice(2, 3), slice(3, 5))]
    torch.testing.assert_close(torch.stack(pieces).sum(0), whole, rtol=1e-5, atol=1e-6)


def test_draws_repeat_with_the_seed(model: SlideTextModel, objective: FgcrObjective) -> None:
    pairs, made = make_pairs(model)
    first, again = objective(model, pairs, made), objective(model, pairs, made)
    other = objective(model, replace(pairs, seed=6), made)
    assert torch.equal(first, again)
    guessed = objective.names.index("masked_words")
    assert first[guessed] != other[guessed]
    assert torch.equal(first[:guessed], other[:guessed])


def test_long_reports_are_drawn_from(model: SlideTextModel) -> None:
    eligible = torch.ones(2, 100, dtype=torch.bool)
    eligible[1, 50:] = False
    places = draw_places(eligible, 1.0, 64, (0, 0), 0)
    assert places.sum(1).tolist() == [64, 50]
    assert not (places & ~eligible).any()
    assert not torch.equal(places, draw_places(eligible, 1.0, 64, (1, 0), 0))
    assert torch.equal(places[1], draw_places(eligible[1:, :60], 1.0, 64, (0, 0), 1)[0].new_tensor([*places[1]]))
    assert not draw_places(torch.zeros(1, 4, dtype=torch.bool), 0.3, 8, (0, 0), 0).any()


def gradients(model: SlideTextModel, objective: Objective, pairs: PairBatch, made: EmbeddedPairs) -> list[Tensor]:
    """Those by slide vectors, mosaics, token states and texts."""
    slides = made.slides
    leaves = [
        t.clone().requires_grad_() for t in (slides.global_vectors, slides.mosaics, made.token_states, made.texts)
    ]
    slides = replace(slides, global_vectors=leaves[0], mosaics=leaves[1])
    objective(model, pairs, EmbeddedPairs(slides, leaves[2], leaves[3])).sum().backward()
    return [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in leaves]


def test_what_is_masked_or_unknown_has_no_gradient(model: SlideTextModel, objective: FgcrObjective) -> None:
    pairs, made = make_pairs(model)
    mask = made.slides.mosaic_mask
    assert mask is not None and not mask.all()
    _, mosaics, states, _ = gradients(model, objective, pairs, made)
    assert not mosaics[~mask].any() and mosaics[mask].any(-1).all()
    plain = pairs.tokens.mask & (pairs.tokens.ids < MASK)
    assert not states[~plain].any() and states[plain].any(-1).all()

    unknown = replace(pairs, targets=torch.full_like(pairs.targets, UNKNOWN))
    of_prompts = make_objective(model, {"anchor_prompts": 1.0, "prompt_classes": 1.0})
    assert not of_prompts(model, unknown, made).any()
    assert not any(gradient.any() for gradient in gradients(model, of_prompts, unknown, made))
    some = pairs.targets.clone()
    some[0] = UNKNOWN
    slides, mosaics, _, texts = gradients(model, of_prompts, replace(pairs, targets=some), made)
    assert not (slides[0].any() or mosaics[0].any() or texts[0].any()) and mosaics[1].any()


def test_reports_without_words_add_nothing(model: SlideTextModel, objective: FgcrObjective) -> None:
    pairs, made = make_pairs(model, count=1)
    ids = torch.tensor([[START, END, 0]])
    bare = replace(pairs, tokens=Tokens(ids, ids > 0))
    losses = objective(model, bare, replace(made, token_states=made.token_states[:, :3]))
    assert losses.isfinite().all()
    assert [bool(loss) for loss in losses] == [True, False, True, False]
    for gradient in gradients(model, objective, bare, replace(made, token_states=made.token_states[:, :3])):
        assert gradient.isfinite().all()


def test_gradients_are_those_of_differences() -> None:
    random = torch.Generator().manual_seed(3)
    loss = TokenAlignmentLoss(4).double()
    nn.init.normal_(loss.projection, generator=random)
    regions = normalize(torch.randn(2, 3, 4, generator=random, dtype=torch.float64), dim=-1).requires_grad_()
    words = normalize(torch.randn(2, 4, 4, generator=random, dtype=torch.float64), dim=-1).requires_grad_()
    masks = torch.tensor([[1, 1, 1], [1, 1, 0]]) > 0, torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]]) > 0
    ids = torch.tensor([[1, 2, 1, 0], [4, 5, 6, 7]])
    assert torch.autograd.gradcheck(lambda r, w: loss(r, masks[0], w, masks[1], ids), (regions, words))
    pool = AnchorPromptLoss().double()
    prompts = normalize(torch.randn(3, 4, generator=random, dtype=torch.float64), dim=-1).requires_grad_()
    targets = torch.tensor([[STATED, SILENT, UNKNOWN], [SILENT, SILENT, STATED]])
    balance = torch.rand(2, 3, generator=random, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda r, p: pool(r, masks[0], p, targets, balance), (regions, prompts))


@settings(max_examples=30)
@given(st.integers(1, 6), st.integers(1, 40))
def test_pooling_does_not_depend_on_how_often_a_region_is_there(kinds: int, copies: int) -> None:
    logits = torch.randn(1, kinds, 2, generator=torch.Generator().manual_seed(kinds))
    once = log_mean_exp(logits, torch.ones(1, kinds, dtype=torch.bool))
    often = log_mean_exp(logits.repeat(1, copies, 1), torch.ones(1, kinds * copies, dtype=torch.bool))
    torch.testing.assert_close(often, once, rtol=1e-4, atol=1e-5)
    assert (once <= logits.amax(1) + 1e-6).all() and (once >= logits.mean(1) - 1e-6).all()
    assert (logits.amax(1) - once <= math.log(kinds) + 1e-6).all()


def test_the_recipe_weighs_the_losses_that_there_are() -> None:
    assert (*find_recipe("fgcr").losses,) == ("contrastive", *FgcrObjective.names)
    assert (*find_recipe("pathsearch").losses,) == ("contrastive", *MosaicDiversity.names)


@pytest.mark.parametrize("name", list(ALL))
def test_what_is_switched_off_is_not_computed(name: str) -> None:
    model = make_model()
    objective = make_objective(model, {name: 0.5})
    assert objective.weights == tuple(0.5 * (other == name) for other in objective.names)
    assert {part.split(".")[1] for part, _ in objective.named_parameters()} == {name}
    pairs, made = make_pairs(model)
    model.text_model.transformer.calls = 0
    losses = objective(model, pairs, made)
    assert model.text_model.transformer.calls == (name in ("anchor_prompts", "masked_words"))
    assert [bool(loss) for loss in losses] == [other == name for other in objective.names]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda model: setattr(model.text_model.tokenizer, "mask_id", None), "tokenizer of tiny has no mask token"),
        (lambda model: model.text_model.requires_grad_(False), "no layer of the text encoder is trained"),
        (lambda model: setattr(model.text_model, "transformer", WordTransformer()), "does not give its table of words"),
    ],
)
def test_masked_words_are_switched_off_where_they_teach_nothing(
    change: Callable[[SlideTextModel], None], reason: str
) -> None:
    model = make_model()
    change(model)
    objective = make_objective(model)
    assert objective.weights == (1.0, 0.5, 2.0, 0.0)
    (note,) = objective.notes
    assert note.startswith("masked_words is switched off") and reason in note
    assert objective(model, *make_pairs(model))[-1] == 0
    assert make_objective(model, {"anchor_prompts": 1.0}).notes == ()


def test_losses_are_exact_under_autocast(model: SlideTextModel, objective: FgcrObjective) -> None:
    pairs, made = make_pairs(model)
    exact = objective(model, pairs, made)
    with torch.autocast("cpu", torch.bfloat16):
        losses = objective(model, pairs, made)
    assert losses.dtype == torch.float32
    torch.testing.assert_close(losses, exact, rtol=0.05, atol=0.05)
    classes = objective.names.index("prompt_classes")
    assert losses[classes] == exact[classes]


def test_gradients_reach_all_that_is_trained(model: SlideTextModel) -> None:
    model = make_model()
    objective = make_objective(model)
    pairs, made = make_pairs(model)
    objective(model, pairs, made).sum().backward()
    assert all(parameter.grad is not None for parameter in objective.parameters())
    assert model.text_projection.weight.grad is not None
    trained = [p for p in model.text_model.parameters() if p.requires_grad]
    assert trained and all(p.grad is not None and p.grad.any() for p in trained)
    assert not any(p.grad is not None for p in model.text_model.parameters() if not p.requires_grad)


def test_regions_learn_what_they_show() -> None:
    """Each slide's report names what some of its eight regions show: which, is to be learnt."""
    torch.manual_seed(0)
    random = torch.Generator().manual_seed(0)
    kinds = 1.5 * torch.randn(len(PROMPTS), 24, generator=random)
    shows = torch.randint(-9, len(PROMPTS), (48, 8), generator=random)  # most regions show nothing
    features = torch.randn(48, 8, 24, generator=random) + kinds[shows.clamp(min=0)] * (shows >= 0).unsqueeze(-1)
    targets = torch.stack([(shows == prompt).any(1) for prompt in range(len(PROMPTS))], 1).to(torch.int8)
    model = make_model()
    objective = FgcrObjective(model, PROMPTS, torch.ones(2, len(PROMPTS)), {"anchor_prompts": 1.0})
    network = nn.Linear(24, DIMENSION)
    nn.init.normal_(network.weight, std=0.1, generator=random)
    optimizer = torch.optim.Adam([*network.parameters(), *model.text_projection.parameters()], 0.02)
    pairs, made = make_pairs(model, count=48)
    pairs, mask = replace(pairs, targets=targets), torch.ones(48, 8, dtype=torch.bool)
    losses = []
    for _ in range(80):
        slides = replace(made.slides, mosaics=normalize(network(features), dim=-1), mosaic_mask=mask)
        loss = objective(model, pairs, replace(made, slides=slides)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]
    with torch.no_grad():
        prompts = model.texts(model.text_model.tokens(PROMPTS))
        best = (normalize(network(features), dim=-1) @ prompts.T).argmax(1)
    right = [shows[slide, best[slide, prompt]] == prompt for slide, prompt in (targets == STATED).nonzero().tolist()]
    assert sum(right) / len(right) > 0.95


def test_steps_of_fgcr_are_the_same_however_they_are_cut() -> None:
    """Losses and all gradients, through slide network and text tower, of slides and reports of several lengths."""
    reports = ("ductal carcinoma with necrosis", "mucinous", "clear cell change and no necrosis seen", "squamous")
    random = torch.Generator().manual_seed(4)
    sizes = torch.tensor([30, 9, 30, 17, 24])
    mask = torch.arange(30) < sizes[:, None]
    cells = torch.stack([torch.arange(30) % 6, torch.arange(30) // 6], 1).expand(5, -1, -1)
    bags = BagBatch(torch.randn(5, 30, 8, generator=random), cells, mask)
    targets = torch.randint(-1, 2, (5, len(PROMPTS)), generator=random).to(torch.int8)
    batch = Batch(bags, (*reports, reports[0]), targets, torch.arange(5), torch.tensor([0, 1, 2, 3, 0]))
    world, compute = World(0, 1, torch.device("cpu")), Compute(torch.device("cpu"), False)
    outcomes = []
    for micro_batch in (5, 2):
        model = make_model(FgcrArchitecture(8, 16, 8, 1, 2, 8, 16, (4, 9)))
        learner = Learner(model, make_objective(model), 1.0)
        step = LearningStep(learner, world, compute, 0, micro_batch)
        losses = step.gradients(batch, 3)
        parameters = [*model.named_parameters(), *learner.objective.named_parameters()]
        outcomes.append((losses, {name: p.grad for name, p in parameters if p.requires_grad}))
    (losses, whole), (others, pieces) = outcomes
    assert losses == pytest.approx(others, rel=1e-5) and all(losses)
    for name, gradient in whole.items():
        torch.testing.assert_close(pieces[name], gradient, rtol=1e-3, atol=1e-6, msg=name)


def test_mosaic_diversity_counts_vectors_that_are_there(model: SlideTextModel) -> None:
    pairs, made = make_pairs(model, count=4)
    expected = 0.0
    for pair in range(4):
        rows = naive_regions(made, pair)
        cosines = [float(a @ b) for i, a in enumerate(rows) for j, b in enumerate(rows) if i != j]
        expected += sum(cosines) / max(1, len(cosines))
    objective = MosaicDiversity(0.5)
    assert (objective.names, objective.weights) == (("diversity",), (0.5,))
    assert objective(model, pairs, made).tolist() == pytest.approx([expected], abs=1e-5)
    mosaics = gradients(model, objective, pairs, made)[1]
    assert made.slides.mosaic_mask is not None and not mosaics[~made.slides.mosaic_mask].any()
    assert MosaicDiversity(0.0)(model, pairs, made).tolist() == [0.0]
