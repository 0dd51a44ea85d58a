"""Values for planted identifiers, drawn with a seed. All persons, places and numbers are made up.

Names come in two halves: listed ones (in the package's own word lists) and unlisted ones (in none of them), so that
what is found by context alone can be told apart.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

LISTED_GIVEN = [
    "John",
    "Mary",
    "Susan",
    "Robert",
    "Linda",
    "Michael",
    "Karen",
    "David",
    "Jürgen",
    "Sabine",
    "Klaus",
    "Ingrid",
    "François",
    "Amélie",
    "Pierre",
    "Chantal",
    "Jan",
    "Pieter",
    "Anneke",
    "Willem",
    "María",
    "Carlos",
    "Lucía",
    "Javier",
    "Wei",
    "Hiroshi",
    "Priya",
    "Fatima",
    "Olga",
    "Giulia",
]
LISTED_SURNAMES = [
    "Smith",
    "Jones",
    "Johnson",
    "Williams",
    "O'Brien",
    "Garcia",
    "Müller",
    "Schmidt",
    "Fischer",
    "Weber",
    "Dubois",
    "Lefèvre",
    "Moreau",
    "Bakker",
    "Visser",
    "Janssen",
    "Fernández",
    "Martínez",
    "Rodríguez",
    "Nguyen",
    "Tanaka",
    "Patel",
    "Rossi",
    "Kowalski",
    "Hansen",
    "Clark",
    "White",
    "Young",
    "Brown",
    "Patterson",
]
UNLISTED_GIVEN = [
    "Oswin",
    "Thessaly",
    "Maelis",
    "Brannoc",
    "Ilze",
    "Wendelin",
    "Eluned",
    "Tjitske",
    "Radomir",
    "Nkechi",
    "Xiomara",
    "Zoltan",
    "Ragnhild",
    "Ottoline",
    "Perpetua",
    "Leocadia",
    "Evaristo",
    "Gwenllian",
    "Hjalmar",
    "Kunigunde",
    "Amaryllis",
    "Bertrade",
    "Cosimo",
    "Dragomir",
    "Fenella",
    "Iolanthe",
    "Jolijn",
    "Melisande",
    "Peregrine",
    "Sunniva",
]
UNLISTED_SURNAMES = [
    "Quisenberry",
    "Oyelaran",
    "Vandersloot",
    "Brzezicki",
    "Thistlethwaite",
    "Nakagome",
    "Iturralde",
    "Szymkowiak",
    "Ruijgrok",
    "Delacourte",
    "Zumwalt",
    "Schimmelpfennig",
    "Achterberg",
    "Featherstone-Haugh",
    "Wojtkowski",
    "Ballantyne",
    "Crumbaugh",
    "Dorlandson",
    "Ekpenyong",
    "Fitzwarren",
    "Grzelak",
    "Hollenbeck",
    "Inchbald",
    "Jokipaltio",
    "Killebrew",
    "Loosemore",
    "Mountbessant",
    "Nethersole",
    "Ollerenshaw",
    "Pumphreys",
]
CHINESE = ("张晓明", "王芳", "李建国", "欧阳娜娜", "陈静怡")
PARTICLES = ("", "", "", "", "van ", "de ", "von ", "van der ", "Van den ")
STREETS = ["Maple", "Juniper", "Birchfield", "Harrowgate", "Orchard", "Lakeview", "Stonebridge", "Wexcombe"]
STREET_KINDS = ("Street", "St.", "Avenue", "Ave", "Road", "Blvd", "Lane", "Drive")
TOWNS = "Springvale Eastmere Port Alder Rockhaven Milbury Northwick Westbrook".replace(
    "Port Alder", "Port_Alder"
).split()
STATES = ("MA", "NY", "TX", "IL", "OH", "PA", "CA", "MD")
HOSPITALS = (
    "St. Brendan's Hospital",
    "Rockhaven Medical Center",
    "Eastmere General Hospital",
    "Milbury Memorial Hospital",
    "Northwick University Hospital",
    "Mercy Springvale Clinic",
)
MONTHS = {
    "en": [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    "de": [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ],
    "fr": [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ],
    "nl": [
        "januari",
        "februari",
        "maart",
        "april",
        "mei",
        "juni",
        "juli",
        "augustus",
        "september",
        "oktober",
        "november",
        "december",
    ],
    "es": [
        "enero",
        "febrero",
        "marzo",
        "abril",
        "mayo",
        "junio",
        "julio",
        "agosto",
        "septiembre",
        "octubre",
        "noviembre",
        "diciembre",
    ],
}


@dataclass(frozen=True)
class Person:
    """One made-up person; `listed` says whether both names are in the word lists."""

    given: str
    surname: str
    middle: str
    particle: str
    listed: bool

    def write(self, form: str) -> str:
        """The name as a report would write it."""
        last = f"{self.particle}{self.surname}"
        forms = {
            "full": f"{self.given} {last}",
            "middle": f"{self.given} {self.middle}. {last}",
            "last_first": f"{last}, {self.given}",
            "last_first_middle": f"{last}, {self.given} {self.middle}.",
            "initial": f"{self.given[0]}. {last}",
            "initials": f"{self.given[0]}.{self.middle}. {last}",
            "last": last,
            "given": self.given,
            "hl7": f"{last}^{self.given}^{self.middle}",
            "csv": f"{last}, {self.given}",
            "zh": CHINESE[sum(map(ord, self.given + self.surname)) % len(CHINESE)],
        }
        if form.startswith("caps_"):
            return forms[form.removeprefix("caps_")].upper()
        if form.startswith("lower_"):
            return forms[form.removeprefix("lower_")].lower()
        return forms[form]


class Values:
    """Draws the values of one document; the same person key gives the same person again."""

    def __init__(self, seed: int, listed: bool) -> None:
        self._draw = random.Random(seed)
        self._listed = listed
        self._persons: dict[str, Person] = {}

    def person(self, key: str) -> Person:
        """The person of this key."""
        if key not in self._persons:
            draw = self._draw
            given = draw.choice(LISTED_GIVEN if self._listed else UNLISTED_GIVEN)
            surname = draw.choice(LISTED_SURNAMES if self._listed else UNLISTED_SURNAMES)
            self._persons[key] = Person(
                given, surname, draw.choice("ABCDEFGHJKLMRST"), draw.choice(PARTICLES), self._listed
            )
        return self._persons[key]

    def date(self, form: str) -> str:
        """A date in the named layout."""
        draw = self._draw
        year, month, day = draw.randint(1925, 2023), draw.randint(1, 12), draw.randint(1, 28)
        if form in MONTHS:
            name = MONTHS[form][month - 1]
            written = {
                "en": f"{name} {day}, {year}",
                "de": f"{day}. {name} {year}",
                "fr": f"{day} {name} {year}",
                "nl": f"{day} {name} {year}",
                "es": f"{day} de {name} de {year}",
            }
            return written[form]
        english = MONTHS["en"][month - 1]
        return {
            "us": f"{month:02}/{day:02}/{year}",
            "us2": f"{month}/{day}/{year % 100:02}",
            "iso": f"{year}-{month:02}-{day:02}",
            "dot": f"{day:02}.{month:02}.{year}",
            "dash": f"{day:02}-{month:02}-{year}",
            "hl7": f"{year}{month:02}{day:02}",
            "stamp": f"{year}{month:02}{day:02}{day:02}1530",
            "dmy": f"{day} {english} {year}",
            "mon": f"{day:02}-{english[:3]}-{year}",
            "caps": f"{day:02}{english[:3].upper()}{year}",
            "ord": f"{english} {day}th",
            "my": f"{english} {year}",
            "ocr": f"{month:02}/{day:02}/{year}".replace("0", "O").replace("1", "l"),
            "zh": f"{year}年{month}月{day}日",
            "time": f"{month:02}/{day:02}/{year} {day % 12 + 1}:{month + 20:02} PM",
        }[form]

    def id(self, form: str) -> str:
        """An identifier of the named shape."""
        digits = self._digits
        year = self._draw.randint(10, 23)
        return {
            "acc": f"S{year}-{digits(5)}",
            "bx": f"BX-20{year}-{digits(6)}",
            "sp": f"SP-{year}-{digits(7)}",
            "dutch": f"T{year}-{digits(6)}",
            "german": f"E/20{year}/{digits(6)}",
            "slash": f"H{year}/{digits(5)}",
            "mrn": digits(7),
            "mrn_dash": f"{digits(3)}-{digits(2)}-{digits(2)}",
            "short": digits(6),
            "ssn": f"{digits(3)}-{digits(2)}-{digits(4)}",
            "policy": f"XQ{digits(8)}",
            "barcode": f"*{digits(12)}*"[1:-1],
            "tcga": f"TCGA-{self._letters(2)}-A{digits(3)}",
            "uuid": f"{self._hex(8)}-{self._hex(4)}-{self._hex(4)}-{self._hex(4)}-{self._hex(12)}",
            "bsn": digits(9),
            "plate": f"{self._letters(3)}-{digits(4)}",
        }[form]

    def phone(self, form: str) -> str:
        """A telephone number."""
        d = self._digits
        return {
            "us": f"({d(3)}) 555-{d(4)}",
            "dash": f"{d(3)}-555-{d(4)}",
            "dot": f"{d(3)}.555.{d(4)}",
            "de": f"0{d(3)} / {d(6)}",
            "intl": f"+49 {d(3)} {d(7)}",
            "nl": f"0{d(2)}-{d(7)}",
            "fr": f"01 {d(2)} {d(2)} {d(2)} {d(2)}",
            "es": f"91 {d(3)} {d(2)} {d(2)}",
            "ext": f"ext. {d(4)}",
        }[form]

    def address(self, form: str) -> str:
        """A street, a place with its postal code, or a box."""
        draw = self._draw
        town = draw.choice(TOWNS).replace("_", " ")
        street = f"{draw.randint(1, 999)} {draw.choice(STREETS)} {draw.choice(STREET_KINDS)}"
        return {
            "street": street,
            "city": f"{town}, {draw.choice(STATES)} {self._digits(5)}",
            "us": f"{street}, {town}, {draw.choice(STATES)} {self._digits(5)}",
            "hl7": f"{street}^^{town}^{draw.choice(STATES)}^{self._digits(5)}",
            "po": f"P.O. Box {self._digits(4)}",
            "de": f"{draw.choice(('Lindenstraße', 'Ahornweg', 'Schlossplatz', 'Bergstr.'))} {draw.randint(1, 90)}",
            "de_city": f"{self._digits(5)} {draw.choice(('Neustadt', 'Altenberg', 'Lindau'))}",
            "nl": f"{draw.choice(('Kerkstraat', 'Beatrixlaan', 'Dorpsplein'))} {draw.randint(1, 90)}",
            "nl_city": f"{draw.randint(1000, 9999)} {self._letters(2)} {draw.choice(('Utrecht', 'Almelo', 'Zwolle'))}",
            "fr": f"{draw.randint(1, 90)} {draw.choice(('rue des Lilas', 'avenue de la Gare', 'boulevard Voltaire'))}",
            "fr_city": f"{self._digits(5)} {draw.choice(('Lyon', 'Nantes', 'Dijon'))}",
            "es": f"Calle {draw.choice(('Mayor', 'del Prado', 'San Juan'))}, {draw.randint(1, 90)}",
            "uk": f"{self._letters(2)}{draw.randint(1, 19)} {draw.randint(1, 9)}{self._letters(2)}",
        }[form]

    def institution(self, form: str) -> str:
        """A hospital or a laboratory."""
        town = self._draw.choice(TOWNS).replace("_", " ")
        return {
            "en": self._draw.choice(HOSPITALS),
            "caps": self._draw.choice(HOSPITALS).upper(),
            "lab": f"{town} Pathology Associates",
            "de": f"Universitätsklinikum {town}",
            "fr": f"CHU de {town}",
            "nl": f"{town} Ziekenhuis",
            "es": f"Hospital Universitario de {town}",
        }[form]

    def email(self, form: str) -> str:
        """An e-mail address of the person of key `form`."""
        person = self.person(form)
        return f"{person.given}.{person.surname}@example.org".lower().replace("'", "")

    def url(self, form: str) -> str:
        """A web address."""
        return {"http": f"https://portal.example.org/case/{self._digits(6)}", "www": "www.milbury-path.example.com"}[
            form
        ]

    def ip(self, form: str) -> str:
        """An address of a computer; `form` is "v4"."""
        return f"10.{self._draw.randint(0, 255)}.{self._draw.randint(0, 255)}.{self._draw.randint(1, 254)}"

    def age(self, form: str) -> str:
        """An age over 89 as written after `form`: "digits" or "words"."""
        return {"digits": str(self._draw.randint(90, 108)), "words": "ninety-three"}[form]

    def _digits(self, count: int) -> str:
        return str(self._draw.randint(1, 9)) + "".join(self._draw.choice("0123456789") for _ in range(count - 1))

    def _letters(self, count: int) -> str:
        return "".join(self._draw.choice("ABDEFGHJKLMNPRSTUW") for _ in range(count))

    def _hex(self, count: int) -> str:
        return "".join(self._draw.choice("0123456789ABCDEF") for _ in range(count))
