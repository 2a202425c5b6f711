/** Rank correlations and components of variance against SciPy and statsmodels: `scripts/golden-study.py` writes the fixture. */
import { expect, test } from "vitest";
import { varianceComponents } from "../../src/study/analysis/components.ts";
import { kendallTau, spearmanRho } from "../../src/study/analysis/rank-correlation.ts";
import { goldenJson } from "./store.ts";

const { correlations, components } = goldenJson<{
  correlations: { x: number[]; y: number[]; tau: number; rho: number }[];
  components: {
    table: number[][][];
    rows: number;
    columns: number;
    interaction: number;
    repetitions: number;
  }[];
}>("study");

test.each(correlations)("Kendall's τ-b and Spearman's ρ of $x.length pairs", ({ x, y, tau, rho }) => {
  expect(Math.abs(kendallTau(x, y) - tau)).toBeLessThan(1e-9);
  expect(Math.abs(spearmanRho(x, y) - rho)).toBeLessThan(1e-9);
});

test.each(components)("components of variance of $table.length rows", ({ table, ...expected }) => {
  const found = varianceComponents(table);
  for (const [name, value] of Object.entries(expected)) {
    expect(Math.abs(found[name as keyof typeof found] - value), name).toBeLessThan(1e-12);
  }
});
