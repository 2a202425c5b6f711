/** Images of three classes that differ in colour, and what a protocol needs to learn from them. */
import type { Training } from "../../src/evaluate/protocol.ts";
import { createEncoder } from "../../src/models/index.ts";
import type { Encoder } from "../../src/models/model.ts";
import { randomAt, uniform } from "../../src/random.ts";
import { manualSeed } from "../../src/torch/random.ts";
import { memoryStore } from "../memory-store.ts";

export const CLASSES = 3;
const SIDE = 32;

/** `count` noisy images of 32 pixels: red, green and blue in turn. */
export function coloured(count: number, seed: number) {
  const random = randomAt(seed);
  const truths = Array.from({ length: count }, (_, i) => i % CLASSES);
  const images = truths.map((label) =>
    Uint8Array.from({ length: 3 * SIDE ** 2 }, (_, i) => uniform(random, 0, 80) + (i % 3 === label ? 150 : 0)),
  );
  return { store: memoryStore(SIDE, images), truths };
}

/**
 * What to fit on, and the encoders that were made for that: all with the same initial weights.
 * @param rows those whose labels may be used; by default all
 */
export function trainingOf({ store, truths }: ReturnType<typeof coloured>, rows = truths.map((_, i) => i)) {
  const made: Encoder[] = [];
  const encoder = () => {
    manualSeed(3);
    made.push(createEncoder({ model: "resnet10", width: 0.125, stem: "imagenet" }));
    return made.at(-1) as Encoder;
  };
  const compute = { device: "cpu", precision: "f32" } as const;
  const training: Training<number> = { store, truths, rows, classes: CLASSES, seed: 0, compute, encoder };
  return { training, made };
}

/** All weights and running statistics, as numbers. */
export const valuesOf = (encoder: Encoder) => [...encoder.state()].map(([name, one]) => [name, one.toArray()]);
