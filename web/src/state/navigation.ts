/** The route that is shown, and the ways to another one. Links (`<a href={hrefTo(...)}>`) work as they are. */
import { computed, signal } from "@preact/signals";
import type { Query } from "../api/types";
import { strings } from "../strings";
import { asksWithLostText, formatRoute, NO_MARKS, parseRoute, type Route, type View } from "./route";
import { textStoreIn } from "./text-store";
import { toast } from "./toasts";

const texts = textStoreIn(sessionStorage);

const current = signal<Route>(readAddress());

function readAddress(): Route {
  if (asksWithLostText(location.hash, texts)) toast(strings.app.lostText, "error");
  return parseRoute(location.hash, texts);
}

/** The fragment that the route is of. */
let followed = location.hash;

/** Have the route be that of the address: what is changed before the browser tells of a new address is changed of that. */
function follow(): void {
  if (location.hash === followed) return;
  followed = location.hash;
  current.value = readAddress();
}

/** The route that is shown. */
export const route = computed(() => current.value);

/** The view that is shown; changes less often than the route. */
export const view = computed<View>(() => current.value.view);

/** The address of the route that is shown, but for `change`. */
export function hrefTo(change: Partial<Route>): string {
  return formatRoute({ ...current.value, ...change }, texts);
}

/** Go elsewhere: "push" for what the back button is to undo, "replace" for what it is to pass over. */
export function go(change: Partial<Route>, how: "push" | "replace" = "push"): void {
  follow();
  const next = { ...current.value, ...change };
  const href = formatRoute(next, texts);
  if (href !== formatRoute(current.value, texts)) {
    if (how === "push") history.pushState(null, "", href);
    else history.replaceState(null, "", href);
  }
  followed = location.hash;
  current.value = next;
}

/** Where the reader is: what took a while leads nobody away who went on meanwhile. */
export function placeOfReader(): string {
  const { view, archive, query, selected, collection } = current.value;
  return JSON.stringify([view, archive, query, selected, collection]);
}

/** What of a route ends with a new question. */
export const NEW_QUESTION = { view: "results", page: 1, selected: null, marks: NO_MARKS } as const;

/** Ask something new: the first page of its results; filters stay, and settings but for how the words before were spelled. */
export function ask(query: Query): void {
  go({ ...NEW_QUESTION, query, settings: { ...current.value.settings, verbatim: false } });
}

/** Change a setting of a view that is part of the address; null takes it out. */
export function show(name: string, value: string | null, how: "push" | "replace" = "replace"): void {
  follow();
  const { [name]: _, ...others } = current.value.shown;
  go({ shown: value === null ? others : { ...others, [name]: value } }, how);
}

/** Follow the back button and links, which change nothing but the fragment; to be called once. */
export function followAddress(): void {
  addEventListener("hashchange", follow);
}
