/** Normal numbers from the streams of src/random.ts (Box & Muller, Annals of Mathematical Statistics 1958). */
import { type randomAt, uniform } from "../src/random.ts";

export type Random = ReturnType<typeof randomAt>;

export function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - uniform(random, 0, 1))) * Math.cos(uniform(random, 0, 2 * Math.PI));
}
