"""Names of immunohistochemical markers, and how reports write them."""

from __future__ import annotations

import re

# Marker: further ways to write it, as patterns, in any case.
_SPELLINGS: dict[str, str] = {
    "ER": r"o?estrogen(?:\s+receptors?)?",
    "PR": r"progesterone(?:\s+receptors?)?|PgR",
    "myeloperoxidase": r"MPO|myeloperoxidase",
    "AR": r"androgen\s+receptors?",
    "HER2": r"her[\s-]?2(?:\s?/\s?neu|[\s-]neu)?|c-?erbB-?2|ERBB2",
    "Ki-67": r"ki[\s-]?67|mib[\s-]?1",
    "TTF-1": r"ttf[\s-]?1",
    "PD-L1": r"pd[\s-]?l1",
    "E-cadherin": r"e[\s-]cadherin",
    "AMACR": r"AMACR|racemase|p504s",
    "CA19-9": r"CA[\s-]?19-9",
    "CA125": r"CA[\s-]?125",
    "CEA": r"[pm]?CEA",
    "SMA": r"smooth\s+muscle\s+actin|SMA",
    "HMB-45": r"hmb[\s-]?45",
    "Melan-A": r"melan[\s-]?A|MART-?1",
    "S100": r"S[\s-]?100(?:\s+protein)?",
    "SOX10": r"sox[\s-]?10",
    "HepPar-1": r"hep[\s-]?par[\s-]?1",
    "CK5/6": r"CK\s?5\s?/\s?6|cytokeratin\s+5\s?/\s?6",
    "CK34BE12": r"34\s?(?:beta|β|b)\s?E12|HMWCK",
    "pancytokeratin": r"pan[\s-]?(?:cyto)?keratin|AE1\s?/\s?AE3|cytokeratin\s+AE1\s?/\s?AE3|pan-?CK",
    "EMA": r"EMA|epithelial\s+membrane\s+antigen",
    "CAM5.2": r"CAM\s?5\.2",
    "DOG1": r"DOG-?1",
    "CD117": r"CD\s?117|c-?kit",
    "IDH1": r"IDH-?1(?:\s+R132H)?",
    "GATA3": r"GATA-?3",
    "WT1": r"WT-?1",
    "D2-40": r"D2-40|podoplanin",
    "p16": r"p16(?:\s?INK4a)?",
    "BCL2": r"bcl-?2",
    "BCL6": r"bcl-?6",
    "cyclin D1": r"cyclin\s?D1",
    "beta-catenin": r"(?:beta|β)-?catenin",
}
_NAMES = (
    "p53", "p63", "p40", "p57", "p120", "ALK", "ROS1", "BRAF", "MLH1",
    "MSH2", "MSH6", "PMS2", "PAX2", "PAX8", "CDX2", "SATB2", "NKX3.1", "PSA",
    "PSMA", "PSAP", "ERG", "calretinin", "vimentin", "desmin", "caldesmon", "calponin", "myogenin",
    "MyoD1", "synaptophysin", "chromogranin", "INSM1", "CD56", "NSE", "inhibin", "mesothelin", "napsin",
    "GCDFP-15", "mammaglobin", "TRPS1", "arginase-1", "glypican-3", "AFP", "hCG", "PLAP", "OCT4",
    "OCT3/4", "SALL4", "CD30", "CD15", "CD45", "LCA", "CD3", "CD4", "CD5",
    "CD7", "CD8", "CD10", "CD19", "CD20", "CD21", "CD23", "CD31", "CD34",
    "CD38", "CD43", "CD44", "CD57", "CD61", "CD68", "CD79a", "CD99", "CD138",
    "CD163", "MUM1", "PAX5", "TdT", "GFAP", "Olig2", "ATRX", "H3K27M", "H3K27me3",
    "NeuN", "STAT6", "SMARCB1", "INI1", "SMARCA4", "BRG1", "BAP1", "MTAP", "CAIX",
    "FH", "SDHB", "EBER", "HHV8", "MUC1", "MUC2", "MUC4", "MUC5AC", "MUC6",
    "thyroglobulin", "calcitonin", "PTH", "insulin", "gastrin", "glucagon", "HPV", "NUT", "PRAME",
    "tyrosinase", "MITF", "factor-XIIIa", "FLI1", "NKX2.2", "TFE3", "TLE3", "MDM2", "CDK4",
    "RB1", "IgG", "IgG4", "IgA", "IgM", "kappa", "lambda", "langerin", "CD1a",
    "lysozyme", "glycophorin",
)  # fmt: skip
MARKER_NAMES = (*_SPELLINGS, *_NAMES)
"""As facts name markers, but for keratins, which are "CK" and a number."""

# Keratins are listed by number: "CK7", "CK5,6,14", "cytokeratin 20".
_KERATIN = r"(?:CK|cytokeratin)[\s-]?\d{1,2}(?:\s?[,/]\s?\d{1,2})*(?:\s?/\s?\d{1,2})?"


def _make_pattern() -> re.Pattern[str]:
    names = sorted((re.escape(name) for name in _NAMES), key=len, reverse=True)
    exact_case = r"ER|PR|AR"
    any_case = "|".join((*_SPELLINGS.values(), *names, _KERATIN))
    return re.compile(rf"(?<![\w-])(?:{exact_case}|(?i:{any_case}))(?![A-Za-z0-9])(?!-positive\s+T)")


MARKER = _make_pattern()
_SPELLING_PATTERNS = tuple((name, re.compile(pattern, re.IGNORECASE)) for name, pattern in _SPELLINGS.items())
_BY_LOWER = {name.lower(): name for name in _NAMES}


def name_markers(text: str) -> tuple[str, ...]:
    """The markers that a matched text stands for: one, or several for a list of keratins."""
    for name, pattern in _SPELLING_PATTERNS:
        if pattern.fullmatch(text):
            return (name,)
    lower = text.lower()
    if lower.startswith(("ck", "cytokeratin")):
        numbers = re.findall(r"\d+", text)
        if numbers[:2] == ["5", "6"]:
            return ("CK5/6", *(f"CK{number}" for number in numbers[2:]))
        return tuple(f"CK{number}" for number in numbers)
    return (_BY_LOWER.get(lower, text),)
