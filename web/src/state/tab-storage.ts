/** What a tab keeps until it is closed, or somebody else uses it: all of it under names that begin alike. */

/** With what each name begins. */
export const OURS = "histoseek.";

/** A list that was kept under a name; none where there is none. */
export function recallList<Item>(name: string): readonly Item[] {
  try {
    const value: unknown = JSON.parse(sessionStorage.getItem(name) ?? "[]");
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}

/** Keep a list under a name. */
export function keepList(name: string, list: readonly unknown[]): void {
  try {
    sessionStorage.setItem(name, JSON.stringify(list));
  } catch {
    // The storage is full: it is known until the page is loaded anew.
  }
}

/** Forget what is kept under names that begin so. */
export function forgetKept(storage: Pick<Storage, "removeItem" | "key" | "length">, prefix: string): void {
  const names = Array.from({ length: storage.length }, (_, at) => storage.key(at) ?? "");
  for (const name of names.filter((one) => one.startsWith(prefix))) storage.removeItem(name);
}
