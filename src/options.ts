/** Checks options against their schema. Errors name the option, what was expected, what was given, and the nearest known name. */
import { z } from "zod";
import { nearest, UsageError } from "./errors.ts";

/** Invalid options. The message uses the API's option names; the command line replaces them by its flags. */
export class OptionsError extends UsageError {
  override name = "OptionsError";
  /** What the message calls an option: "option", "option of rotation". */
  readonly what: string;
  private readonly problems: readonly Problem[];

  constructor(what: string, problems: readonly Problem[]) {
    super(problems.map(({ path, text }) => (path.length ? `${what} ${path.join(".")}: ${text}` : text)).join("\n"));
    this.what = what;
    this.problems = problems;
  }

  /** The message, with the caller's names for the options. */
  describe(name: (path: readonly string[]) => string): string {
    return this.problems.map(({ path, text }) => (path.length ? `${name(path)}: ${text}` : text)).join("\n");
  }
}

interface Problem {
  /** The option's name, after those of the objects that hold it. Empty when the text contains it. */
  path: readonly string[];
  text: string;
}

/**
 * The options with defaults filled in.
 * @param what what the message calls an option, e.g. "option of rotation"
 * @throws OptionsError naming every wrong option; for an unknown one it asks "did you mean"
 */
export function parseOptions<Schema extends z.ZodObject>(
  schema: Schema,
  given: object,
  what = "option",
): z.output<Schema> {
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const problems = result.error.issues.flatMap((issue): Problem[] => {
    if (issue.code === "unrecognized_keys" && !issue.path.length) {
      const known = Object.keys(schema.shape);
      return issue.keys.map((key) => ({ path: [], text: unknownKey(what, key, known) }));
    }
    const { path, type, value } = follow(issue.path.map(String), schema, given);
    if (!path.length) return [{ path, text: `expected options by name; got ${shown(value)}` }];
    const expected = issue.code === "custom" ? "" : expectation(type);
    return [{ path, text: expected ? `expected ${expected}; got ${shown(value)}` : issue.message }];
  });
  const texts = new Map(problems.map((problem) => [`${problem.path.join(".")} ${problem.text}`, problem]));
  throw new OptionsError(what, [...texts.values()]);
}

function unknownKey(what: string, key: string, known: readonly string[]): string {
  const guess = nearest(key, known);
  return `unknown ${what} "${key}". ${guess ? `Did you mean "${guess}"? ` : ""}There are: ${known.join(", ") || "none"}.`;
}

/** Follows a path to its option, into objects but not into lists: a list is reported as a whole. */
function follow(path: readonly string[], schema: z.ZodType, given: unknown) {
  let [type, value]: [z.ZodType, unknown] = [schema, given];
  const taken: string[] = [];
  for (const key of path) {
    const inner = unwrap(type);
    const next = inner instanceof z.ZodObject ? inner.shape[key] : inner instanceof z.ZodRecord && inner.valueType;
    if (!next) break;
    [type, value] = [next as z.ZodType, (value as Readonly<Record<string, unknown>> | undefined)?.[key]];
    taken.push(key);
  }
  return { path: taken, type, value };
}

function unwrap(type: z.ZodType): z.ZodType {
  let inner = type;
  while (inner instanceof z.ZodDefault || inner instanceof z.ZodOptional) inner = inner.unwrap() as z.ZodType;
  return inner;
}

/** The part of JSON Schema that our options use. */
interface Json {
  type?: string;
  anyOf?: Json[];
  enum?: unknown[];
  const?: unknown;
  items?: Json;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
}

/** What an option accepts, in words: "a whole number from 2", "auto, f32 or bf16"; empty if unknown. */
export function expectation(type: z.ZodType): string {
  return inWords(z.toJSONSchema(type, { io: "input", unrepresentable: "any" }) as Json, false);
}

function inWords(json: Json, several: boolean): string {
  if (json.anyOf)
    return json.anyOf
      .map((part) => inWords(part, several))
      .filter(Boolean)
      .join(", or ");
  if (json.const !== undefined) return String(json.const);
  if (json.enum) return listed(json.enum.map(String));
  switch (json.type) {
    case "integer":
      return (several ? "whole numbers" : "a whole number") + range(json);
    case "number":
      return (several ? "numbers" : "a number") + range(json);
    case "array":
      return inWords(json.items ?? {}, true);
    case "boolean":
      return "true or false";
    case "object":
      return several ? "JSON objects" : "a JSON object";
    case "string":
      if (json.pattern === "^(?!\\.+$)[\\w.-]+$")
        return "letters, digits, dots, dashes and underscores, not dots alone";
      if (json.pattern?.endsWith("%$")) return several ? "shares from above 0% to 100%" : "a share such as 10%";
      return json.pattern ? `text that matches ${json.pattern}` : several ? "names" : "text";
    default:
      return "";
  }
}

function range({ type, minimum, maximum, exclusiveMinimum }: Json): string {
  const limit = (bound: number | undefined) => (Math.abs(bound ?? 1 / 0) < Number.MAX_SAFE_INTEGER ? bound : undefined);
  const whole = type === "integer";
  const least = limit(minimum) ?? (whole && exclusiveMinimum !== undefined ? exclusiveMinimum + 1 : undefined);
  const most = limit(maximum);
  if (least !== undefined) return most === undefined ? ` from ${least}` : ` from ${least} to ${most}`;
  if (exclusiveMinimum !== undefined) return ` above ${exclusiveMinimum}${most === undefined ? "" : `, up to ${most}`}`;
  return most === undefined ? "" : ` up to ${most}`;
}

const listed = (names: readonly string[]) =>
  names.length < 2 ? names.join() : `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;

/** Messages show at most this many characters of a given value. */
const LONGEST = 80;

function shown(value: unknown): string {
  if (value === undefined || value === "" || (Array.isArray(value) && !value.length)) return "nothing";
  const list = Array.isArray(value) && value.every((part) => typeof part !== "object");
  const text = list
    ? value.map((part) => (part === "" ? '""' : String(part))).join(", ")
    : typeof value === "number"
      ? String(value)
      : (JSON.stringify(value) ?? String(value));
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}
