# ruff: noqa: E501
"""Made-up prose of reports in eight languages, with labels that are answered by words of medicine, and no identifier."""

from __future__ import annotations

PROSE = {
    "de": """Klinische Angaben: Nebennierenraumforderung rechts. Patientin mit Hypertonie. Einsender: Chirurgische Universitätsklinik.
Makroskopie: Nebenniere, 45 g schwer, mit einem 3,5 cm großen gelben Knoten. Lamellierung: Schnittfläche homogen. Block A1-4: Tumor; Block B 1/2: Fettgewebe.
Mikroskopie: Nebennierenrindenadenom ohne Kapselüberschreitung, Weiss-Score 1. Lin-Weiss-Bissada negativ. Ki-67 unter 2 %. Retikulin nach Gomori erhalten. Kein Hinweis auf Malignität.
Kommentar: Befund passend zu einem Conn-Syndrom. Mutter an Mammakarzinom erkrankt, Schwester gesund. Vorbefund von 2016 liegt vor. Op am Dienstag geplant. Frau Doktor informiert.""",
    "fr": """Renseignements cliniques : Nodule thyroïdien gauche. Patiente de 45 ans. Mère : cancer du sein. Macroscopie : Lobectomie gauche pesant 12 g, mesurant 4 x 3 x 2 cm. Blocs 1-4 : nodule ; bloc 5 : Tissu sain.
Microscopie : Carcinome papillaire de variante vésiculaire, Bethesda V, sans effraction capsulaire. Emboles : Non. Limites : Saines. Coloration de Masson et de Perls. Le Dr de garde est prévenu. Poste opératoire : bloc 3. Du 3/4 supérieur au pôle inférieur.
Conclusion : Microcarcinome papillaire, pT1a. Réf : classification OMS 2017. Copie : Dossier. Interne : Néant. Né d'un adénome.""",
    "es": """Datos clínicos: Nódulo mamario izquierdo. Paciente: Mujer de 56 años. Madre: Cáncer de mama. Descripción macroscópica: Pieza de tumorectomía de 5 x 4 x 3 cm. Se incluye en bloques 1-8. Margen superior: Libre.
Diagnóstico: Carcinoma ductal infiltrante, grado II de Nottingham (3+2+2). Receptores: Estrógenos 90 %, Her2 negativo. Ganglios: 1 de 12. Nota: Muestra remitida en formol. Firma: Pendiente. Col. de Alcian. Informe 2019 previo. Copia para: Oncología Médica. Hija: Sana. Técnico: Hematoxilina. Adjunto: Bloque. Del 3/4 izquierdo.""",
    "it": """Notizie cliniche: Neoformazione del colon destro. Materiale inviato: Emicolectomia destra. Descrizione macroscopica: Tratto di intestino di cm 25 con neoplasia ulcerata di cm 4. Padre: Carcinoma gastrico. Diagnosi: Adenocarcinoma moderatamente differenziato, G2, pT3 N1a (2/18). Margini: Indenni. Firma: Assente. Sezione tre di dodici. Il 3/4 dei linfonodi. Richiesta: Urgente. Cap. 3. Medico: Chirurgia.""",
    "nl": """Klinische gegevens: Zwelling rechter mamma. Patiënte met BRCA1-mutatie. Moeder: Mammacarcinoom. Macroscopie: Mammaresectiepreparaat, 120 gram. Coupes: Tumor in blok 3-7. Conclusie: Invasief carcinoom NST, Bloom-Richardson graad 3 (3-3-2). Sein: geen lymfeklier. Aard materiaal: Biopt. Kopie aan:
Snijvlakken vrij. Arts: Chirurg. Dd invasief.""",
    "sv": """Kliniska uppgifter: Knöl i vänster bröst. Patient: Kvinna. Makroskopi: Sektorresektat 6 x 5 x 3 cm. Diagnos: Duktal cancer, NHG grad 2 (3+2+2), pT1c N0 (0/3). Svar: Radikalt. Sköterska informerad. Syster frisk. Preparat A: Hud. Remiss: Akut. Bedömning: Tubulär cancer. Kopia till: Onkologen. Den 3/4 av tumören.""",
    "is": """Klinískar upplýsingar: Hnútur í brjósti. Sjúklingur: Kona. Niðurstaða: Ífarandi krabbamein, gráða 2. Svar: Jákvætt. Læknir: Skurðdeild. Nafn: Óþekkt.""",
    "fi": """Kliniset tiedot: Kyhmy rinnassa. Potilas: Nainen. Lausunto: Duktaalinen karsinooma, gradus 2. Lähettäjä: Kirurgia. Näyte 3/4.""",
}
