"""What each simulated diagnosis looks like and what its reports say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from histoseek.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A diagnosis: its organ, the shares of tissue components (summing to 1), and phrases for reports."""

    name: str
    organ: str
    mixture: Mapping[str, float]
    findings: tuple[str, ...]


def _diagnosis(name: str, organ: str, findings: tuple[str, ...], **mixture: float) -> Diagnosis:
    return Diagnosis(name, organ, MappingProxyType(mixture), findings)


DIAGNOSES: Mapping[str, Diagnosis] = MappingProxyType(
    {
        made.name: made
        for made in (
            _diagnosis(
                "adenocarcinoma",
                "colon",
                ("irregular glands infiltrating the stroma", "gland-forming tumour", "fused atypical glands"),
                glands=0.55,
                stroma=0.27,
                lymphocytes=0.06,
                necrosis=0.08,
                fat=0.04,
            ),
            _diagnosis(
                "squamous cell carcinoma",
                "lung",
                ("solid sheets of atypical cells", "confluent nests without gland formation"),
                sheets=0.62,
                stroma=0.22,
                necrosis=0.1,
                lymphocytes=0.06,
            ),
            _diagnosis(
                "papillary carcinoma",
                "thyroid",
                ("papillary fronds with fibrovascular cores", "branching papillae lined by atypical cells"),
                papillae=0.68,
                stroma=0.22,
                lymphocytes=0.04,
                fat=0.06,
            ),
            _diagnosis(
                "lymphoma",
                "lymph node",
                ("diffuse infiltrate of small lymphoid cells", "effaced architecture with a monotonous infiltrate"),
                lymphocytes=0.78,
                stroma=0.14,
                fat=0.08,
            ),
            _diagnosis(
                "normal tissue",
                "breast",
                ("fat and fibrous stroma with regular glands", "unremarkable lobules in fatty stroma"),
                fat=0.46,
                stroma=0.4,
                glands=0.14,
            ),
        )
    }
)


def diagnosis(name: str) -> Diagnosis:
    """The diagnosis of this name; raises ConfigurationError naming the known ones."""
    if name not in DIAGNOSES:
        raise ConfigurationError(name, "no such simulated diagnosis", f"Known are: {', '.join(DIAGNOSES)}")
    return DIAGNOSES[name]


def report_text(name: str, seed: int) -> str:
    """A short report that fits the diagnosis; the same for the same seed."""
    found, rng = diagnosis(name), np.random.default_rng([seed, 3])
    opening = rng.choice([f"{found.organ.capitalize()}, biopsy: {name}.", f"Diagnosis: {name} of the {found.organ}."])
    finding = rng.choice(list(found.findings))
    necrosis = "Necrosis is present." if "necrosis" in found.mixture else "No necrosis is seen."
    return f"{opening} Sections show {finding}. {necrosis}"
