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


def _make_diagnosis(name: str, organ: str, findings: tuple[str, ...], **mixture: float) -> Diagnosis:
    return Diagnosis(name, organ, MappingProxyType(mixture), findings)


DIAGNOSES: Mapping[str, Diagnosis] = MappingProxyType(
    {
        made.name: made
        for made in (
            _make_diagnosis(
                "adenocarcinoma",
                "colon",
                ("irregular glands infiltrating the stroma", "gland-forming tumour", "fused atypical glands"),
                glands=0.55,
                stroma=0.27,
                lymphocytes=0.06,
                necrosis=0.08,
                fat=0.04,
            ),
            _make_diagnosis(
                "squamous cell carcinoma",
                "lung",
                ("solid sheets of atypical cells", "confluent nests without gland formation"),
                sheets=0.62,
                stroma=0.22,
                necrosis=0.1,
                lymphocytes=0.06,
            ),
            _make_diagnosis(
                "papillary carcinoma",
                "thyroid",
                ("papillary fronds with fibrovascular cores", "branching papillae lined by atypical cells"),
                papillae=0.68,
                stroma=0.22,
                lymphocytes=0.04,
                fat=0.06,
            ),
            _make_diagnosis(
                "lymphoma",
                "lymph node",
                ("diffuse infiltrate of small lymphoid cells", "effaced architecture with a monotonous infiltrate"),
                lymphocytes=0.78,
                stroma=0.14,
                fat=0.08,
            ),
            _make_diagnosis(
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


def get_diagnosis(name: str) -> Diagnosis:
    """The diagnosis of this name; raises ConfigurationError naming the known ones."""
    if name not in DIAGNOSES:
        raise ConfigurationError(name, "there is no such simulated diagnosis", f"Choose from: {', '.join(DIAGNOSES)}")
    return DIAGNOSES[name]


def write_report(name: str, seed: int) -> str:
    """A short report that fits the diagnosis; the same for the same seed."""
    case, rng = get_diagnosis(name), np.random.default_rng([seed, 3])
    opening = rng.choice([f"{case.organ.capitalize()}, biopsy: {name}.", f"Diagnosis: {name} of the {case.organ}."])
    finding = rng.choice(list(case.findings))
    necrosis = "Necrosis is present." if "necrosis" in case.mixture else "No necrosis is seen."
    return f"{opening} Sections show {finding}. {necrosis}"
