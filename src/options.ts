/** Options checked against their schema, with errors that name the option, the range and the nearest known name. */
import type { z } from "zod";
import { nearest, UsageError } from "./errors.ts";

/**
 * The options with defaults filled in.
 * @throws UsageError naming every wrong option; an unknown one is answered by "did you mean"
 */
export function parseOptions<Schema extends z.ZodObject>(
  schema: Schema,
  given: object,
  what = "option",
): z.output<Schema> {
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const known = Object.keys(schema.shape);
  const complaints = result.error.issues.map((problem) => {
    if (problem.code !== "unrecognized_keys") return `${what} ${problem.path.join(".")}: ${problem.message}`;
    return problem.keys.map((key) => unknownKey(what, key, known)).join("\n");
  });
  throw new UsageError(complaints.join("\n"));
}

function unknownKey(what: string, key: string, known: readonly string[]): string {
  const guess = nearest(key, known);
  return `unknown ${what} "${key}". ${guess ? `Did you mean "${guess}"? ` : ""}There are: ${known.join(", ")}.`;
}
