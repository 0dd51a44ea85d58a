/** How results are laid out, as the address says, and else as they were last time. */
import { computed } from "@preact/signals";
import { route, show } from "../state/navigation";

export type Layout = "grid" | "list";

const LAYOUT = "layout";
const GROUPED = "grouped";

export const layout = computed<Layout>(() => {
  const chosen = route.value.shown[LAYOUT] ?? localStorage.getItem(LAYOUT);
  return chosen === "list" ? "list" : "grid";
});

export const isGrouped = computed(() => route.value.shown[GROUPED] === "yes");

export function chooseLayout(chosen: Layout): void {
  localStorage.setItem(LAYOUT, chosen);
  show(LAYOUT, chosen);
}

export function toggleGroups(): void {
  show(GROUPED, isGrouped.peek() ? null : "yes");
}
