import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { addFlags, commandLine, complaint, parsePairs } from "../../src/cli/flags.ts";
import { UsageError } from "../../src/errors.ts";
import { evaluateOptions } from "../../src/evaluate/options.ts";
import { OptionsError, parseOptions } from "../../src/options.ts";
import { pretrainOptions } from "../../src/run/options.ts";

/** The options that typed words give, or the error message. */
function typed(words: string[], schema: typeof pretrainOptions | typeof evaluateOptions = pretrainOptions) {
  const command = addFlags(new Command().exitOverride().configureOutput({ writeErr: () => {} }), schema, [
    "images",
    "runs",
  ]);
  try {
    const flags = command.parse(words, { from: "user" }).opts();
    return parseOptions(schema, { images: "photos", ...("runs" in schema.shape ? { runs: ["r"] } : {}), ...flags });
  } catch (error) {
    if (error instanceof OptionsError) return complaint(error);
    expect(error).toBeInstanceOf(UsageError);
    return (error as Error).message;
  }
}

describe("a complaint names the flag as it was typed", () => {
  test.each([
    [["--epochs", "many"], '--epochs: expected a number above 0; got "many"'],
    [["--epochs", "NaN"], '--epochs: expected a number above 0; got "NaN"'],
    [["--epochs", "-1"], "--epochs: expected a number above 0; got -1"],
    [["--epochs", "1e999"], "--epochs: expected a number above 0; got Infinity"],
    [["--batch-size", "0"], "--batch-size: expected a whole number from 1; got 0"],
    [["--image-size", "1.5"], "--image-size: expected a whole number from 4 to 1024; got 1.5"],
    [["--precision", "fp16"], '--precision: expected auto, f32 or bf16; got "fp16"'],
    [["--out", ""], /^--out: expected text; got nothing \(an empty word/],
    [["--epochs", " "], /^--epochs: expected a number above 0; got nothing/],
    [["--out", "--resume"], /^--out: expected text; got the flag --resume/],
  ])("%j", (words, message) => {
    if (typeof message === "string") expect(typed(words)).toBe(message);
    else expect(typed(words)).toMatch(message);
  });

  test("for lists and objects too", () => {
    expect(typed(["--labels-per-class", "0"], evaluateOptions)).toBe(
      "--labels-per-class: expected whole numbers from 1, or all, or shares from above 0% to 100%; got 0",
    );
    expect(typed(["--labels-per-class", "5,,25"], evaluateOptions)).toBe(
      '--labels-per-class: expected whole numbers from 1, or all, or shares from above 0% to 100%; got 5, "", 25',
    );
    expect(typed(["--protocol-options", "{"], evaluateOptions)).toBe(
      '--protocol-options: expected a JSON object; got "{"',
    );
    expect(typed(["--protocol-options", '{"knn":1}'], evaluateOptions)).toBe(
      "--protocol-options.knn: expected a JSON object; got 1",
    );
  });

  test("for names, which cannot lead to another folder", () => {
    for (const name of ["..", ".", "a/b"])
      expect(typed(["--name", name], evaluateOptions)).toMatch(
        /^--name: expected letters, digits, .*not dots alone; got/,
      );
    expect(typed(["--name", "v1.2"], evaluateOptions)).toMatchObject({ name: "v1.2" });
  });

  test("and a task's own options by name", () => {
    const wrong = new OptionsError("option of rotation", [{ path: ["angles"], text: "expected 2, 4 or 8; got 3" }]);
    expect(complaint(wrong)).toBe("angles (option of rotation): expected 2, 4 or 8; got 3");
    expect(complaint(new OptionsError("option", [{ path: ["images"], text: "expected text" }]))).toBe(
      "<images>: expected text",
    );
  });

  test("and images as a flag of the commands where they are one", () => {
    const nothing = new OptionsError("option", [{ path: ["images"], text: "expected text" }]);
    expect(complaint(nothing, ["--images", "--minutes"])).toBe("--images: expected text");
  });
});

describe("typed values are read as they are meant", () => {
  test.each([
    [["--precision", "fp32"], { precision: "f32" }],
    [["--precision", "float32"], { precision: "f32" }],
    [["--precision", "BFloat16"], { precision: "bf16" }],
    [["--crop", "Resized"], { crop: "resized" }],
    [["--epochs", ".5"], { epochs: 0.5 }],
    [["--epochs", "+5."], { epochs: 5 }],
    [["--learning-rate", "1e-3"], { learningRate: 0.001 }],
    [["--epochs", "3", "--epochs", "4"], { epochs: 4 }],
    [["--out", "1e3"], { out: "1e3" }],
    [["--no-flip"], { flip: false }],
  ])("%j", (words, options) => {
    expect(typed(words)).toMatchObject(options);
  });

  test("a list given twice becomes one list", () => {
    const words = ["--labels-per-class", "5,all", "--labels-per-class", "25,1%"];
    expect(typed(words, evaluateOptions)).toMatchObject({ labelsPerClass: [5, "all", 25, "1%"] });
  });

  test("key=value: numbers, JSON and text", () => {
    expect(parsePairs(["a=.5", "b=true", "c=[1,2]", "d=x=y", "e=", "f=-3"])).toEqual({
      a: 0.5,
      b: true,
      c: [1, 2],
      d: "x=y",
      e: "",
      f: -3,
    });
    expect(() => parsePairs(["photos2"])).toThrow(/Expected key=value, got "photos2"/);
  });
});

test("a command is told as it could be typed again", () => {
  const flags = {
    tasks: ["rotation", "jigsaw"],
    flip: false,
    retry: true,
    out: "my runs",
    protocolOptions: { knn: 1 },
  };
  expect(commandLine("benchmark", "a b", flags)).toBe(
    `npx selfsight benchmark 'a b' --tasks rotation,jigsaw --no-flip --retry --out 'my runs' --protocol-options '{"knn":1}'`,
  );
});
