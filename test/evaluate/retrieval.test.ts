import { describe, expect, test } from "vitest";
import { recalls, retrieval } from "../../src/evaluate/retrieval.ts";
import { randomAt, uniform } from "../../src/random.ts";
import { tensor } from "../../src/torch/ops.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

const protocols = { retrieval, ...recalls };
type Name = keyof typeof protocols;

interface Images {
  features: number[][];
  labels: number[];
}

/** Each test image's score, the metric, and the held-out metric. */
async function run(name: Name, train: Images, tested: Images, rows = [...train.labels.keys()]) {
  const protocol = protocols[name];
  const [features, test] = [tensor(train.features), tensor(tested.features)];
  const classes = 1 + Math.max(...train.labels, ...tested.labels);
  const on = { features, truths: train.labels, rows, classes, seed: 0 };
  const fitted = await protocol.fit({ ...on, compute: { device: "cpu", precision: "f32" } }, {});
  const predictions = await fitted.predict({ features: test });
  fitted.dispose();
  features.dispose();
  test.dispose();
  const scores = predictions.map((one, i) => protocol.score(one, tested.labels[i] as number));
  return { scores, value: protocol.reduce(scores), heldOut: fitted.heldOut };
}

function someImages(count: number, classes: number, seed: number): Images {
  const random = randomAt(seed);
  const labels = Array.from({ length: count }, (_, i) => i % classes);
  const at = (label: number, i: number) => (label === i ? 0.4 : 0) + uniform(random, -1, 1);
  return { labels, features: labels.map((label) => [0, 1, 2, 3, 4].map((i) => at(label, i))) };
}

/** The same by plain loops, without ties. `own`: the image of the index that is the query itself. */
function byHand(name: Name, query: number[], label: number, index: Images, own = -1): number {
  const cosine = (a: number[], b: number[]) => {
    const dot = (x: number[], y: number[]) => x.reduce((sum, value, i) => sum + value * (y[i] as number), 0);
    return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  };
  const ranked = index.features
    .map((features, i) => ({ i, similarity: cosine(query, features), relevant: index.labels[i] === label }))
    .filter(({ i }) => i !== own)
    .sort((a, b) => b.similarity - a.similarity);
  if (name !== "retrieval") {
    const k = Number(name.split("@")[1]);
    return ranked.slice(0, k).some(({ relevant }) => relevant) ? 1 : 0;
  }
  const precisions = ranked.flatMap(({ relevant }, at) =>
    relevant ? [ranked.slice(0, at + 1).filter((one) => one.relevant).length / (at + 1)] : [],
  );
  return precisions.reduce((sum, one) => sum + one, 0) / precisions.length;
}

const average = (values: number[]) => values.reduce((sum, one) => sum + one, 0) / values.length;

describe.each(Object.keys(protocols) as Name[])("%s", (name) => {
  test("is what plain loops give, for test images and by leave-one-out", async () => {
    const [train, tested] = [someImages(60, 5, 1), someImages(40, 5, 2)];
    const { scores, value, heldOut } = await run(name, train, tested);
    const expected = tested.features.map((query, i) => byHand(name, query, tested.labels[i] as number, train));
    for (const [i, one] of expected.entries()) expect(scores[i]).toBeCloseTo(one, 6);
    expect(value).toBeCloseTo(average(expected), 6);
    const left = train.features.map((query, i) => byHand(name, query, train.labels[i] as number, train, i));
    expect(heldOut).toBeCloseTo(average(left), 6);
  });

  test("knows no other images than the labelled rows", async () => {
    const [train, tested] = [someImages(30, 3, 1), someImages(10, 3, 2)];
    const rows = [0, 1, 2, 7, 11, 12];
    const drawn = { features: rows.map((row) => train.features[row] as number[]), labels: rows.map((row) => row % 3) };
    expect(await run(name, train, tested, rows)).toEqual(await run(name, drawn, tested));
  });

  test("does not depend on how many queries are ranked at a time", async () => {
    const [train, tested] = [someImages(20, 4, 1), someImages(1500, 4, 2)];
    const { scores } = await run(name, train, tested);
    expect(scores).toHaveLength(1500);
    for (const i of [0, 1023, 1024, 1499]) {
      const query = tested.features[i] as number[];
      expect(scores[i]).toBeCloseTo(byHand(name, query, i % 4, train), 6);
    }
  });

  test("one class only is always right", async () => {
    const one: Images = {
      features: [
        [1, 0],
        [0, 1],
        [1, 1],
      ],
      labels: [0, 0, 0],
    };
    const { value, heldOut } = await run(name, one, one);
    expect([value, heldOut]).toEqual([1, 1]);
  });

  test("a query whose label the index lacks scores 0", async () => {
    const train: Images = {
      features: [
        [1, 0],
        [0, 1],
      ],
      labels: [0, 0],
    };
    const { scores } = await run(name, train, {
      features: [
        [1, 0],
        [1, 0],
      ],
      labels: [0, 1],
    });
    expect(scores).toEqual([1, 0]);
  });
});

const EAST = [1, 0];
const NORTH = [0, 1];

test("a class with one image answers test images, and asks nothing by leave-one-out", async () => {
  const train: Images = { features: [EAST, EAST, NORTH], labels: [0, 0, 1] };
  const { scores, heldOut } = await run("retrieval", train, { features: [NORTH], labels: [1] });
  expect(scores).toEqual([1]);
  expect(heldOut).toBe(1);
  const single = await run("retrieval", { features: [EAST, NORTH], labels: [0, 1] }, train);
  expect(single.heldOut).toBeNaN();
});

test("a copy of the query with another label comes before it by leave-one-out", async () => {
  const train: Images = { features: [EAST, EAST, [1, 0.5], NORTH], labels: [0, 1, 0, 1] };
  // Image 0 finds 1 before 2; image 1 finds 0 and 2 before 3; image 2 ties 0 with 1; image 3 finds 2, then ties 0 with 1.
  const expected = [1 / 2, 1 / 3, 1 / 2, 1 / 3];
  const { heldOut } = await run("retrieval", train, train);
  expect(heldOut).toBeCloseTo(average(expected), 6);
});

test("leave-one-out spreads its queries over all classes when it cannot take all", async () => {
  const labels = Array.from({ length: 2300 }, (_, i) => Math.floor(i / 460)); // class by class, as rows come
  const train = {
    labels,
    features: labels.map((label) => [0, 1, 2, 3].map((i) => (i === Math.min(label, 3) ? 1 : 0))),
  };
  const { heldOut } = await run("retrieval", train, { features: [[1, 0, 0, 0]], labels: [0] });
  expect(heldOut).toBeCloseTo((3 + 2 * (459 / 919)) / 5, 3); // classes 3 and 4 look the same
});

describe("ties", () => {
  const equal: Images = {
    features: Array.from({ length: 20 }, () => EAST),
    labels: [...Array(5).fill(0), ...Array(15).fill(1)],
  };
  const queries: Images = { features: [EAST, EAST], labels: [0, 1] };

  test("all features equal: average precision is a class's share", async () => {
    const { scores } = await run("retrieval", equal, queries);
    expect(scores).toEqual([0.25, 0.75]);
  });

  test("all features equal: recall@k is what a random choice of k gives", async () => {
    const missed = (k: number, others: number) => {
      let probability = 1;
      for (let i = 0; i < k; i++) probability *= Math.max(0, others - i) / (20 - i);
      return probability;
    };
    for (const k of [1, 5, 10] as const) {
      const { scores } = await run(`recall@${k}`, equal, queries);
      expect(scores[0]).toBeCloseTo(1 - missed(k, 15), 6);
      expect(scores[1]).toBeCloseTo(1 - missed(k, 5), 6);
    }
  });

  test("two copies of different classes share the first place", async () => {
    const train: Images = { features: [EAST, EAST, NORTH], labels: [0, 1, 0] };
    const { scores } = await run("recall@1", train, queries);
    expect(scores).toEqual([0.5, 0.5]);
  });
});

test("ids of instances do as labels, with gaps too", async () => {
  const train: Images = { features: [EAST, [1, 0.1], NORTH, [0.1, 1]], labels: [900, 900, 7, 7] };
  const { value, heldOut } = await run("recall@1", train, {
    features: [
      [1, 0.05],
      [0.05, 1],
    ],
    labels: [900, 7],
  });
  expect([value, heldOut]).toEqual([1, 1]);
});

test("chance is what random rankings score, also where one class has most of the images", async () => {
  for (const often of [1, 9]) {
    const random = randomAt(often);
    const noise = (count: number): Images => ({
      labels: Array.from({ length: count }, (_, i) => (i % (often + 1) ? 0 : 1)),
      features: Array.from({ length: count }, () => Array.from({ length: 8 }, () => uniform(random, -1, 1))),
    });
    const [train, tested] = [noise(600), noise(600)];
    const share = often / (often + 1);
    const shares = { tested: [share, 1 - share], learned: [share, 1 - share] };
    for (const name of ["retrieval", "recall@1"] as const) {
      const { value } = await run(name, train, tested);
      const found = Math.abs(value - protocols[name].guess(2, undefined, shares));
      expect(found, `${name}, ${often} to 1`).toBeLessThan(0.06);
    }
  }
  expect(retrieval.guess(4)).toBe(1 / 4);
  expect(recalls["recall@5"].guess(2)).toBeCloseTo(31 / 32, 12);
});
