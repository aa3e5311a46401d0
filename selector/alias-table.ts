/**
 * Draws an index in proportion to weights, in the same time however many there are.
 * (The alias method of Walker; built as in Vose, "A linear algorithm for generating random numbers with a given
 * distribution", 1991.)
 */
export class AliasTable {
  readonly #kept: Float64Array;
  readonly #alias: Int32Array;

  /** @param weights finite and above 0, at least one */
  constructor(weights: readonly number[]) {
    const count = weights.length;
    let total = 0;
    for (const weight of weights) total += weight;
    this.#kept = new Float64Array(count).fill(1);
    this.#alias = new Int32Array(count);
    const scaled = Float64Array.from(weights, (weight) => (weight * count) / total);
    const small: number[] = [];
    const large: number[] = [];
    for (let i = 0; i < count; i++) (scaled[i]! < 1 ? small : large).push(i);
    // What rounding leaves over keeps its own place.
    while (small.length > 0 && large.length > 0) {
      const less = small.pop()!;
      const more = large.at(-1)!;
      this.#kept[less] = scaled[less]!;
      this.#alias[less] = more;
      scaled[more] = scaled[more]! + scaled[less]! - 1;
      if (scaled[more]! < 1) small.push(large.pop()!);
    }
  }

  /** @param random from 0 up to but without 1 */
  draw(random: number): number {
    const at = random * this.#kept.length;
    const place = at | 0;
    // A mask instead of a branch, since a processor cannot predict chance.
    return place + ((this.#alias[place]! - place) & -Number(at - place >= this.#kept[place]!));
  }
}
