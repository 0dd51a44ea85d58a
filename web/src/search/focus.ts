/** Go to the search field; where a slide was chosen there is none, but the tabs of the modes. */
export function focusSearch(): void {
  const search = document.querySelector(".header-search");
  const field = search?.querySelector<HTMLInputElement | HTMLTextAreaElement>("[data-search-field]");
  if (field) field.select();
  (field ?? search?.querySelector<HTMLElement>("[role=tab][aria-selected=true]"))?.focus();
}
