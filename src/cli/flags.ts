/** Flags and help derived from the options' schemas, so that nothing is declared twice. */
import { type Command, Option } from "commander";
import { z } from "zod";
import { UsageError } from "../errors.ts";

type Shape = Readonly<Record<string, z.ZodType>>;

/** Adds `--kebab-case` flags for the schema's options, but for those in `except`. */
export function addFlags(command: Command, schema: z.ZodObject, except: readonly string[] = []): Command {
  for (const [name, type] of Object.entries(schema.shape as Shape)) {
    if (except.includes(name)) continue;
    const { inner, fallback } = unwrap(type);
    const flag = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const help = [type.description ?? inner.description, fallback === undefined ? "" : `(default: ${show(fallback)})`]
      .filter(Boolean)
      .join(" ");
    if (inner instanceof z.ZodBoolean) {
      if (fallback !== true) command.addOption(new Option(`--${flag}`, help));
      if (fallback !== false) command.addOption(new Option(`--no-${flag}`, fallback === true ? help : undefined));
    } else
      command.addOption(
        new Option(`--${flag} <${placeholder(inner)}>`, help).argParser((text) => parseValue(text, inner)),
      );
  }
  return command;
}

/** `key=value` words to an object; values as in JSON where they are, text otherwise. */
export function parsePairs(words: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    words.map((word) => {
      const [, key, value] = /^([\w.-]+)=(.*)$/s.exec(word) ?? [];
      if (key === undefined || value === undefined) throw new UsageError(`Expected key=value, got "${word}".`);
      return [key, parseLoose(value)];
    }),
  );
}

function parseValue(text: string, type: z.ZodType): unknown {
  if (type instanceof z.ZodArray)
    return text.split(",").map((part) => parseValue(part.trim(), type.element as z.ZodType));
  return type instanceof z.ZodString || type instanceof z.ZodEnum ? text : parseLoose(text);
}

function parseLoose(text: string): unknown {
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

function placeholder(type: z.ZodType): string {
  if (type instanceof z.ZodEnum) return type.options.join("|");
  if (type instanceof z.ZodArray) return "a,b,…";
  return type instanceof z.ZodNumber ? "number" : type instanceof z.ZodString ? "text" : "value";
}

function show(value: unknown): string {
  return Array.isArray(value)
    ? value.map(show).join(",")
    : typeof value === "object"
      ? JSON.stringify(value)
      : String(value);
}
