"""Streets, boxes and postal codes with their towns, in the layouts of several countries."""

from __future__ import annotations

import re
from collections.abc import Iterator

_UPPER = "A-ZÀ-ÖØ-Þ"
CAP = rf"(?:(?i:ste?|mt|ft|[nsew])\.|[{_UPPER}][\w'\u2019-]{{0,30}})"
"""A word with a capital, for patterns."""
_STATES = (
    "AL|AK|AZ|AR|CA|CO|CT|DE|DC|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|"
    "OH|OK|OR|PA|PR|"
    "RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY"
)
_STREET_WORDS = (
    "Street|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Court|Ct|Place|Pl|Way|Terrace|Parkway|Pkwy|Highway|"
    "Hwy|Square|Sq|Circle|"
    r"Crescent|Close|St(?!\.?[ ]+[a-z])|Dr(?!\.?[ ])"
)
_ROOM = r"(?:,?[ ](?:Suite|Ste|Apt|Apartment|Unit|Room|Rm|Floor|Fl|Bldg|Building)\.?[ ]?#?\w{1,6}|,?[ ]#\d{1,5})?"
# Each shape with what must stand somewhere in the text, in lower case, for it to be looked for at all.
_SHAPES = (
    (
        "",
        re.compile(rf"(?<![\w.,/-])\d{{1,5}}[A-Z]?[ ](?P<words>(?:{CAP}[ ]){{1,4}})(?i:{_STREET_WORDS})\b\.?{_ROOM}"),
    ),
    (
        "street road avenue boulevard terrace parkway crescent gardens parade",
        re.compile(
            r"(?:(?<!\w)(?:Suite|Level|Unit|Flat|Shop|Apartment|Apt)\.?[ ]\d{1,4}[A-Z]?,?[ ])?"
            rf"(?<![\w.,/-])\d{{1,4}}[A-Z]?[ ](?:{CAP}[ ]){{1,3}}"
            r"(?:Street|Road|Avenue|Boulevard|Terrace|Parkway|Crescent|Gardens|Parade)\b"
        ),
    ),
    (
        "",
        re.compile(
            rf"(?<!\w)(?P<words>(?:{CAP}[ ]){{0,2}}{CAP}),?[ ](?:{_STATES})\.?,?[ ]{{1,2}}\d{{5}}(?:-\d{{4}})?(?!\w)"
        ),
    ),
    (
        "",
        re.compile(
            r"(?<!\w)(?i:P\.?[ ]?O\.?[ ]?Box|Post Office Box|Postfach|Postbus|Apartado(?: de Correos)?|B\.P\.|"
            r"Casella Postale)[ ]?#?\d{1,6}\b"
        ),
    ),
    (
        "straße strasse straat str. platz gatan gata gade vägen veien vegen katu vegur stræti stígur braut weg vej "
        "allee gasse damm ufer laan "
        "plein gracht kade singel dreef",
        re.compile(
            rf"(?<!\w)(?:{CAP}[ ])?[{_UPPER}][\w.-]{{0,30}}(?:(?i:straße|strasse|straat|str\.|platz|gatan|gata|gade|"
            r"vägen|veien|vegen|katu|vegur|stræti|stígur|braut)|weg|vej|allee|gasse|damm|ufer|laan|plein|gracht|kade|singel|dreef)"
            r"[ ]\d{1,4}(?:-[IVX]{1,4}|[ ]?[a-zA-Z])?\b"
        ),
    ),
    (
        "graben gasse weg straße strasse platz ring ufer allee markt hof berg tor anger",
        re.compile(
            rf"(?<!\w)(?:(?:Am|An der|Im|In der|Zum|Zur|Auf der|Auf dem|Unter den)[ ])?(?:{CAP}[ ]){{1,2}}"
            r"(?:Graben|Gasse|Weg|Straße|Strasse|Platz|Ring|Ufer|Allee|Markt|Hof|Berg|Tor|Anger)[ ]\d{1,4}[ ]?[a-z]?\b"
        ),
    ),
    (
        "rue av boulevard bd place chemin allée quai impasse",
        re.compile(
            rf"(?<!\w)\d{{1,4}}(?:[ ]?(?:bis|ter))?,?[ ](?:[Rr]ue|[Aa]v(?:enue|\.)|"
            rf"[Bb](?:oulevard|d\.?)|[Pp]lace|[Cc]hemin|[Aa]llée|[Qq]uai|[Ii]mpasse)"
            rf"(?:[ ](?:de la|de l'|des|du|de|d')?[ ]?{CAP}){{1,4}}"
        ),
    ),
    (
        "calle c/ cl. av pza. ctra. avenida plaza paseo rua via viale piazza corso vicolo",
        re.compile(
            rf"(?<!\w)(?:Calle|C/|Cl\.|Avda?\.?|Av\.|Avenida|Plaza|Pza\.|Paseo|Ctra\.|Rua|"
            r"[Vv]ia|[Vv]iale|[Pp]iazza|[Cc]orso|[Vv]icolo)[ ]"
            rf"(?:(?:de la|del|de los|de las|de|das|dos|da|do|dei|delle|degli|della|dell')[ ]?)?"
            rf"{CAP}(?:[ ]{CAP}){{0,3}},?[ ]"
            r"(?:n[.ºo°]?[ ]?)?\d{1,4}(?!\w)"
        ),
    ),
    (
        "",
        re.compile(rf"(?<![\w.,/-])[1-9]\d{{3}}[ ]?[A-Z]{{2}}[ ]{{1,2}}(?P<words>{CAP})"),
    ),
    (
        "",
        re.compile(
            rf"(?:(?<=, ){CAP}(?:[ -]{CAP}){{0,2}},?[ ])?(?<![\w-])[A-Z]{{1,2}}\d[A-Z\d]?[ ]\d[ABD-HJLNP-UW-Z]{{2}}"
            r"(?![\w-])"
        ),
    ),
    (
        "",
        re.compile(
            rf"(?:(?m:^)|(?<=, )|(?<=\bD-)|(?<=\bF-)|(?<=\bI-)|(?<=\bE-))\d{{5}}[ ]"
            rf"(?P<words>(?=[\w-]{{3}}){CAP}(?:[ -]{CAP}){{0,2}})"
        ),
    ),
    (
        "nsw vic qld wa sa tas act nt",
        re.compile(
            rf"(?<!\w)(?P<words>(?:{CAP}[ ]){{0,2}}{CAP}),?[ ](?:NSW|VIC|QLD|WA|SA|TAS|ACT|NT)[ ]{{1,2}}\d{{4}}(?!\d)"
        ),
    ),
    (
        "",
        re.compile(
            rf"(?:(?m:^)|(?<=, )|(?<=\bA-)|(?<=\bCH-)|(?<=\bB-)|(?<=\bDK-))"
            r"(?!(?:19|20)\d{2}[ ])(?:\d{3}[ ]\d{2}|\d{3,4})[ ]"
            rf"(?P<words>[{_UPPER}][^\W\d_A-Z]{{3,30}})"
            r"(?=[,.\n]|$)"
        ),
    ),
    ("eircode", re.compile(r"(?i:(?<=eircode )|(?<=eircode: ))[A-Z]\d[\dW][ ]?[0-9A-Z]{4}(?!\w)")),
    (
        "^",
        re.compile(r"(?<=\^)\d{5}(?:-\d{4})?(?=[\^|]|$)"),
    ),
    (
        "^",
        re.compile(rf"(?<=\^)(?P<words>{CAP}(?:[ ]{CAP}){{0,2}})\^(?:{_STATES})(?=\^)"),
    ),
)


def find_addresses(text: str) -> Iterator[re.Match[str]]:
    """Whatever has the shape of an address; of some the group `words` holds what must be proper names."""
    lowered = text.lower()
    for hints, pattern in _SHAPES:
        if not hints or any(hint in lowered for hint in hints.split()):
            yield from pattern.finditer(text)
