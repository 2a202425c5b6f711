import { expect, it } from "vitest";
import { curve } from "../../src/report/run.ts";

const steps = (count: number) => Array.from({ length: count }, (_, i) => ({ images: 64 * (i + 1), loss: i % 2 }));

it("averages neighbouring steps, so that no point is a single step", () => {
  const points = curve(steps(1177), "loss");
  expect(points).toHaveLength(100);
  expect(points.at(-1)?.[0]).toBe(64 * 1177);
  for (const [, mean] of points) expect(Math.abs(mean - 0.5)).toBeLessThan(0.1);
});

it("shows short runs step by step, and nothing without steps", () => {
  expect(curve(steps(3), "loss")).toEqual([
    [64, 0],
    [128, 1],
    [192, 0],
  ]);
  expect(curve([], "loss")).toEqual([]);
});
