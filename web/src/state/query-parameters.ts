/**
 * A query as parameters of an address, and back.
 *
 * Pasted report texts are long and may tell of a patient: they stay in the tab, and the address only has their key.
 */
import type { Box, ImageQuery, Query, SlideRef } from "../api/types";

/** Where texts are kept that do not go into an address. */
export interface TextStore {
  keep(text: string): string;
  recall(key: string): string | null;
}

/** Write a query; `ask` names its kind, `image` that of a composed query's image. */
export function writeQuery(query: Query, to: URLSearchParams, texts: TextStore): void {
  to.set("ask", query.kind);
  switch (query.kind) {
    case "text":
      writeWords(query, to);
      writeGiven(to, "patient", query.patient_id);
      break;
    case "report":
      if (query.text) to.set("pasted", texts.keep(query.text));
      writeGiven(to, "slide", query.slide_id);
      writeGiven(to, "patient", query.patient_id);
      break;
    case "composed":
      to.set("image", query.image.kind);
      writeImage(query.image, to);
      writeWords(query, to);
      if (query.weight !== undefined) to.set("weight", String(query.weight));
      break;
    default:
      writeImage(query, to);
  }
}

/** Read a query; null when there is none, it is not complete, or its text is no longer kept. */
export function readQuery(from: URLSearchParams, texts: TextStore): Query | null {
  const kind = from.get("ask");
  const text = read(from, "text");
  if (kind === "text") return text ? { kind, text, ...withoutOf(from), ...patientOf(from) } : null;
  if (kind === "report") return readReport(from, texts);
  if (kind !== "composed") return readImage(kind, from);
  const image = readImage(from.get("image"), from);
  const words = { ...(text ? { text } : {}), ...withoutOf(from) };
  return image && Object.keys(words).length ? { kind, image, ...words, ...weightOf(from) } : null;
}

/** Whether the text of a report is no longer kept that was asked with. */
export function hasLostText(from: URLSearchParams, texts: TextStore): boolean {
  const key = from.get("pasted");
  return key !== null && texts.recall(key) === null;
}

function readReport(from: URLSearchParams, texts: TextStore): Query | null {
  const slide = read(from, "slide");
  if (slide) return { kind: "report", slide_id: slide };
  const text = texts.recall(from.get("pasted") ?? "");
  return text ? { kind: "report", text, ...patientOf(from) } : null;
}

function writeImage(query: ImageQuery, to: URLSearchParams): void {
  switch (query.kind) {
    case "picture":
      to.set("upload", query.upload_id);
      to.set("spacing", String(query.spacing_um_per_px));
      writeGiven(to, "patient", query.patient_id);
      break;
    case "case":
      writeGiven(to, "case", query.case_id);
      for (const slide of query.slides ?? []) writeSlide(slide, to);
      break;
    case "region":
      writeSlide(query.slide, to);
      for (const box of query.regions) to.append("box", [box.x, box.y, box.width, box.height].join(","));
      if (query.unit === "um") to.set("unit", "um");
      break;
    default:
      writeSlide(query.slide, to);
  }
}

function readImage(kind: string | null, from: URLSearchParams): ImageQuery | null {
  if (kind === "picture") return readPicture(from);
  if (kind === "case") return readCase(from);
  const slide = slidesOf(from)[0];
  if (!slide) return null;
  if (kind === "slide") return { kind, slide };
  const regions = from
    .getAll("box")
    .map(boxOf)
    .filter((box) => box !== null);
  if (kind !== "region" || !regions.length) return null;
  return from.get("unit") === "um" ? { kind, slide, regions, unit: "um" } : { kind, slide, regions };
}

function readPicture(from: URLSearchParams): ImageQuery | null {
  const upload = read(from, "upload");
  const spacing = Number(from.get("spacing"));
  return upload && spacing > 0
    ? { kind: "picture", upload_id: upload, spacing_um_per_px: spacing, ...patientOf(from) }
    : null;
}

function readCase(from: URLSearchParams): ImageQuery | null {
  const caseId = read(from, "case");
  if (caseId) return { kind: "case", case_id: caseId };
  const slides = slidesOf(from);
  return slides.length ? { kind: "case", slides } : null;
}

function writeSlide(slide: SlideRef, to: URLSearchParams): void {
  if (slide.slide_id) to.append("slide", slide.slide_id);
  if (slide.upload_id) to.append("upload", slide.upload_id);
  writeGiven(to, "patient", slide.patient_id);
}

function slidesOf(from: URLSearchParams): SlideRef[] {
  const archived = from.getAll("slide").filter(Boolean);
  const uploaded = from.getAll("upload").filter(Boolean);
  return [
    ...archived.map((id) => ({ slide_id: id })),
    ...uploaded.map((id) => ({ upload_id: id, ...patientOf(from) })),
  ];
}

function boxOf(written: string): Box | null {
  const [x, y, width, height] = written.split(",").map((part) => (/^\d+$/.test(part) ? Number(part) : Number.NaN));
  if (x === undefined || y === undefined || width === undefined || height === undefined) return null;
  return Number.isNaN(x + y) || !(width > 0 && height > 0) ? null : { x, y, width, height };
}

function writeWords(words: { text?: string | null; without?: string | null }, to: URLSearchParams): void {
  writeGiven(to, "text", words.text);
  writeGiven(to, "without", words.without);
}

function writeGiven(to: URLSearchParams, name: string, value: string | null | undefined): void {
  if (value) to.set(name, value);
}

function read(from: URLSearchParams, name: string): string | null {
  return from.get(name)?.trim() || null;
}

function withoutOf(from: URLSearchParams): { without?: string } {
  const without = read(from, "without");
  return without ? { without } : {};
}

function patientOf(from: URLSearchParams): { patient_id?: string } {
  const patient = read(from, "patient");
  return patient ? { patient_id: patient } : {};
}

function weightOf(from: URLSearchParams): { weight?: number } {
  const weight = Number.parseFloat(from.get("weight") ?? "");
  return weight >= 0 && weight <= 1 ? { weight } : {};
}
