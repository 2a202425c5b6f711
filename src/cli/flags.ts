/** Flags and help derived from the options' schemas, so that nothing is declared twice. */
import { type Command, Option } from "commander";
import { z } from "zod";
import { UsageError } from "../errors.ts";
import { expectation, type OptionsError } from "../options.ts";
import { pretrainOptions } from "../run/options.ts";
import { flag, shellWord, wrap } from "../setup/terminal.ts";
import { taskEntry, taskNames } from "../tasks/index.ts";

type Shape = Readonly<Record<string, z.ZodType>>;

/** Adds `--kebab-case` flags for the schema's options, except those in `except`. */
export function addFlags(command: Command, schema: z.ZodObject, except: readonly string[] = []): Command {
  for (const [name, type] of Object.entries(schema.shape as Shape)) {
    if (except.includes(name)) continue;
    const { inner, fallback } = unwrap(type);
    const on = flag(name);
    const help = helpOf(type);
    if (inner instanceof z.ZodBoolean) {
      if (fallback !== true) command.addOption(new Option(on, help));
      if (fallback !== false) command.addOption(new Option(flag(name, false), `do not ${help}`));
    } else
      command.addOption(
        new Option(`${on} <${placeholder(type)}>`, help).argParser((text, before: unknown) => {
          refuseNoValue(on, text, inner);
          const value = parseValue(text, inner);
          return Array.isArray(value) && Array.isArray(before) ? [...before, ...value] : value;
        }),
      );
  }
  return command;
}

/** The schema's options as keys of a file, with their descriptions. */
export function keyLines({ shape }: z.ZodObject): string[] {
  const names = Object.entries(shape as Shape);
  const width = Math.max(...names.map(([name]) => name.length));
  return names.flatMap(([name, type]) => {
    const [first = "", ...rest] = wrap(helpOf(type), (process.stdout.columns || 80) - width - 4);
    return [`  ${name.padEnd(width)}  ${first}`, ...rest.map((line) => " ".repeat(width + 4) + line)];
  });
}

/**
 * Makes `--help` print defaults that depend on other flags: those of the chosen task and architecture.
 * @param resolve gets the given flags and returns all options; may throw for invalid flags
 */
export function showResolved(command: Command, resolve: (flags: object) => object): void {
  const resolved = (): Readonly<Record<string, unknown>> => {
    try {
      return { ...resolve(command.opts()) };
    } catch {
      return {}; // running the command reports the error
    }
  };
  command.configureHelp({
    optionDescription(option) {
      const name = option.attributeName();
      const value = command.getOptionValueSource(name) === "cli" ? undefined : resolved()[name];
      if (option.negate || value === undefined || option.description.includes("(default:")) return option.description;
      return `${option.description} (default: ${show(value)})`;
    },
  });
}

/**
 * Describes what is wrong with options, by the words that the user typed.
 * @param flags those of the command: images and runs are flags in some, and follow the command's name in others
 */
export function complaint(error: OptionsError, flags: readonly string[] = []): string {
  const { what } = error;
  return error.describe(([name = "", ...rest]) => {
    if (what !== "option") return `${[name, ...rest].join(".")} (${what})`;
    if ((name === "images" || name === "runs") && !flags.includes(flag(name))) return `<${name}>`;
    return [flag(name), ...rest].join(".");
  });
}

/** `key=value` words to an object. Values are parsed as JSON if possible, else kept as text. */
export function parsePairs(words: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    words.map((word) => {
      const [, key, value] = /^([\w.-]+)=(.*)$/s.exec(word) ?? [];
      if (key === undefined || value === undefined)
        throw new UsageError(`Expected key=value, got "${word}". Only the task's own options follow the images.`);
      return [key, parseLoose(value)];
    }),
  );
}

/** @throws UsageError for an option that the task does not have, and others do */
export function refuseOtherTasks(
  options: object,
  { task = pretrainOptions.shape.task.parse(undefined) }: { task?: string },
): void {
  const has = (name: string, option: string) => option in taskEntry(name).options.shape;
  for (const option of Object.keys(options).filter((option) => !has(task, option))) {
    const [owner, ...others] = taskNames().filter((name) => has(name, option));
    if (owner !== undefined)
      throw new UsageError(
        `${option} is an option of ${[owner, ...others].join(", ")}, not of ${task}: use --task ${owner}.`,
      );
  }
}

/** An empty value is usually an unset shell variable. A value that looks like a flag means that the value was left out. */
function refuseNoValue(on: string, text: string, type: z.ZodType): void {
  if (text.trim() && !/^--[a-z]/.test(text)) return;
  const got = text.trim()
    ? `the flag ${text} (for a file of that name: ./${text})`
    : "nothing (an empty word; perhaps a variable of the shell is not set)";
  throw new UsageError(`${on}: expected ${expectation(type) || "a value"}; got ${got}`);
}

function parseValue(text: string, type: z.ZodType): unknown {
  if (type instanceof z.ZodArray)
    return text.split(",").map((part) => parseValue(part.trim(), type.element as z.ZodType));
  if (type instanceof z.ZodEnum) return spelling(text, type.options);
  return type instanceof z.ZodString ? text : parseLoose(text);
}

/** Other names for precisions. */
const spellings: Readonly<Record<string, string>> = {
  fp32: "f32",
  float32: "f32",
  float: "f32",
  bfloat16: "bf16",
};

/** Maps a name in capitals, or in another usual spelling, to the known name. */
function spelling(text: string, names: readonly unknown[]): string {
  const lower = text.trim().toLowerCase();
  return [lower, spellings[lower] ?? ""].find((name) => names.includes(name)) ?? text;
}

/** Numbers as people write them; other values as JSON if possible, else as text. */
export function parseLoose(text: string): unknown {
  if (/^\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*$/i.test(text)) return Number(text);
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function unwrap(type: z.ZodType): { inner: z.ZodType; fallback: unknown } {
  let inner = type;
  let fallback: unknown;
  while (inner instanceof z.ZodDefault || inner instanceof z.ZodOptional) {
    if (inner instanceof z.ZodDefault) fallback = inner.def.defaultValue;
    inner = inner.unwrap() as z.ZodType;
  }
  return { inner, fallback };
}

/** An option's description, and its default. */
function helpOf(type: z.ZodType): string {
  const { inner, fallback } = unwrap(type);
  const description = type.description ?? inner.description ?? "";
  return fallback === undefined || (Array.isArray(fallback) && !fallback.length)
    ? description
    : `${description} (default: ${show(fallback)})`;
}

function placeholder(type: z.ZodType): string {
  const said = type.meta()?.["value"];
  if (typeof said === "string") return said;
  const { inner } = unwrap(type);
  if (inner instanceof z.ZodEnum) return inner.options.join("|");
  if (inner instanceof z.ZodArray) return "a,b,…";
  return inner instanceof z.ZodNumber ? "number" : inner instanceof z.ZodString ? "text" : "value";
}

function show(value: unknown): string {
  if (typeof value === "boolean") return value ? "yes" : "no";
  return Array.isArray(value)
    ? value.map(show).join(",")
    : typeof value === "object"
      ? JSON.stringify(value)
      : String(value);
}

/** What to type to repeat a command that was given these flags. */
export function commandLine(command: string, place: string, flags: object): string {
  const words = Object.entries(flags).flatMap(([name, value]) => {
    if (typeof value === "boolean") return [flag(name, value)];
    const text = typeof value === "object" && !Array.isArray(value) ? JSON.stringify(value) : String(value);
    return [flag(name), shellWord(text)];
  });
  return [`npx selfsight ${command}`, shellWord(place), ...words].join(" ");
}
