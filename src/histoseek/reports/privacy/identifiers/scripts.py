"""Labelled names and numbers in Chinese, Japanese, Korean, Arabic and Hebrew reports."""

from __future__ import annotations

import re
from collections.abc import Iterator

from histoseek.reports.privacy.identifiers.identifier_kinds import Identifier, IdentifierKind

_CJK = r"[\u3400-\u9fff\uf900-\ufaff]"
_KANA = r"[\u3400-\u9fff\u3040-\u30ff]"
_RTL = r"[\u0590-\u05ff\u0600-\u06ff\ufb1d-\ufdff\ufe70-\ufefc]"
_NAMES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?:姓\s?名|患者|病人|医生|医师|醫師|病理医[师生]|报告医[师生]|審核|审核医?[师生]?|主诊医[师生]|送检医[师生]|"
        rf"报告人|诊断医[师生]|签名)\s?[:\uff1a]\s?"
        rf"({_CJK}{{1,2}}·?\s?{_CJK}{{1,4}})(?!{_CJK})",
        rf"(?:氏名|患者名|患者氏名|担当医|病理医|診断医|主治医|"
        rf"依頼医)\s?[:\uff1a]\s?({_KANA}{{1,5}}[ \u3000]?{_KANA}{{1,5}})",
        r"(?:성명|이름|환자명|환자|병리의|판독의|의뢰의|담당의)\s?[:\uff1a]\s?([\uac00-\ud7a3]{2,5})",
        rf"(?:اسم المريضة?|المريضة?|الاسم|الطبيب(?:ة)?|اسم الطبيب|نام بیمار|نام|"
        rf"پزشک)\s?[:\uff1a]\s?({_RTL}{{2,20}}(?:[ ]{_RTL}{{2,20}}){{0,4}}+)",
        rf"(?:שם המטופלת?|שם החולה|שם|רופאה?|פתולוג"
        rf"(?:ית)?)\s?[:\uff1a]\s?({_RTL}{{2,20}}(?:[ ]{_RTL}{{2,20}}){{0,4}}+)",
    )
)
_NUMBERS = re.compile(
    r"(?:住院号|门诊号|病案号|病历号|病理号|标本号|身份证号?|编号|登记号|患者番号|病理番号|検体番号|受付番号|등록번호|병리번호|환자번호|"
    r"رقم الملف|رقم الهوية|رقم المريض|رقم|مספר תיק|מספר זהות|"
    r"ת\.ז\.)\s?[:\uff1a]?\s?([A-Za-z]{0,4}[\d\u0660-\u0669\u06f0-\u06f9][\w-]{2,24})"
)
_PHONES = re.compile(r"(?:电话|電話|手机|联系电话|전화|هاتف|טלפון)\s?[:\uff1a]?\s?(\+?\d[\d -]{5,18}\d)")
_PLACES = re.compile(rf"{_CJK}{{2,12}}(?:医院|醫院|病院)")


def find_in_scripts(text: str) -> Iterator[Identifier]:
    """What labels of these scripts announce, and Chinese and Japanese hospitals; dates are found with all others."""
    if text.isascii():
        return
    for pattern in _NAMES:
        for match in pattern.finditer(text):
            yield Identifier(match.start(1), match.end(1), IdentifierKind.NAME)
    for pattern, kind in ((_NUMBERS, IdentifierKind.ID), (_PHONES, IdentifierKind.PHONE)):
        for match in pattern.finditer(text):
            yield Identifier(match.start(1), match.end(1), kind)
    for match in _PLACES.finditer(text):
        yield Identifier(match.start(), match.end(), IdentifierKind.INSTITUTION)
