/** Go to the search field. */
export function focusSearch(): void {
  const field = document.querySelector<HTMLInputElement>(".header-search [data-search-field]");
  field?.select();
  field?.focus();
}
