"""How much the losses of FGCR count; no torch needed to read settings."""

from __future__ import annotations

from dataclasses import dataclass, fields

from histoseek.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class FgcrWeights:
    """Weights of the losses beside the contrast of slides and reports, whose weight is 1; 0 switches one off.

    anchor_prompts: which regions show what the report states; token_alignment: regions and words recognise each other;
    prompt_classes: what the report states, read from slide and report vectors; masked_words: hidden words of a report.
    """

    anchor_prompts: float = 1.0
    token_alignment: float = 0.04
    prompt_classes: float = 1.0
    masked_words: float = 0.1

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 <= value < float("inf"):
                raise ConfigurationError(f"{field.name}={value}", "must not be negative", "0 switches the loss off")
