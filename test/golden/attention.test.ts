/** Where networks look, against slow references. */
import { expect, test } from "vitest";
import { activationAttention } from "../../src/inspect/attention/activation.ts";
import { massMask } from "../../src/inspect/attention/outline.ts";
import { principalColours } from "../../src/inspect/attention/principal-components.ts";
import { classAttention, rollout } from "../../src/inspect/attention/rollout.ts";
import { fromTypedArray } from "../../src/torch/ops.ts";
import { scope } from "../../src/torch/scope.ts";
import type { Tensor } from "../../src/torch/tensor.ts";
import { goldenValues } from "../fixtures/golden/formula.ts";
import { expectNoLeak } from "../live.ts";
import { difference, goldenTensor, goldenTensors, pick } from "./store.ts";

const stored = goldenTensors("attention");
const TOLERANCE = 1e-5;

expectNoLeak();

const given = (name: string, shape: readonly number[], low?: number, high?: number): Tensor =>
  fromTypedArray(goldenValues(`attention.${name}`, shape, low, high), shape);

function expectStored(got: Tensor, key: string): void {
  expect(difference(got, pick(stored, key)), key).toBeLessThan(TOLERANCE);
}

test.each([1, 2, 4])("activation attention, power %d", (power) => {
  scope(() => expectStored(activationAttention(given("map", [2, 3, 4, 5]), power), `activation.power${power}`));
});

test("what each head's class token attends to, what holds 60 % of it, and the rollout", () => {
  scope(() => {
    const blocks = [0, 1, 2].map((i) => given(`block${i}`, [2, 2, 13, 13]).softmax(3));
    const heads = classAttention(blocks.at(-1) as Tensor, [3, 4]);
    expectStored(heads, "attended.heads");
    expectStored(rollout(blocks, [3, 4]), "attended.rollout");
    const masks = goldenTensor(pick(stored, "attended.mask")).toArray();
    const values = heads.data() as Float32Array;
    for (let i = 0; i < 4; i++)
      expect([...massMask(values.subarray(12 * i, 12 * (i + 1)))]).toEqual(masks.slice(12 * i, 12 * (i + 1)));
  });
});

test.each([
  ["many", 5, 4, 5],
  ["few", 40, 3, 4],
] as const)("principal components as colours: %s places", (name, channels, height, width) => {
  scope(() => {
    const noise = given(`features${channels}`, [2, channels, height, width]);
    const direction = given(`direction${channels}`, [channels], 1, 4).reshape(1, channels, 1, 1);
    const inside = Float32Array.from({ length: height * width }, (_, i) => {
      const [x, y] = [i % width, Math.floor(i / width)];
      return x > 0 && y > 0 && x < width - 1 && y < height - 1 ? 1 : 0;
    });
    const { colours, foreground } = principalColours(
      noise.add(direction.mul(fromTypedArray(inside, [1, 1, height, width]))),
    );
    expectStored(foreground, `components.${name}.foreground`);
    expectStored(colours, `components.${name}.colours`);
  });
});
