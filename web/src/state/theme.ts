/** Light or dark: as the system has it, unless it was switched. */
import { computed, effect, signal } from "@preact/signals";

type Theme = "light" | "dark";

const KEY = "histoseek.theme";
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

const system = signal<Theme>(themeOf(systemIsDark));
systemIsDark.addEventListener("change", (event) => {
  system.value = themeOf(event);
});

/** What it was switched to; null: it follows the system. */
const switched = signal<Theme | null>(stored());

export const theme = computed<Theme>(() => switched.value ?? system.value);

/** Whether the page is dark now. */
export const isDark = computed(() => theme.value === "dark");

effect(() => {
  document.documentElement.dataset.theme = theme.value;
});

/** Change from light to dark or back; where that is as the system has it, follow the system again. */
export function switchTheme(): void {
  const wanted: Theme = isDark.value ? "light" : "dark";
  switched.value = wanted === system.value ? null : wanted;
  if (switched.value) localStorage.setItem(KEY, switched.value);
  else localStorage.removeItem(KEY);
}

function themeOf({ matches }: { matches: boolean }): Theme {
  return matches ? "dark" : "light";
}

function stored(): Theme | null {
  const value = localStorage.getItem(KEY);
  return value === "light" || value === "dark" ? value : null;
}
