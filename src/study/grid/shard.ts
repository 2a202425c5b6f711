/** Which part of a study a process works on. */
import { UsageError } from "../../errors.ts";

export interface Shard {
  /** From 1 to `of`. */
  part: number;
  of: number;
}

/** The shard's part of a list: every `of`-th, from the `part`-th on; all without a shard. */
export const shardPart = <Item>(all: readonly Item[], { part, of }: Shard = { part: 1, of: 1 }): Item[] =>
  all.filter((_, i) => i % of === part - 1);

/**
 * From "2/4"; without a text, from what SLURM says of an array of jobs. Undefined if there is neither: the whole study.
 * @throws UsageError for another text
 */
export function shardOf(
  text: string | undefined,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Shard | undefined {
  if (text !== undefined) {
    const [part = 0, of = 0] = /^(\d+)\/(\d+)$/.exec(text)?.slice(1).map(Number) ?? [];
    if (part >= 1 && part <= of) return { part, of };
    throw new UsageError(`--shard: expected I/N with I from 1 to N, such as 1/4; got "${text}".`);
  }
  const number = (name: string) => Number(environment[`SLURM_ARRAY_TASK_${name}`] || Number.NaN);
  const [id, of] = [number("ID"), number("COUNT")];
  if (!(id >= 0 && of >= 1)) return undefined;
  const [first, step] = [number("MIN") || 0, number("STEP") || 1]; // --array=10-16:2
  const last = number("MAX");
  if (Number.isFinite(last) && (last - first) / step + 1 !== of) return undefined; // --array=3,7: jobs share the whole by claims
  return { part: (Math.floor((id - first) / step) % of) + 1, of };
}
