"""What a column of a table holds, told by its name: the same for metadata and for reports, whoever wrote it."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import IntEnum
from functools import lru_cache
from itertools import pairwise
from typing import Literal, cast, get_args

PartName = Literal["report", "diagnosis", "microscopy", "gross", "history", "comment", "ancillary", "addendum", "other"]
IdRole = Literal["report_id", "slide_id", "case_id", "patient_id", "file"]
OrderRole = Literal["date", "sequence", "kind"]
PersonRole = Literal["person"]
LabelRole = Literal["spacing", "site", "stain", "organ"]
Role = PartName | IdRole | OrderRole | PersonRole | LabelRole

PART_NAMES: tuple[PartName, ...] = get_args(PartName)
ID_ROLES: tuple[IdRole, ...] = get_args(IdRole)
ORDER_ROLES: tuple[OrderRole, ...] = get_args(OrderRole)
LABEL_ROLES: tuple[LabelRole, ...] = get_args(LabelRole)


class Certainty(IntEnum):
    """How sure a name says a role: by the role's own name, by another name of it, or only where nothing else does."""

    WEAK = 1
    SYNONYM = 2
    EXACT = 3


@dataclass(frozen=True, slots=True)
class NamedRole:
    """The role that a column's name says, and how sure it is."""

    role: Role
    certainty: Certainty


_EXACT: Mapping[Role, str] = {
    "slide_id": "slide",
    "case_id": "case",
    "patient_id": "patient",
    "file": "filename",
    "report": "text",
    "spacing": "mpp",
}
_SYNONYMS: Mapping[Role, str] = {
    "report_id": "id report_number report_no document_id note_id befund_nr befundnummer rapportnummer",
    "slide_id": "slides wsi image objekttrager objekttraeger portaobjetos vetrino",
    "case_id": "accession journalnummer examen_id t_nummer e_nummer s_nummer b_nummer path_no path_number path_id "
    "histo_no eingangsnummer eingangs_nr",
    "patient_id": "patients patienten paciente paziente mrn medical_record_number medical_record_no patient_mrn "
    "hospital_number hospital_no nhs_number "
    "nhs_no subject subjid usubjid participant proband submitter_id case_submitter_id cases_submitter_id nhc ipp "
    "pat pid uhid empi 病历号 病歴番号 住院号",
    "file": "path filepath slide_file image_file wsi_file datei dateiname dateipfad pfad fichier nom_du_fichier "
    "nom_de_fichier chemin chemin_du_fichier bestand bestandsnaam archivo nombre_de_archivo nome_file nome_del_file",
    "spacing": "spacing_um_per_px spacing_um_px spacing_um spacing_nm um_per_px um_px um_per_pixel um_pixel "
    "microns_per_pixel micron_per_pixel microns_per_px mpp_x pixel_size_um pixel_size_nm",
    "stain": "staining stain_name farbung faerbung coloration kleuring tincion colorazione",
    "organ": "organe orgaan organo orgao",
    "date": "report_date date_of_report signed_date signout_date sign_out_date befunddatum datum",
    "sequence": "seq sequence_number version addendum_number addendum_no part_number order line_number",
    "kind": "report_type document_type doc_type note_type record_type",
    "person": "name surname lastname firstname forename given_name givenname familyname family_name full_name fullname "
    "maiden_name middle_name birth_name nickname initials patient_name patients_name patient_surname patient_firstname "
    "patient_lastname pat_name nachname vorname familienname geburtsname patientenname nom prenom pr_nom nom_patient "
    "nom_du_patient naam achternaam voornaam nombre apellido apellidos cognome nome physician physician_name "
    "referring_physician doctor_name surgeon surgeon_name clinician clinician_name pathologist pathologist_name "
    "mother_name father_name contact_name signed_by",
    "report": "report_text full_text pathology_report path_report caption captions befund befundtext rapport "
    "verslag compte_rendu report_body body",
    "diagnosis": "final_diagnosis diagnosis_text diagnoses pathologic_diagnosis pathological_diagnosis diagnose "
    "conclusion conclusions conclusie diagnostic impression",
    "microscopy": "microscopic microscopic_description microscopic_findings micro histology mikroskopie microscopie",
    "gross": "gross_description macroscopy macroscopic macroscopic_description makroskopie macroscopie",
    "history": "clinical_history clinical_information clinical_info clinical_data clinical_details indication "
    "anamnesis klinische_angaben klinische_gegevens renseignements_cliniques",
    "comment": "comments note notes remark remarks kommentar commentaire opmerking interpretation",
    "ancillary": "ancillary_studies ihc immunohistochemistry immunohistochemie molecular special_stains "
    "immunhistochemie biomarkers",
    "addendum": "addenda addendum_text amendment supplementary_report supplement nachtrag aanvulling complement",
}
_NOUNS: Mapping[IdRole, str] = {
    "slide_id": "slide slides wsi image images img scan objekttrager objekttraeger praparat praeparat schnitt "
    "lame lamina laminilla portaobjetos vetrino preparaat preparat coupe",
    "case_id": "case cases fall fal casus caso cas geval accession specimen surgical histology histologie histologia "
    "pathology pathologie einsende",
    "patient_id": "patient patients patienten pat pt subject participant proband individual person donor paciente "
    "pacientes paziente pasient pacjent pacjenta pacient pacienta potilas hasta пациент пациента 患者 病人 환자",
}
"""Things that have ids; with a word for an id beside it, in any order, the name is recognised."""
_ID_WORDS_TEXT = """
id ids identifier identification number numbers no nr num nummer numero code key barcode uid uuid guid
kennung kennziffer kennnummer identifikator identifikation identifikationsnummer
identifiant identificador identificativo identificatie codigo codice numer kod mrn
cislo kimlik номер 番号 编号 号 번호
"""
_REFERENCES = frozenset(("ref", "reference", "referenz"))
_MEDICAL_RECORDS = frozenset(("mrn", "pid", "uhid", "nhc", "ipp"))
"""Numbers that patients have in hospitals; a word for an id may stand beside them."""
_NUMBERED_TEXT = """
hospital hosp nhs chi cpr chart medicalrecord medrec healthrecord unitrecord emr ehr ur historiaclinica hc prontuario
"""
_NUMBERED = frozenset(_NUMBERED_TEXT.split())
"""What a number beside it makes that of a patient."""
_NAME_WORDS = frozenset(("name", "namen", "nom", "naam", "nombre", "nome"))
_NUMBER_WORDS = frozenset(("number", "numbers", "no", "nr", "num", "nummer", "numero", "n"))
_FILE_WORDS_TEXT = """
file filename filepath path uri datei dateiname dateipfad pfad fichier bestand
"""
_FILE_WORDS = frozenset(_FILE_WORDS_TEXT.split())
_ARTICLES_TEXT = """
the a of for der des die das du de la le l d del della do da van het s
"""
_ARTICLES = frozenset(_ARTICLES_TEXT.split())
_FILLERS_TEXT = """
bcr tcga whole digital anon anonymous
anonymised anonymized pseudo pseudonymised pseudonymized deidentified identified
study research hospital lab clinical coded unique global local internal external
our full epic cerner
"""
_FILLERS = _ARTICLES | frozenset(_FILLERS_TEXT.split())
_PLURALS = frozenset(("slides", "images", "cases", "patients"))
_LINKS = ("", "en", "n", "s", "e", "es")
_VAGUE_IDS_TEXT = """
id identifier uid uuid guid key barcode studyid studynumber studyno recordid recordnumber recordno registryid
registrynumber personid hospitalid mouseid animalid sampleid samplename samplebarcode pseudonym crn urn hn kvnr bsn
pesel donor client clientid clientno clientnumber clientnr animal mouse encounter
"""
_VAGUE_IDS = frozenset(_VAGUE_IDS_TEXT.split())
"""Names of ids that may or may not be a patient's."""
_THINGS_TEXT = """
slide slides image images file block blocks stain staining scan scanner scans tile tiles patch page box rack tray tube
plate lot batch clone antibody gene icd icdo snomed project centre center site hospital institution clinic department
country region zip post room phone tumor tumour lesion sample specimen section level order run version line row grade
stage organ topography morphology diagnosis report cluster class label colour color protocol cohort
"""
_THINGS = frozenset(_THINGS_TEXT.split())
"""What has numbers and codes and is no person."""
_LEAST_LIKENESS = 0.85
_LETTERS = str.maketrans({"ø": "o", "æ": "ae", "ł": "l", "đ": "d", "\u0131": "i", "μ": "u"})
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})")
_NUMBER_SIGN = re.compile(r"\bn[°º]|#|№", re.IGNORECASE)
_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")


def split_words(name: str) -> tuple[str, ...]:
    """A column's name as words in lower case without accents: "Slide-ID", "slideId" and "SLIDE ID" are alike."""
    text = unicodedata.normalize("NFKC", _NUMBER_SIGN.sub(" no ", name))
    text = "".join(character for character in text if unicodedata.category(character) != "Cf")
    folded = unicodedata.normalize("NFKD", _CAMEL.sub(" ", text).casefold()).translate(_LETTERS)
    plain = "".join(character for character in folded if not unicodedata.combining(character))
    return tuple(re.findall(r"[^\W_]+", plain))


def find_column(names: Sequence[str], column: str) -> str | None:
    """The name of a header that a user means: as it stands there, or else the only one of the same words."""
    plain = column.strip()
    if plain in names:
        return plain
    alike = [name for name in names if split_words(name) == split_words(plain)]
    return alike[0] if len(alike) == 1 and split_words(plain) else None


@lru_cache(maxsize=1 << 12)
def recognise_column(name: str) -> NamedRole | None:
    """The role that a column's name says; None where it says none. What stands in brackets is tried last."""
    for text in dict.fromkeys((name, _BRACKETS.sub(" ", name))):
        words = split_words(text)
        said = _ROLE_OF.get("".join(words)) or _read_id(words)
        if said:
            return said
    return None


def guess_id(name: str) -> IdRole | None:
    """The role that the name of an unrecognised column nearly says, so that a person may look at it."""
    words = [part for word in split_words(name) for part in _split_compound(word)]
    joined = "".join(words)
    numbered = joined[-1:].isdigit()
    plain = _ROLE_OF.get(joined.rstrip(string.digits)) if numbered else None
    if plain and plain.role in get_args(IdRole):
        return cast("IdRole", plain.role)
    has_id = any(word in _ID_WORDS for word in words)
    roles: set[IdRole] = {_ROLE_OF_NOUN[word] for word in words if word in _ROLE_OF_NOUN}
    if has_id and roles and not _counts(words):
        return "patient_id" if "patient_id" in roles else min(roles)
    near = max(_WHOLE_NAMES, key=lambda whole: SequenceMatcher(None, whole, joined).ratio())
    is_near = len(joined) > 5 and SequenceMatcher(None, near, joined).ratio() >= _LEAST_LIKENESS
    return _WHOLE_NAMES[near] if is_near else None


def is_vague_id(name: str) -> bool:
    """Whether a name is that of ids which may or may not be a patient's."""
    return "".join(word for word in split_words(name) if word not in _FILLERS) in _VAGUE_IDS


def is_patient_name(name: str) -> bool:
    """Whether a name is that of patients' whole names: "Patient name", "Patientenname"."""
    parts = {part for word in split_words(name) for part in _split_compound(word) if part not in _FILLERS}
    rest = {part for part in parts if _ROLE_OF_NOUN.get(part) != "patient_id"}
    return bool(rest) and rest < parts and rest <= _NAME_WORDS


def may_be_id(name: str) -> bool:
    """Whether a name is that of a number or code which may be a person's, as far as its words say: "Enrolment no"."""
    words = [part for word in split_words(name) for part in _split_compound(word)]
    ends = {words[0], words[-1]} if words else set()
    return bool(ends & _ID_WORDS) and len(words) > 1 and not (_counts(words) or _THINGS.intersection(words))


def choose_columns(names: Sequence[str], roles: Iterable[Role], single: Iterable[Role]) -> dict[int, Role]:
    """The columns that have some roles, by their places.

    Of several columns of a `single` role the most certain counts, and of equal ones the first, unless both bear the
    role's own name: then both are given. A weak name counts where the table has no other id of slides.
    """
    possible_roles, single_roles = frozenset(roles), frozenset(single)
    said = {place: named for place, name in enumerate(names) if (named := recognise_column(name))}
    said = {place: named for place, named in said.items() if named.role in possible_roles}
    has_slides = any(
        named.certainty > Certainty.WEAK and named.role in ("slide_id", "case_id", "file") for named in said.values()
    )
    chosen: dict[int, Role] = {}
    for place, named in said.items():
        if named.certainty == Certainty.WEAK and has_slides:
            continue
        rivals = [(other.certainty, -spot) for spot, other in said.items() if other.role == named.role]
        is_best = (named.certainty, -place) == max(rivals) or named.certainty == Certainty.EXACT
        if is_best or named.role not in single_roles:
            chosen[place] = named.role
    return chosen


def _read_id(words: Sequence[str]) -> NamedRole | None:
    """The id that words name together: one thing that has ids, a word for an id, and nothing else."""
    if _is_medical_record(words):
        return NamedRole("patient_id", Certainty.SYNONYM)
    parts = [part for word in words for part in _split_compound(word) if part not in _FILLERS]
    nouns = [part for part in parts if part in _ROLE_OF_NOUN]
    others = [part for part in parts if part not in _ROLE_OF_NOUN]
    if len({_ROLE_OF_NOUN[noun] for noun in nouns}) != 1 or not others or _counts(words):
        return None
    role = _ROLE_OF_NOUN[nouns[0]]
    is_file = role == "slide_id" and any(other in _FILE_WORDS for other in others)
    if is_file and all(other in _FILE_WORDS | _NAME_WORDS for other in others):
        return NamedRole("file", Certainty.SYNONYM)
    id_words = _ID_WORDS | _REFERENCES if role == "patient_id" else _ID_WORDS | _NAME_WORDS
    if not all(other in id_words for other in others):
        return None
    is_weak = role == "slide_id" and all(other in _NUMBER_WORDS for other in others)
    return NamedRole(role, Certainty.WEAK if is_weak else Certainty.SYNONYM)


def _is_medical_record(words: Sequence[str]) -> bool:
    """Whether words name the number of a patient in a hospital: "MRN #", "Epic MRN", "Hosp. No."."""
    left = {word for word in words if word not in _FILLERS and _ROLE_OF_NOUN.get(word) != "patient_id"}
    records = left & _MEDICAL_RECORDS
    if len(records) == 1:
        return left - records <= _ID_WORDS
    numbered = "".join(word for word in words if word not in _NUMBER_WORDS | _ARTICLES)
    return numbered in _NUMBERED and any(word in _NUMBER_WORDS for word in words) and not _counts(words)


def _counts(words: Sequence[str]) -> bool:
    """Whether the words tell how many there are: "number of slides", "num_slides"."""
    return any(first in _NUMBER_WORDS and (second == "of" or second in _PLURALS) for first, second in pairwise(words))


@lru_cache(maxsize=1 << 12)
def _split_compound(word: str) -> tuple[str, ...]:
    """A thing and its id written in one word ("patientennummer", "caseid") as two; other words as they are."""
    for id_word in _ID_WORDS | _NAME_WORDS | {"file", "path"}:
        stem = word.removesuffix(id_word)
        if stem == word or len(id_word) < 2:
            continue
        noun = next((stem.removesuffix(link) for link in _LINKS if stem.removesuffix(link) in _ROLE_OF_NOUN), None)
        if noun:
            return noun, id_word
    return (word,)


def _list_names() -> Iterator[tuple[str, NamedRole]]:
    for role, names in _SYNONYMS.items():
        yield from (("".join(split_words(name)), NamedRole(role, Certainty.SYNONYM)) for name in names.split())
    for role, names in _EXACT.items():
        yield from (("".join(split_words(name)), NamedRole(role, Certainty.EXACT)) for name in names.split())
    for role in (*PART_NAMES, *ID_ROLES, *ORDER_ROLES, *get_args(PersonRole), *LABEL_ROLES):
        yield role.replace("_", ""), NamedRole(role, Certainty.EXACT)


_ROLE_OF_NOUN: Mapping[str, IdRole] = {
    "".join(split_words(noun)): role for role, nouns in _NOUNS.items() for noun in nouns.split()
}
_ID_WORDS = frozenset("".join(split_words(word)) for word in _ID_WORDS_TEXT.split())
_ROLE_OF: Mapping[str, NamedRole] = dict(_list_names())
_WHOLE_NAMES: Mapping[str, IdRole] = {
    **dict.fromkeys(("slideid", "slidename"), "slide_id"),
    **dict.fromkeys(("caseid", "casename", "casenumber"), "case_id"),
    **dict.fromkeys(("patientid", "patientnumber"), "patient_id"),
}
