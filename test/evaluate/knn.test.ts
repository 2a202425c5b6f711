/** Votes of nearest neighbours against a slow reference. */
import { expect, test } from "vitest";
import { knn } from "../../src/evaluate/knn.ts";
import type { Protocol } from "../../src/evaluate/protocol.ts";
import { randomAt, uniform } from "../../src/random.ts";
import { tensor } from "../../src/torch/ops.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

const random = randomAt(3);
const vectors = (count: number) => Array.from({ length: count }, () => [0, 1, 2].map(() => uniform(random, -1, 1)));
const cosine = (a: number[], b: number[]) => {
  const dot = (x: number[], y: number[]) => x.reduce((sum, value, i) => sum + value * (y[i] as number), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
};
const CLASSES = 3;

/** The class of a query, by the neighbours that `may` vote. */
function slow(
  query: number[],
  bank: number[][],
  labels: number[],
  { k, temperature }: Neighbours,
  may = (_: number) => true,
) {
  const near = bank.flatMap((one, i) => (may(i) ? [{ i, similarity: cosine(query, one) }] : []));
  near.sort((a, b) => b.similarity - a.similarity);
  const votes = new Array<number>(CLASSES).fill(0);
  for (const { i, similarity } of near.slice(0, k)) {
    const label = labels[i] as number;
    votes[label] = (votes[label] as number) + Math.exp(similarity / temperature);
  }
  return votes.indexOf(Math.max(...votes));
}

interface Neighbours {
  k: number;
  temperature: number;
}

async function fitted(bank: number[][], labels: number[], neighbours: Neighbours, groups?: number[]) {
  const features = tensor(bank);
  const rows = labels.map((_, i) => i);
  const on = { features, truths: labels, groups, rows, classes: CLASSES, seed: 0 };
  const protocol = knn as unknown as Protocol;
  const found = await protocol.fit(
    { ...on, compute: { device: "cpu", precision: "f32" } },
    { neighbours: [neighbours] },
  );
  features.dispose();
  return found;
}

test.each<Neighbours>([
  { k: 1, temperature: 0.07 },
  { k: 5, temperature: 0.07 },
  { k: 1000, temperature: 0.5 },
])("%j: predictions, and each labelled image by the others", async (neighbours) => {
  const [bank, queries] = [vectors(60), vectors(40)];
  const labels = bank.map((_, i) => i % CLASSES);
  const found = await fitted(bank, labels, neighbours);
  const test = tensor(queries);
  expect(Array.from((await found.predict({ features: test } as never)) as ArrayLike<number>)).toEqual(
    queries.map((query) => slow(query, bank, labels, neighbours)),
  );
  const right = bank.filter((one, i) => slow(one, bank, labels, neighbours, (j) => j !== i) === labels[i]);
  expect(found.heldOut).toBeCloseTo(right.length / 60, 6);
  const groups = bank.map((_, i) => Math.floor(i / 4));
  const grouped = await fitted(bank, labels, neighbours, groups);
  const apart = bank.filter(
    (one, i) => slow(one, bank, labels, neighbours, (j) => groups[j] !== groups[i]) === labels[i],
  );
  expect(grouped.heldOut).toBeCloseTo(apart.length / 60, 6);
  for (const one of [test, found, grouped]) one.dispose();
});

test("at a temperature near zero the nearest decides, also where its weight alone would be infinite", async () => {
  const bank = vectors(60);
  const labels = bank.map((_, i) => i % CLASSES);
  const [cold, nearest] = [
    { k: 20, temperature: 1e-4 },
    { k: 1, temperature: 0.07 },
  ];
  const [found, one] = [await fitted(bank, labels, cold), await fitted(bank, labels, nearest)];
  const test = tensor(vectors(100));
  expect(await found.predict({ features: test } as never)).toEqual(await one.predict({ features: test } as never));
  expect(found.heldOut).toBe(one.heldOut);
  for (const each of [test, found, one]) each.dispose();
});

test("of many labelled images, some are held out", async () => {
  const bank = vectors(4500);
  const labels = bank.map(([x = 0]) => (x > 0 ? 1 : 0));
  const found = await fitted(bank, labels, { k: 5, temperature: 0.07 });
  expect(found.heldOut).toBeGreaterThan(0.9);
  expect(found.heldOut).toBeCloseTo(Math.round(found.heldOut * 2000) / 2000, 9);
  found.dispose();
});
