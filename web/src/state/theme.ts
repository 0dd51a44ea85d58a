/** Light or dark: as the system has it, unless it was switched. */
import { computed, effect, signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";

const KEY = "histoseek.theme";
const THEMES: readonly Theme[] = ["system", "light", "dark"];
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

const system = signal(systemIsDark.matches);
systemIsDark.addEventListener("change", (event) => {
  system.value = event.matches;
});

export const theme = signal<Theme>(THEMES.find((known) => known === localStorage.getItem(KEY)) ?? "system");

/** Whether the page is dark now. */
export const isDark = computed(() => (theme.value === "system" ? system.value : theme.value === "dark"));

effect(() => {
  document.documentElement.dataset.theme = isDark.value ? "dark" : "light";
  localStorage.setItem(KEY, theme.value);
});

/** The next of system, light, dark. */
export function switchTheme(): void {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? "system";
}
