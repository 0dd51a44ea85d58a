/** Values by key, for a while: the ones that were used last, and none that is old. */
export class RecentCache<Value> {
  readonly #values = new Map<string, { readonly value: Value; readonly since: number }>();

  /** now: the time in ms. */
  constructor(
    private readonly most: number,
    private readonly freshMs: number,
    private readonly now: () => number = Date.now,
  ) {}

  /** The value of a key, undefined when there is none, or only an old one. */
  get(key: string): Value | undefined {
    const kept = this.#values.get(key);
    this.#values.delete(key);
    if (!kept || this.now() - kept.since > this.freshMs) return undefined;
    this.#values.set(key, kept);
    return kept.value;
  }

  /** Keep a value; where there are too many, the one that was used longest ago goes. */
  put(key: string, value: Value): void {
    this.#values.delete(key);
    this.#values.set(key, { value, since: this.now() });
    for (const oldest of [...this.#values.keys()].slice(0, -this.most)) this.#values.delete(oldest);
  }
}
