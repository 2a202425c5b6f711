/** Which images hang together, directly or through others: union-find (Tarjan 1975) with paths halved. */
export class Clusters {
  private readonly above: Int32Array;

  constructor(length: number) {
    this.above = Int32Array.from({ length }, (_, i) => i);
  }

  /** The smallest member of i's cluster. */
  of(i: number): number {
    const { above } = this;
    let at = i;
    while (above[at] !== at) {
      above[at] = above[above[at] as number] as number;
      at = above[at] as number;
    }
    return at;
  }

  join(a: number, b: number): void {
    const [first, second] = [this.of(a), this.of(b)];
    this.above[Math.max(first, second)] = Math.min(first, second);
  }

  /** Joins all images with the same key, except undefined. */
  joinAlike(keyOf: (i: number) => unknown): void {
    const firsts = new Map<unknown, number>();
    for (let i = 0; i < this.above.length; i++) {
      const key = keyOf(i);
      const first = firsts.get(key);
      if (first !== undefined) this.join(first, i);
      else if (key !== undefined) firsts.set(key, i);
    }
  }
}
