/** A cell of a table: text, a number, or nothing. */
export type Cell = string | number | null;

// A spreadsheet takes text that starts with one of these for a formula, also behind blanks; the last four are the
// full-width forms.
const FORMULA_START = /^ *[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/;
const NEEDS_QUOTES = /[",\r\n]/;
// Without it spreadsheets take the file for text of an older encoding.
const BYTE_ORDER_MARK = "\uFEFF";

/** Text that a spreadsheet shows as it is: what looks like a formula gets an apostrophe. */
export function guardFormula(text: string): string {
  return FORMULA_START.test(text) ? `'${text}` : text;
}

function cellText(cell: Cell): string {
  if (cell === null) return "";
  if (typeof cell === "number") return String(cell);
  const text = guardFormula(cell);
  return NEEDS_QUOTES.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A table as CSV (RFC 4180, UTF-8 with a byte order mark), safe to open in a spreadsheet. */
export function csvText(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const lines = [header, ...rows].map((row) => row.map(cellText).join(","));
  return `${BYTE_ORDER_MARK}${lines.join("\r\n")}\r\n`;
}
