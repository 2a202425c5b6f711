/** What was measured is kept, and not mixed with what was measured of other groups. */
import { expect, test } from "vitest";
import { groupNumbers } from "../../src/evaluate/groups.ts";
import { knn } from "../../src/evaluate/knn.ts";
import { variantsOf } from "../../src/evaluate/measure.ts";
import { measureRepresentation } from "../../src/evaluate/measurements.ts";
import type { Part } from "../../src/evaluate/parts.ts";
import type { Protocol } from "../../src/evaluate/protocol.ts";
import type { Representation } from "../../src/evaluate/representations.ts";
import type { Session } from "../../src/evaluate/session.ts";
import { tensor } from "../../src/torch/ops.ts";
import { fakeSet } from "../data/fake-set.ts";
import { scratch } from "../images.ts";
import { expectNoLeak } from "../live.ts";
import { memoryStore } from "../memory-store.ts";

expectNoLeak();

const IMAGES = 60;
const patientOf = (i: number) => i >> 3;
const cache = scratch();

/** Features (N, 2) that tell nothing but the patient; `asked` counts how often they are computed. */
async function measured(groups: string[] | undefined, asked: { count: number }) {
  const of = (name: string): Part => {
    const labels = Array.from({ length: IMAGES }, (_, i) => patientOf(i) % 2);
    const set = fakeSet(name, { labels, classes: ["a", "b"], ...(groups && { groups }) });
    const store = memoryStore(
      1,
      labels.map(() => new Uint8Array(3)),
    );
    const numbers = groupNumbers(labels.map((_, i) => set.group(i)));
    return { set, store, labels: Int32Array.from(labels), groups: numbers };
  };
  const parts = { train: of("train"), test: of("test") };
  const session = {
    ...{ train: parts.train.set, test: parts.test.set, classes: ["a", "b"], partsFor: async () => parts },
    compute: { device: "cpu", precision: "f32" },
  } as unknown as Session;
  const representation: Representation = {
    ...{ id: "r", label: "r", role: "r", kind: "pre-trained", imageSize: 1, baselines: [] },
    async features({ length }) {
      asked.count++;
      const angles = Array.from({ length }, (_, i) => (patientOf(i) * 2 * Math.PI) / 8 + 0.01 * (i % 8));
      return { l: tensor(angles.map((angle) => [Math.cos(angle), Math.sin(angle)])) };
    },
  };
  const neighbours = [{ k: 5, temperature: 0.1 }];
  const variants = variantsOf("knn", knn as unknown as Protocol, { neighbours });
  const plan = { variants, labelsPerClass: ["all"] as const, draws: 1, seed: 0, cache };
  return (await measureRepresentation(representation, session, plan)).measured[0];
}

test("with groups, all is measured anew, and test images count as groups", async () => {
  const asked = { count: 0 };
  const alone = await measured(undefined, asked);
  expect(alone?.row).toMatchObject({ n: IMAGES, draws: 1 });
  expect(alone?.row).not.toHaveProperty("groups");
  expect(alone?.values).toBe(alone?.scores);
  await measured(undefined, asked);
  expect(asked.count).toBe(2); // of training and test images, once
  const patients = Array.from({ length: IMAGES }, (_, i) => `patient ${patientOf(i)}`);
  const grouped = await measured(patients, asked);
  expect(asked.count).toBe(4);
  expect(grouped?.row).toMatchObject({ n: IMAGES, groups: 8 });
  expect(grouped?.row.value).toBeCloseTo(alone?.row.value as number, 10);
  expect(grouped?.values[0]).toHaveLength(8);
  expect([alone?.heldOut, grouped?.heldOut]).toEqual([1, 0]); // without groups, patients are recognised; their neighbours have the other label
});
