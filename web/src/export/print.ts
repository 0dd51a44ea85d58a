/** Print the page with its pictures: those that were not scrolled to have not been loaded yet. */
export async function printPage(): Promise<void> {
  const pictures = [...document.querySelectorAll<HTMLImageElement>("main img")];
  for (const picture of pictures) picture.loading = "eager";
  // A picture that can't be shown is no reason not to print.
  await Promise.allSettled(pictures.map((picture) => picture.decode()));
  window.print();
}
