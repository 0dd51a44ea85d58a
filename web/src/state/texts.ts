/** Report texts that were pasted, kept in this tab only and until it is closed. */
import type { TextStore } from "./query-parameters";

const PREFIX = "histoseek.text.";

/** A store in `storage`; equal texts have equal keys, so that an address stays what it is. */
export function textStoreIn(storage: Pick<Storage, "getItem" | "setItem">): TextStore {
  return {
    keep(text) {
      const key = digest(text);
      storage.setItem(PREFIX + key, text);
      return key;
    },
    recall: (key) => storage.getItem(PREFIX + key),
  };
}

/** FNV-1a over UTF-16 units, twice with different starts: 64 bits that tell the texts of one tab apart. */
function digest(text: string): string {
  return [0x811c9dc5, 0x9e3779b9].map((start) => fnv1a(text, start).toString(16).padStart(8, "0")).join("");
}

function fnv1a(text: string, start: number): number {
  let hash = start;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}
