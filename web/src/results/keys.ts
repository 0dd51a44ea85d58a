/** What a key does in the list of results. */
export type ListAction = "next" | "previous" | "first" | "last" | "open" | "collect" | "relevant" | "irrelevant";

const ACTIONS: Readonly<Record<string, ListAction>> = {
  j: "next",
  ArrowDown: "next",
  k: "previous",
  ArrowUp: "previous",
  Home: "first",
  End: "last",
  Enter: "open",
  c: "collect",
  "+": "relevant",
  "-": "irrelevant",
};

interface Key {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly altKey: boolean;
  readonly metaKey: boolean;
}

/** The action of a pressed key; null for keys that are the browser's, such as Ctrl and minus. */
export function actionOf(pressed: Key): ListAction | null {
  if (pressed.ctrlKey || pressed.altKey || pressed.metaKey) return null;
  return ACTIONS[pressed.key] ?? null;
}

/** The place that has the focus after a move, in a list of `count`. */
export function movedTo(action: ListAction, at: number, count: number): number {
  const last = Math.max(0, count - 1);
  if (action === "next") return Math.min(last, at + 1);
  if (action === "previous") return Math.max(0, at - 1);
  if (action === "first") return 0;
  return action === "last" ? last : at;
}
