/** How the list of slides is shown: in what order, as pictures or as a table, and with which columns. */
import { computed, signal } from "@preact/signals";
import type { ArchiveInfo } from "../api/types";
import { archive, archiveName } from "../state/archives";
import { route, show } from "../state/navigation";

export interface Order {
  readonly sort: string;
  readonly descending: boolean;
}

const NEWEST: Order = { sort: "created", descending: true };
const USUAL_COLUMNS = ["diagnosis", "organ", "stain", "patient_id", "created"];
const MEASURES = ["created", "updated", "tile_count"];
const NOT_SHOWN = new Set(["slide_id", "report", "width", "height", "spacing_um_per_px", ...MEASURES]);
const KEY = "histoseek.columns.";

/** The order of the address; newest first as usual. */
export const order = computed<Order>(() => {
  const { sort, order: direction } = route.value.shown;
  return sort ? { sort, descending: direction === "down" } : NEWEST;
});

export const isTable = computed(() => route.value.shown.as === "table");

/** Sort by a column, from its start; by the column that it is sorted by already, the other way round. */
export function sortBy(sort: string): void {
  const now = order.peek();
  setOrder({ sort, descending: now.sort === sort ? !now.descending : MEASURES.includes(sort) });
}

export function setOrder({ sort, descending }: Order): void {
  const isUsual = sort === NEWEST.sort && descending === NEWEST.descending;
  show("sort", isUsual ? null : sort);
  show("order", isUsual || !descending ? null : "down");
}

/** The columns that a table can have, beside the title. */
export function columnsOf({ fields }: Pick<ArchiveInfo, "fields">): string[] {
  return [...fields.map(({ name }) => name).filter((name) => !NOT_SHOWN.has(name)), ...MEASURES];
}

/** What slides can be sorted by. */
export function sortableOf(info: Pick<ArchiveInfo, "fields">): string[] {
  return ["title", ...columnsOf(info)];
}

/** Columns that were chosen, by archive. */
const chosen = signal<Readonly<Record<string, readonly string[]>>>({});

/** The columns of the table; those that were chosen are remembered by the browser. */
export const shownColumns = computed<readonly string[]>(() => {
  const info = archive.value;
  if (!info) return [];
  const known = columnsOf(info);
  const wanted = chosen.value[info.name] ?? stored(info.name) ?? USUAL_COLUMNS;
  return known.filter((name) => wanted.includes(name));
});

export function toggleColumn(name: string): void {
  const now = shownColumns.peek();
  const next = now.includes(name) ? now.filter((other) => other !== name) : [...now, name];
  chosen.value = { ...chosen.peek(), [archiveName.peek()]: next };
  localStorage.setItem(KEY + archiveName.peek(), next.join(" "));
}

function stored(archiveOf: string): readonly string[] | null {
  return localStorage.getItem(KEY + archiveOf)?.split(" ") ?? null;
}
