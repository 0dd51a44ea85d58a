/**
 * Where a key leads from place `at` in a list of `count`, without going round its ends; null for other keys. columns: of
 * a grid, where the arrows to the sides lead to the next and up and down by a row.
 */
export function placeAfterKey(key: string, at: number, count: number, columns = 1): number | null {
  const last = Math.max(0, count - 1);
  const by = (steps: number): number => Math.min(last, Math.max(0, at < 0 ? 0 : at + steps));
  switch (key) {
    case "ArrowDown":
      return by(columns);
    case "ArrowUp":
      return by(-columns);
    case "ArrowRight":
      return columns > 1 ? by(1) : null;
    case "ArrowLeft":
      return columns > 1 ? by(-1) : null;
    case "Home":
      return 0;
    case "End":
      return last;
    default:
      return null;
  }
}
