import { afterAll, beforeAll, expect } from "vitest";
import { memory } from "../src/torch/scope.ts";

/** Checks that the calling test file ends with as many live tensors as it began with. */
export function expectNoLeak(): void {
  let before = 0;
  beforeAll(() => {
    before = memory().tensors;
  });
  afterAll(() => {
    expect(memory().tensors, "live tensors at the end of the file").toBe(before);
  });
}
