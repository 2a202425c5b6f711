import { expect, test } from "vitest";
import { memoryError, SelfsightError } from "../src/errors.ts";
import { empty } from "../src/torch/ops.ts";

const flags = ["--task", "--batch-size", "--image-size", "--width", "--seed"];

test.each([
  [
    "aten::rand: out of memory: 4000 bytes more were asked for. A smaller batch or image needs less.\n  schema: aten::rand",
    flags,
    "There is not enough memory: aten::rand: out of memory: 4000 bytes more were asked for. Give smaller values of " +
      "--batch-size, --image-size, --width, or smaller sizes among the task's own options; or close other programs, and try again.",
  ],
  [
    "CUDA out of memory. Tried to allocate 2 GiB.",
    ["--batch-size"],
    "There is not enough memory: CUDA out of memory. Tried to allocate 2 GiB. Give smaller values of --batch-size; " +
      "or close other programs, and try again.",
  ],
  [
    "Array buffer allocation failed",
    [],
    "There is not enough memory: Array buffer allocation failed. Close other programs, and try again.",
  ],
])("%s", (message, given, expected) => {
  const error = memoryError(new RangeError(message), given);
  expect(error).toBeInstanceOf(SelfsightError);
  expect([error?.message, error?.exitCode]).toEqual([expected, 1]);
});

test("what libtorch says is recognised; other errors are defects", () => {
  let thrown: unknown;
  try {
    empty([1e15]);
  } catch (error) {
    thrown = error;
  }
  expect(memoryError(thrown, flags)?.message).toMatch(/^There is not enough memory: .*\. Give smaller/);
  expect(memoryError(new Error("aten::add: expected a tensor"))).toBeUndefined();
  expect(memoryError("out of memory")).toBeUndefined();
});
