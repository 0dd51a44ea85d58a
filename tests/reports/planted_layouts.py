# ruff: noqa: E501, RUF001
"""Twenty made-up report layouts with places for identifiers, written as <kind form> or <kind form person>.

The prose around them is pathology with traps: eponyms, grades, sizes, ratios, markers, codes, block labels. The last
five (TEST) were set aside before any rule was tuned.
"""

from __future__ import annotations

TUNING: dict[str, str] = {
    "letterhead": """<institution en>
Department of Pathology and Laboratory Medicine
<address us>
Phone: <phone us>   Fax: <phone dash>

SURGICAL PATHOLOGY REPORT

Patient: <name last_first p>          Accession #: <id acc>
MRN: <id mrn>                         DOB: <date us>
Sex: F   Age: 67                      Collected: <date us2>
Physician: <name full d>, MD          Received: <date us>

FINAL DIAGNOSIS
A. Prostate, left apex, needle biopsy:
   - Prostatic adenocarcinoma, Gleason score 3+4=7 (Grade Group 2), involving 2/14 cores, 1.5 mm.
B. Prostate, right base, needle biopsy: Benign prostatic tissue.
Masson trichrome and Gram stains were reviewed. Ki-67 is 15%; p53 wild type. Case discussed with Dr. <name last q>.

Electronically signed by <name full s>, M.D. on <date time>
""",
    "hl7": """MSH|^~\\&|LAB|<institution en>|EHR|MAIN|<date stamp>||ORU^R01|<id barcode>|P|2.3
PID|1||<id mrn>^^^HOSP^MR||<name hl7 p>||<date hl7>|M|||<address hl7>||<phone us>
OBR|1||<id acc>|88305^Surgical pathology^CPT|||<date hl7>|||||||||<name hl7 d>
OBX|1|TX|22637-3^Path report^LN||Colon, biopsy: tubular adenoma, 0.4 x 0.3 x 0.2 cm. MLH1, PMS2 intact.
OBX|2|TX|22637-3^Path report^LN||No Crohn disease, no granulomas. 10 HPF examined. Dr. <name last d> notified.
""",
    "table": """| Field | Value |
| Patient name | <name full p> |
| Patient ID | <id short> |
| Date of birth | <date iso> |
| Accession | <id bx> |
| Referring physician | Dr. <name initial d> |
| Insurance no. | <id policy> |
| Specimen | Thyroid, left lobe, 3.2 x 2.1 x 1.0 cm |
| Diagnosis | Hashimoto thyroiditis; Bethesda II; no Warthin tumour |
| Stage | pT1a N0 (0/6) |
| Pathologist | <name middle s> |
""",
    "narrative": """The patient, Mrs. <name full p>, is a <age digits>-year-old woman who was first seen at <institution en> on <date en>. She was referred by Dr. <name full d>. A punch biopsy (<id acc>) of <date dmy> showed melanoma in situ, Clark level II, Breslow 0.4 mm. Ms. <name last p> lives at <address street> and can be reached at <phone dash>. Sections show Merkel cell carcinoma with CK20 dot-like staining, 45 mitoses per 10 HPF. Reed-Sternberg cells are absent; Hodgkin lymphoma is excluded. Block 2B was sent for SP142. In <date my> a re-excision was done. <name full p> will be followed up by Prof. <name last s>.
""",
    "signature": """MICROSCOPIC DESCRIPTION
Invasive ductal carcinoma, Nottingham grade 2 (3+2+2=7/9), pT1c pN0(sn) (0/2). ER 95 %, PR 80 %, HER2 1+. Paget disease of the nipple is not seen.

Pathologist: <name full s>, MD, PhD
Resident: <name initials r>
Reviewed by: <name full q>
Dictated by <name full r> on <date us>
cc: <name full d>, MD; <name full e>, MD
Electronically signed by: <name last_first_middle s> <date iso>
Case #: <id short>
""",
    "fax": """FAX
TO: <name full d>            FROM: <name full s>
FAX: <phone dot>             TEL: <phone us>
DATE: <date us>              PAGES: 3
RE: <name last_first p>, DOB <date us>, MRN <id mrn>

Result of the bone marrow biopsy: Burkitt lymphoma, CD20+, CD10+, Ki-67 near 100%, BCL2 negative. Giemsa stain examined.
Please call <phone dash> with questions. <institution lab>, <address po>, <address city>
""",
    "german": """<institution de>
Institut für Pathologie
<address de>, <address de_city>
Telefon: <phone de>

Patient: <name last_first p>, geb. <date dot>
Eingangsnummer: <id german>      Eingang: <date dot>
Einsender: Dr. med. <name full d>

Klinische Angaben: Barrett-Ösophagus. Am <date de> erfolgte die PE.
Mikroskopie: Spezialisiertes Zylinderepithel mit Becherzellen, Helicobacter pylori negativ (Giemsa). Laurén intestinaler Typ.
Diagnose: Barrett-Mukosa ohne Dysplasie. Größe 0,3 x 0,2 cm. G2, pT1a.
Frau <name last p> wurde von Herrn Prof. Dr. <name last q> aufgeklärt.

Mit freundlichen Grüßen
Prof. Dr. med. <name full s>
""",
    "french": """<institution fr>
Service d'anatomie pathologique
<address fr>, <address fr_city>
Tél : <phone fr>

Nom : <name last p>     Prénom : <name given p>
Né(e) le : <date dash>     N° de dossier : <id short>
Prescripteur : Dr <name full d>
Prélevé le <date fr>

Renseignements cliniques : suspicion de maladie de Crohn.
Conclusion : adénocarcinome gastrique de type intestinal selon Laurén, Borrmann III, 2,5 x 2 cm. MSH6 conservé.
Compte rendu signé par <name full s>
""",
    "dutch": """<institution nl>
<address nl>, <address nl_city>

Naam: <name full p>     Geboortedatum: <date dash>
BSN: <id bsn>     T-nummer: <id dutch>
Aanvrager: <name initial d>
Datum ontvangst: <date nl>

Conclusie: mammabiopt links: invasief carcinoom, Bloom-Richardson graad 2, ER 8/8. Geen ziekte van Paget.
Mevr. <name last p> is besproken met dhr. <name last q>.
Patholoog: <name full s>
""",
    "spanish": """<institution es>
<address es>, Madrid
Teléfono: <phone es>

Paciente: <name full p>     NHC: <id short>
Fecha de nacimiento: <date us>     Fecha: <date es>
Médico solicitante: Dra. <name full d>

Diagnóstico: biopsia gástrica con gastritis crónica, Helicobacter pylori positivo (Giemsa). Sin displasia. 0,3 x 0,2 cm.
Firmado por <name full s>
""",
    "all_caps": """PATIENT NAME: <name caps_last_first p>   HOSPITAL NO: <id mrn>
DATE OF PROCEDURE: <date caps>   SURGEON: <name caps_full d>
<institution caps>
GROSS: RECEIVED LABELED "<name caps_full p>" IS A 3.2 X 2.1 X 1.0 CM FRAGMENT OF TAN TISSUE. SECTIONS IN A1-A4.
MICROSCOPIC: EWING SARCOMA, CD99 POSITIVE. WILMS TUMOR EXCLUDED. NO HELICOBACTER. FUHRMAN GRADE NOT APPLICABLE.
DR. <name caps_last d> WAS NOTIFIED BY PHONE ON <date us>.
SIGNED: <name caps_full s>, M.D.
""",
    "ocr": """Pat1ent: <name last_first p>  M R N: <id mrn>
Date  of  Birth :<date ocr>  Col1ected:  <date ocr>
Phys ician: <name full d>
Acc ession No . <id acc>
Ureter , distal margin : no tumor . Von Brunn nests and cystitis cyst ica . 0 . 4 x 0 . 3 cm .
Kaposi sarcoma , HHV-8 posit ive . Sertoli and Leydig ce11s unremarkable . Grade 2 / 3 .
E1ectronically signed by <name full s> , M D  <date ocr>
""",
    "addendum": """ADDENDUM (<date us>)
Addendum issued at the request of Dr. <name last d> (ext. <id short>).
The original report (<id sp>, <date ord>) is unchanged. PD-L1 (22C3) TPS 40 %, EGFR c.2573T>G p.L858R, chr7:55259515. KRAS G12C not detected.
Slides <id acc>-A1 were reviewed in consultation by <name full q> of <institution en>.
Addendum signed: <name initial s>, MD <date mon>
SNOMED: T-04000 M-85003. ICD-10 C50.9, ICD-O 8500/3. CPT 88305, 88342.
""",
    "tcga": """UUID:<id uuid>
<id tcga>-01A-PR                Redacted
Patient: <name last_first p>
Path. Number: <id acc>
Procedure Date: <date us>
SSN: <id ssn>
Clear cell renal cell carcinoma, Fuhrman nuclear grade 3, 6.5 x 5.0 x 4.2 cm. Gerota fascia not involved. pT1b Nx Mx. Bowman capsule intact.
Attending: <name full d>
I, <name full s>, the attending pathologist, personally reviewed the slides.
""",
    "email": """From: <name full s> <<email s>>
To: <name full d> <<email d>>
Sent: <date en> 10:42
Subject: RE: <id acc> <name last p>

Hi <name given d>,
the Warthin-Starry stain is negative, the case is signed out as Hashimoto thyroiditis. See <url http> (server <ip v4>).
Tell <name full p> that a Papanicolaou smear is not needed. Call me at <phone dash>.
Best,
<name given s>
--
<name full s>, MD
<institution lab>, <url www>
""",
}

TEST: dict[str, str] = {
    "csv_row": """case_id,name,dob,received,diagnosis
<id acc>,"<name csv p>",<date iso>,<date iso>,"Stomach, biopsy: signet ring cell carcinoma, Borrmann IV, Lauren diffuse, 0/12 nodes"
<id acc>,"<name csv q>",<date iso>,<date iso>,"Lymph node: Hodgkin lymphoma, nodular sclerosis, CD30+, CD15+, PAX5 weak, 2.1 cm"
""",
    "transcription": """POSTOPERATIVE DIAGNOSIS: Whipple resection, ampulla of Vater, adenocarcinoma, pT2 pN1 (1/14).
Langerhans islets and Brunner glands are unremarkable. Perineural invasion is seen in block A3.
Job ID: <id mrn>
D: <date us>   T: <date time>
Dictating physician: <name full s>, M.D.
Transcribed by: <name initial t>
Authenticated by <name full s>, MD on <date us> at 08:15
Account number: <id barcode>   Pager: <phone dash>
""",
    "consult_letter": """<name full d>, MD
<institution en>
<address street>
<address city>

<date en>

Re: <name full p> (your case <id acc>; our case <id bx>)

Dear Dr. <name last d>,
Thank you for sending the slides of this <age digits> year old man in consultation. We agree with Langerhans cell histiocytosis: CD1a+, S100+, Birbeck granules by EM. Mr. <name last p> had been seen here in <date my>. The Ki-67 index is about 5 %, mitoses 3/10 HPF. License plate on the courier's bag: <id plate>.
We discussed the case with <name full q>, who agrees.
Sincerely,
<name full s>, MD
Director of Surgical Pathology
Tel. <phone us>, <email s>
""",
    "uk_letter": """<institution en> NHS Trust, <address uk>
Hospital No: <id mrn>   NHS No: <id bsn>   D.O.B: <date dmy>
Surname: <name last p>   Forename: <name given p>   Consultant: Mr <name initials d>
Clinical details: <age digits> y/o, ?Meckel's diverticulum. Pouch of Douglas deposit.
Microscopy: Krukenberg tumour of the ovary; Mallory hyaline absent. Dukes C1, 3/17 nodes. Van Gieson stain.
Reported by: Dr <name full s>, Consultant Histopathologist, <date dmy>
Authorised: <name caps_full s>
""",
    "chinese_mixed": """病理报告
姓名：<name zh p>   性别：女   年龄：56   住院号：<id short>
送检日期：<date zh>   病理号：<id acc>
诊断：胃窦腺癌，Lauren 肠型，大小 3.2 x 2.1 cm，HER2 (2+)，Ki-67 约 30%。
Patient: <name full q>   Tel: <phone dash>
报告日期：<date zh>
""",
}
