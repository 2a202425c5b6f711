import { describe, expect, test } from "vitest";
import { z } from "zod";
import { evaluateOptions } from "../src/evaluate/options.ts";
import { previewOptions } from "../src/inspect/preview.ts";
import { expectation, OptionsError, parseOptions } from "../src/options.ts";
import { pretrainOptions } from "../src/run/options.ts";
import { tasks } from "../src/tasks/index.ts";

const schema = z.strictObject({
  epochs: z.number().positive().optional(),
  count: z.int().min(1).max(256).default(16),
  size: z.int().positive(),
  part: z.number().gt(0).max(1).optional(),
  labels: z.array(z.union([z.int().min(2), z.literal("all")])).default([5]),
  names: z.array(z.string()).min(1).optional(),
  kind: z.enum(["auto", "f32", "bf16"]).default("auto"),
  angles: z.literal([2, 4, 8]).default(4),
  flip: z.boolean().optional(),
  more: z.record(z.string(), z.record(z.string(), z.unknown())).default({}),
  even: z
    .int()
    .refine((value) => value % 2 === 0, "expected an even number")
    .optional(),
});

const complaintOf = (given: object) => {
  try {
    return parseOptions(schema, { size: 1, ...given });
  } catch (error) {
    expect(error).toBeInstanceOf(OptionsError);
    return (error as Error).message;
  }
};

describe("a wrong option is named, with what was expected and what was given", () => {
  test.each([
    [{ epochs: "many" }, 'option epochs: expected a number above 0; got "many"'],
    [{ epochs: Number.NaN }, "option epochs: expected a number above 0; got NaN"],
    [{ epochs: Number.POSITIVE_INFINITY }, "option epochs: expected a number above 0; got Infinity"],
    [{ epochs: null }, "option epochs: expected a number above 0; got null"],
    [{ count: 0 }, "option count: expected a whole number from 1 to 256; got 0"],
    [{ count: 2.5 }, "option count: expected a whole number from 1 to 256; got 2.5"],
    [{ size: undefined }, "option size: expected a whole number from 1; got nothing"],
    [{ size: -3 }, "option size: expected a whole number from 1; got -3"],
    [{ part: 2 }, "option part: expected a number above 0, up to 1; got 2"],
    [{ labels: [5, 1] }, "option labels: expected whole numbers from 2, or all; got 5, 1"],
    [{ labels: [1, "x"] }, "option labels: expected whole numbers from 2, or all; got 1, x"],
    [{ labels: 5 }, "option labels: expected whole numbers from 2, or all; got 5"],
    [{ names: [] }, "option names: expected names; got nothing"],
    [{ kind: "fp16" }, 'option kind: expected auto, f32 or bf16; got "fp16"'],
    [{ angles: 3 }, "option angles: expected 2, 4 or 8; got 3"],
    [{ flip: "maybe" }, 'option flip: expected true or false; got "maybe"'],
    [{ more: { linear: 3 } }, "option more.linear: expected a JSON object; got 3"],
    [{ even: 3 }, "option even: expected an even number"],
    [{ epoch: 3 }, /^unknown option "epoch". Did you mean "epochs"\? There are: epochs, /],
    [{ count: 0, part: 0 }, /^option count: .*\noption part: .*got 0$/],
    [{ kind: "x".repeat(500) }, /got "x{79}…$/],
  ])("%j", (given, message) => {
    if (typeof message === "string") expect(complaintOf(given)).toBe(message);
    else expect(complaintOf(given)).toMatch(message);
  });

  test("also if the options are not an object at all", () => {
    for (const given of [null, 3, "text"])
      expect(() => parseOptions(schema, given as unknown as object)).toThrow("expected options by name; got");
  });
});

test("every option can say what it expects", () => {
  const schemas: z.ZodObject[] = [pretrainOptions, previewOptions, evaluateOptions];
  for (const { options } of Object.values(tasks)) schemas.push(options);
  for (const { shape } of schemas)
    for (const [name, type] of Object.entries(shape))
      expect([name, expectation(type)]).toEqual([name, expect.stringMatching(/\w/)]);
});
