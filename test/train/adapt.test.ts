import { availableParallelism, cpus } from "node:os";
import { afterEach, expect, test } from "vitest";
import { threads } from "../../src/torch/device.ts";
import { adaptiveThreads, type CpuTime, freeCores } from "../../src/train/adapt.ts";

const before = threads();
afterEach(() => void threads(before));

test.each([
  ["nobody else", 0, 4],
  ["a little", 0.3, 4],
  ["one busy program", 1, 3],
  ["one that shares two cores with us", 0.67, 3],
  ["all cores taken", 4, 1],
  ["more than there are", 7, 1],
])("free cores of 4 beside %s", (_, others, free) => {
  const start: CpuTime = { all: 100, own: 50, wall: 10 };
  const now: CpuTime = { all: 100 + 2 * (others + 3), own: 50 + 2 * 3, wall: 12 };
  expect(freeCores(start, now, 4)).toBe(free);
});

// Where a process may use only some of the cores, nothing is adapted.
test.skipIf(cpus().length < 2 || availableParallelism() < cpus().length)("threads follow the load, and recover", () => {
  const cores = cpus().length;
  let time: CpuTime = { all: 0, own: 0, wall: 0 };
  let read = 0;
  threads(cores);
  const measure = () => {
    read++;
    return time;
  };
  const adapt = adaptiveThreads(cores, measure, () => time.wall);
  const pass = (seconds: number, others: number) => {
    time = { all: time.all + seconds * (others + 1), own: time.own + seconds, wall: time.wall + seconds };
    adapt();
    return threads();
  };
  expect(pass(0.5, cores)).toBe(cores); // too early to say
  expect(read).toBe(1); // not at every step
  expect(pass(1.5, cores)).toBe(1);
  expect(pass(2.5, 0)).toBe(cores);
});
