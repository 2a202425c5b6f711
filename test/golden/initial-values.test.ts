/** Initial values: every parameter has the distribution of PyTorch's, torchvision's, timm's or the paper's code. */
import { expect, test } from "vitest";
import { createEncoder } from "../../src/models/index.ts";
import { manualSeed } from "../../src/torch/random.ts";
import { scope } from "../../src/torch/scope.ts";
import { expectNoLeak } from "../live.ts";
import { goldenJson } from "./store.ts";

interface Row {
  name: string;
  shape: number[];
  distribution: "normal" | "uniform" | "constant";
  deviation: number;
  /** Largest absolute value of a uniform distribution. */
  bound?: number;
  /** Value of a constant. */
  value?: number;
}

expectNoLeak();

test.each(Object.entries(goldenJson<Record<string, Row[]>>("initial-values")))("%s", (model, rows) => {
  manualSeed(1);
  const encoder = createEncoder({ model });
  const state = encoder.state();
  const known = rows.filter(({ name }) => !name.startsWith("fc."));
  expect(known.map(({ name }) => name).sort()).toEqual(
    encoder
      .namedParameters()
      .map(([name]) => name)
      .sort(),
  );
  for (const { name, distribution, deviation, bound, value } of known) {
    scope(() => {
      const values = (state.get(name)?.to("f64") ?? expect.fail(name)).flatten();
      if (distribution === "constant")
        return expect(
          values
            .sub(value ?? 0)
            .abs()
            .sum()
            .item(),
          name,
        ).toBe(0);
      const count = values.numel;
      // Five standard errors.
      expect(Math.abs(values.mean().item()), `mean of ${name}`).toBeLessThan((5 * deviation) / Math.sqrt(count));
      const measured = values.std(0, { correction: 0 }).item() / deviation;
      expect(Math.abs(measured - 1), `deviation of ${name}`).toBeLessThan(5 / Math.sqrt(2 * count));
      const extreme = values.abs().amax(0).item();
      if (distribution === "uniform") expect(extreme, name).toBeLessThanOrEqual(bound ?? 0);
      else if (count > 1000) expect(extreme, `tails of ${name}`).toBeGreaterThan(2.5 * deviation);
    });
  }
  encoder.dispose();
});
