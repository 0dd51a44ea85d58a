const MIME = { csv: "text/csv;charset=utf-8", json: "application/json" } as const;

/** Have the browser keep a text as a file. */
export function download(text: string, name: string, format: keyof typeof MIME): void {
  const url = URL.createObjectURL(new Blob([text], { type: MIME[format] }));
  downloadFrom(url, `${name}.${format}`);
  // Some browsers begin to read only after the click was handled.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Have the browser keep what an address gives; without a name as the server names it. The page is not left. */
export function downloadFrom(url: string, name = ""): void {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
}

/** A name for a file out of any text: letters, digits and hyphens, at most 60. */
export function fileName(text: string): string {
  const plain = text
    .normalize("NFKD")
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .replace(/^-+|-+$/g, "");
  return plain.slice(0, 60).replace(/-+$/, "") || "histoseek";
}
