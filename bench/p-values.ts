/**
 * How often does a p-value below 0.05, or 0.01, come by chance alone? `npx tsx bench/p-values.ts` counts it exactly for one draw of
 * labels: each test image is answered differently by the two networks with a given probability, in favour of either with the same.
 * Prints it for the p-value that verdicts use, and for Student's t and the exact sign-flip test (McNemar's) alone.
 */
import { pValue, signFlipTest, studentPValue } from "../src/evaluate/statistics.ts";
import { estimateMean } from "../src/evaluate/variance.ts";

/** Where the exact test is too long to enumerate, it is left out. */
const MOST_FLIPS = 16;
const LEVELS = [0.05, 0.01];

/** Probabilities of 0 to n successes. */
function binomial(n: number, p: number): number[] {
  let row = [1];
  for (let trial = 0; trial < n; trial++)
    row = [...row, 0].map((own, k) => own * (1 - p) + (k > 0 ? (row[k - 1] as number) * p : 0));
  return row;
}

interface Outcome {
  differ: number;
  better: number;
  values: number[];
}

/** The p-values of every outcome: so many images differ, and so many of them are better. */
function outcomes(images: number): Outcome[] {
  return Array.from({ length: images + 1 }, (_, differ) =>
    Array.from({ length: differ + 1 }, (__, better): Outcome => {
      const row = Float64Array.from({ length: images }, (___, i) => (i < better ? 1 : i < differ ? -1 : 0));
      const estimate = estimateMean([row]);
      const exact = differ > MOST_FLIPS ? Number.NaN : signFlipTest(Array.from(row.subarray(0, differ)));
      return { differ, better, values: [pValue([row], estimate), studentPValue(estimate), exact] };
    }),
  ).flat();
}

const percent = (value: number) => (100 * value).toFixed(1);

process.stdout.write(
  "| test images | that differ | p in verdicts: < 0.05, < 0.01 | Student's t alone | sign flips alone |\n|---|---|---|---|---|\n",
);
for (const images of [4, 7, 10, 16, 30, 100]) {
  const all = outcomes(images);
  const halves = Array.from({ length: images + 1 }, (_, differ) => binomial(differ, 0.5));
  for (const rate of [0.1, 0.5, 1]) {
    const rates = binomial(images, rate);
    const wrong = (which: number, level: number) =>
      all.reduce((sum, { differ, better, values }) => {
        const value = values[which] as number;
        return sum + (value < level ? (rates[differ] as number) * ((halves[differ] as number[])[better] as number) : 0);
      }, 0);
    const cells = [0, 1, 2].map((which) =>
      which === 2 && images > MOST_FLIPS ? "" : LEVELS.map((level) => `${percent(wrong(which, level))} %`).join(", "),
    );
    process.stdout.write(`| ${images} | ${100 * rate} % | ${cells.join(" | ")} |\n`);
  }
}
