/** Short messages that appear at the edge, and are read out by screen readers. */
import { signal } from "@preact/signals";
import { asApiError } from "../api/error";

export interface Toast {
  readonly id: number;
  readonly kind: "info" | "error";
  readonly text: string;
  readonly action: ToastAction | null;
}

/** Something that can be done about a message, such as to undo what it tells. */
export interface ToastAction {
  readonly label: string;
  readonly run: () => void;
}

const STAY_MS = 6000;
const STAY_WITH_ACTION_MS = 15_000;

export const toasts = signal<readonly Toast[]>([]);
/** What screen readers are told although it is on the page already, such as the number of results. */
export const announcement = signal("");

let last = 0;

/** Show a message, in the place of an equal one; errors stay until they are closed. */
export function toast(text: string, kind: Toast["kind"] = "info", action: ToastAction | null = null): void {
  last += 1;
  const id = last;
  const others = toasts.value.filter((one) => one.text !== text || one.action);
  toasts.value = [...others, { id, kind, text, action }];
  if (kind === "info") setTimeout(() => dismiss(id), action ? STAY_WITH_ACTION_MS : STAY_MS);
}

/** What the server answers; null, with a toast, where it refuses. */
export async function orToast<Answer>(ask: () => Promise<Answer>): Promise<Answer | null> {
  try {
    return await ask();
  } catch (error) {
    toast(asApiError(error).message, "error");
    return null;
  }
}

export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((one) => one.id !== id);
}

/** Close the messages that say `text`, which holds no longer. */
export function dismissText(text: string): void {
  if (toasts.value.some((one) => one.text === text)) toasts.value = toasts.value.filter((one) => one.text !== text);
}

export function announce(text: string): void {
  announcement.value = text;
}
