/** Checks what a study's file, or a program, asks for. */
import type { z } from "zod";
import { UsageError, unknownName } from "../../errors.ts";
import { chooseVariants } from "../../evaluate/evaluate.ts";
import { protocolEntry } from "../../evaluate/index.ts";
import { modelEntry } from "../../models/index.ts";
import { OptionsError, parseOptions } from "../../options.ts";
import { pretrainOptions } from "../../run/options.ts";
import { refuseContradictions } from "../../run/resolve.ts";
import { taskEntry } from "../../tasks/index.ts";
import { type GridOptions, gridOptions, type StudyConfig, studyOptions } from "./options.ts";

type Path = readonly (string | number)[];

/** Where a key or value stands, as the beginning of a message: "study.yaml, line 3, column 8: ". */
export type Locate = (path: Path, what?: "key" | "value") => string;

/** For options that do not come from a file. */
export const nowhere: Locate = () => "";

/** Factors: the name of one value, and of a list. */
const PAIRS = [
  ["task", "tasks"],
  ["model", "models"],
  ["width", "widths"],
  ["stem", "stems"],
  ["imageSize", "imageSizes"],
  ["seed", "seeds"],
] as const;

/** @throws UsageError for unknown keys, tasks, models, protocols and their options, and for wrong values */
export function parseStudy(
  given: object,
  locate: Locate = nowhere,
): Omit<StudyConfig, "out"> & { out?: string | undefined } {
  const config = parseMap(studyOptions, given, [], locate);
  checkGrid(config, [], locate);
  const { protocol, protocolOptions } = config;
  for (const name of protocol) located(locate(["protocol"]), () => protocolEntry(name));
  located(locate(["protocolOptions"]), () => chooseVariants({ protocol, protocolOptions }));
  refuseClashes(config, locate);
  const entries = (key: "include" | "exclude") =>
    config[key].map((entry, i) => {
      const parsed = parseMap(gridOptions, entry, [key, i], locate);
      checkGrid(parsed, [key, i], locate);
      return parsed;
    });
  return { ...config, include: entries("include"), exclude: entries("exclude") };
}

/** Settings of all cells that contradict each other. */
const CLASHES = [
  ["epochs", "minutes"],
  ["deterministic", "minutes"],
  ["minArea", "crop"],
] as const;

/** @throws UsageError as `refuseContradictions`, at the first setting of the two */
function refuseClashes(config: z.output<typeof studyOptions>, locate: Locate): void {
  for (const [one, other] of CLASHES) {
    const given = { images: config.images, [one]: config[one], [other]: config[other] };
    located(locate([one], "key"), () => refuseContradictions(parseOptions(pretrainOptions, given)));
  }
}

/** Like `parseOptions`, with the place of what is wrong. */
function parseMap<Schema extends z.ZodObject>(schema: Schema, given: object, at: Path, locate: Locate) {
  const known = Object.keys(schema.shape);
  for (const key of Object.keys(given))
    if (!known.includes(key)) located(locate([...at, key], "key"), () => refuseUnknown("key", key, known));
  for (const [one, many] of PAIRS) {
    const value = (given as Readonly<Record<string, unknown>>)[one];
    if (!Array.isArray(value)) continue;
    throw new UsageError(
      `${locate([...at, one], "key")}${one}: expected one value; got a list. A list is called ${many}.`,
    );
  }
  try {
    return parseOptions(schema, given);
  } catch (error) {
    if (!(error instanceof OptionsError)) throw error;
    throw new UsageError(error.describe((path) => locate([...at, ...path]) + path.join(".")));
  }
}

/** @throws UsageError for a factor given twice, unknown tasks and models, and options that a task does not have or take */
function checkGrid(grid: GridOptions, at: Path, locate: Locate): void {
  for (const [one, many] of PAIRS) {
    if (grid[one] === undefined || grid[many] === undefined) continue;
    throw new UsageError(`${locate([...at, many], "key")}Give either ${one} or ${many}, not both.`);
  }
  const each = (one: "task" | "model", many: "tasks" | "models", check: (name: string) => unknown) => {
    const single = grid[one];
    if (single !== undefined) located(locate([...at, one]), () => check(single));
    for (const [i, name] of (grid[many] ?? []).entries()) located(locate([...at, many, i]), () => check(name));
  };
  each("task", "tasks", taskEntry);
  each("model", "models", modelEntry);
  for (const [task, options] of Object.entries(grid.options ?? {})) {
    const own = [...at, "options", task];
    const { options: schema } = located(locate(own, "key"), () => taskEntry(task));
    const known = Object.keys(schema.shape);
    for (const [name, values] of Object.entries(options)) {
      if (!known.includes(name))
        located(locate([...own, name], "key"), () => refuseUnknown(`option of ${task}`, name, known));
      const list = Array.isArray(values) ? values : [values];
      if (!list.length)
        throw new UsageError(`${locate([...own, name])}${name}: expected one value or more; got nothing`);
      for (const [i, value] of list.entries()) {
        const place = Array.isArray(values) ? [...own, name, i] : [...own, name];
        located(locate(place), () => parseOptions(schema, { [name]: value }, `option of ${task}`));
      }
    }
  }
}

function refuseUnknown(kind: string, name: string, known: readonly string[]): never {
  throw unknownName(kind, name, known);
}

/** Puts the place before the message of an error. */
function located<Result>(place: string, body: () => Result): Result {
  try {
    return body();
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(place + error.message, { cause: error });
    throw error;
  }
}
