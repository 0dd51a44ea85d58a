/** What the field offers while it is typed in: the archive's own values and names, or the last questions. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { typing } from "../api/endpoints";
import type { Completion } from "../api/types";
import { archiveName } from "../state/archives";
import { route } from "../state/navigation";
import { type PastSearch, pastSearches } from "../state/search-history";
import { changeDraft, chooseImage, draft, openSlide, submitDraft } from "./query-form";
import { withFilter } from "./readings";

/** A line of the list: a completion, or a question that was asked before. */
export type Offer =
  | { readonly kind: "completion"; readonly completion: Completion }
  | { readonly kind: "past"; readonly search: PastSearch };

export const offers = signal<readonly Offer[]>([]);

const WAIT_MS = 120;
const MOST = 6;
const LONGEST = 200;

/** Keep the offers up with what is typed while the field is open. */
export function useOffers(text: string, open: boolean): void {
  const archive = archiveName.value;
  useEffect(() => {
    if (!open || !archive) return undefined;
    if (!text.trim()) {
      offers.value = pastSearches
        .peek()
        .slice(0, MOST)
        .map((search) => ({ kind: "past", search }));
      return undefined;
    }
    const giveUp = new AbortController();
    const timer = setTimeout(() => void look(archive, text, giveUp.signal), WAIT_MS);
    return () => {
      clearTimeout(timer);
      giveUp.abort();
    };
  }, [archive, text, open]);
}

async function look(archive: string, text: string, giveUp: AbortSignal): Promise<void> {
  try {
    // Pasted texts are no beginnings of anything.
    const items = text.length > LONGEST ? [] : (await typing.complete(archive, text, giveUp)).items;
    offers.value = items.map((completion) => ({ kind: "completion", completion }));
  } catch {
    // Completions are a help: without them the field takes any text.
    if (!giveUp.aborted) offers.value = [];
  }
}

/** Follow an offer: its filter, its slide, or the question that was asked before. */
export function takeOffer(offer: Offer): void {
  if (offer.kind === "past") {
    location.hash = offer.search.href;
    return;
  }
  const { completion } = offer;
  const rest = [...draft.peek().text].slice(0, completion.start).join("").trim();
  changeDraft({ text: rest });
  if (completion.kind !== "slide" || !completion.slide_id) {
    void submitDraft(withFilter(route.peek().filters, completion.filter));
  } else if (rest) {
    chooseImage({ kind: "slide", slide: { slide_id: completion.slide_id } });
  } else {
    openSlide(completion.slide_id);
  }
}
