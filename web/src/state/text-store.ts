/** Report texts that were pasted, kept in this tab only and until it is closed. */
import type { TextStore } from "./query-parameters";
import { forgetKept, OURS } from "./tab-storage";

const PREFIX = `${OURS}text.`;

type Kept = Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">;

/**
 * A store in `storage`; equal texts have equal keys, so that an address stays what it is. A full storage forgets the
 * texts before.
 */
export function textStoreIn(storage: Kept): TextStore {
  const keys = new Map<string, string>();
  return {
    keep(text) {
      const key = keys.get(text) ?? digest(text);
      if (!keys.has(text)) write(storage, key, text);
      keys.set(text, key);
      return key;
    },
    recall: (key) => storage.getItem(PREFIX + key),
  };
}

function write(storage: Kept, key: string, text: string): void {
  try {
    storage.setItem(PREFIX + key, text);
  } catch {
    forgetKept(storage, PREFIX);
    storage.setItem(PREFIX + key, text);
  }
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
