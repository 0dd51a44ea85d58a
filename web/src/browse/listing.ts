/** The slides that are listed: the first page follows the address, further ones are asked for. */
import { computed, effect, signal } from "@preact/signals";
import { slides } from "../api/endpoints";
import { type ApiError, asApiError } from "../api/error";
import type { ListRequest, Slide } from "../api/types";
import { archiveChanges, archiveName } from "../state/archives";
import { route } from "../state/navigation";
import { resource } from "../state/resource";
import { order } from "./order";

const PER_PAGE = 60;

interface Wanted {
  readonly archive: string;
  readonly changes: number;
  readonly request: ListRequest;
}

/** What is listed; it stays while other views are shown, so that the way back leads to the same place. */
const wanted = signal<Wanted | null>(null);

effect(() => {
  const { view, query, filters, settings } = route.value;
  if (view !== "results" || query || !archiveName.value) return;
  const { sort, descending } = order.value;
  const request = { filters: [...filters], where: settings.where, sort, descending };
  wanted.value = {
    archive: archiveName.value,
    changes: archiveChanges.value,
    request: { ...request, limit: PER_PAGE },
  };
});

export const firstPage = resource(
  () => wanted.value,
  ({ archive, request }, abort) => slides.list(archive, request, abort),
);

interface Further {
  readonly items: readonly Slide[];
  readonly next: string | null;
  readonly loading: boolean;
  readonly error: ApiError | null;
}

const NOTHING_YET: Further = { items: [], next: null, loading: false, error: null };

/** The pages behind the first one. */
const further = signal<Further>(NOTHING_YET);

effect(() => {
  const { value } = firstPage.state.value;
  further.value = { ...NOTHING_YET, next: value?.next ?? null };
});

export const moreState = computed(() => further.value);

/** All slides that were asked for so far, each once. */
export const listed = computed<readonly Slide[]>(() => {
  const first = firstPage.state.value.value?.items ?? [];
  return [...new Map([...first, ...further.value.items].map((slide) => [slide.slide_id, slide])).values()];
});

/** Ask for the next page. */
export async function showMore(): Promise<void> {
  const [now, asked] = [further.peek(), wanted.peek()];
  if (!asked || now.next === null || now.loading) return;
  further.value = { ...now, loading: true, error: null };
  const isCurrent = (): boolean => wanted.peek() === asked && further.peek().loading;
  try {
    const page = await slides.list(asked.archive, { ...asked.request, after: now.next });
    if (isCurrent()) further.value = { ...NOTHING_YET, items: [...now.items, ...page.items], next: page.next };
  } catch (error) {
    if (isCurrent()) further.value = { ...now, error: asApiError(error) };
  }
}
