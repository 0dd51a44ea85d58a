/** Items in their order, in groups whose sizes add up to `most` at the utmost; one that is larger is alone. */
export function splitIntoChunks<Item>(items: readonly Item[], sizeOf: (item: Item) => number, most: number): Item[][] {
  const chunks: Item[][] = [];
  let room = 0;
  for (const item of items) {
    const size = sizeOf(item);
    const last = chunks.at(-1);
    if (last && size <= room) {
      last.push(item);
      room -= size;
    } else {
      chunks.push([item]);
      room = most - size;
    }
  }
  return chunks;
}
