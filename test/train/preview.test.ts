/** Pictures of what a task shows, and probes that find its shortcuts. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { UsageError } from "../../src/errors.ts";
import { uniform } from "../../src/random.ts";
import { auditTable } from "../../src/report/audit.ts";
import { registerTask, tasks } from "../../src/tasks/index.ts";
import { defineTask } from "../../src/tasks/task.ts";
import { Linear } from "../../src/torch/nn/layers.ts";
import { cat, crossEntropy, integers, randn, tensor } from "../../src/torch/ops.ts";
import { scope } from "../../src/torch/scope.ts";
import type { AuditRow } from "../../src/train/audit.ts";
import { pretrain } from "../../src/train/pretrain.ts";
import { preview } from "../../src/train/preview.ts";
import { Probe } from "../../src/train/probes.ts";
import { makePictures, scratch } from "../images.ts";
import { expectNoLeak } from "../live.ts";
import { smallRun } from "../small-run.ts";

const folder = scratch();
const images = join(folder, "pictures");
const { batchSize: _, ...small } = smallRun;

expectNoLeak();
beforeAll(() => makePictures(images, { count: 100, size: 64, classes: ["a", "b"] }));

test.each(Object.keys(tasks))("%s: a sheet of what the network sees", async (task) => {
  const out = join(folder, `${task}.png`);
  const { file, audit } = await preview({ ...small, images, task, imageSize: 48, out, count: 3 });
  expect([file, audit]).toEqual([out, []]);
  const { width, height } = await sharp(readFileSync(out)).metadata();
  expect(width).toBeGreaterThan(100);
  expect(height).toBeGreaterThan(30);
});

test("of a run: its settings and its guesses, from its checkpoint", async () => {
  const run = join(folder, "run");
  const options = { ...smallRun, images, epochs: 2, taskOptions: { angles: 2 } };
  await pretrain({ ...options, out: run });
  const [trained, untrained] = [join(folder, "trained.png"), join(folder, "untrained.png")];
  await preview({ images, run, out: trained });
  await preview({ ...small, images, taskOptions: { angles: 2 }, out: untrained });
  expect(readFileSync(trained).equals(readFileSync(untrained))).toBe(false);
});

test("what cannot be is refused, and nothing is written", async () => {
  const out = join(folder, "none.png");
  await expect(preview({ images, task: "jigsaw", imageSize: 32, out })).rejects.toThrow(/--image-size/);
  await expect(preview({ images, run: folder, out })).rejects.toThrow(UsageError);
  expect(existsSync(out)).toBe(false);
});

/** Dashes at the upper edge: black or white first? Blurred they are grey. */
const framed = defineTask({
  title: "Dashes",
  paper: "a test",
  options: z.strictObject({}),
  remedies: { border: "no dashes" },
  create(encoder) {
    const fc = new Linear(encoder.outDim, 2);
    return {
      modules: { fc },
      chance: { metric: "accuracy", value: 1 / 2, loss: Math.log(2) },
      copies: 1,
      step(images, { random }) {
        const answers = Array.from({ length: images.size(0) }, () => (uniform(random, 0, 1) < 0.5 ? 0 : 1));
        const signs = tensor(answers.map((answer) => 2 * answer - 1)).reshape(-1, 1, 1, 1);
        const dashes = tensor(Array.from({ length: 16 }, (_, x) => (-1) ** x)).reshape(1, 1, 1, 16);
        const blank = images.mul(0);
        const framed = cat([blank.narrow(2, 0, 1).add(signs.mul(dashes)), blank.narrow(2, 1, 15)], 2);
        const target = integers(answers);
        const logits = fc.forward(encoder.forward(framed));
        return { loss: crossEntropy(logits, target), metrics: { accuracy: logits.argmax(1).eq(target).mean() } };
      },
      preview: (images) => [{ image: images.select(0, 0), answer: "", guess: null }],
    };
  },
});

test("the audit finds what a border tells, and says what to do", { timeout: 60_000 }, async () => {
  registerTask("framed", framed);
  const options = { ...small, images, task: "framed", out: join(folder, "audit.png"), audit: true, minutes: 0.02 };
  const { audit } = await preview(options);
  expect(audit.map(({ shortcut }) => shortcut)).toEqual(["colour", "blur", "border"]);
  for (const { low, value, high } of audit) {
    expect(low).toBeLessThanOrEqual(value);
    expect(high).toBeGreaterThanOrEqual(value);
  }
  const [colour, blur, border] = audit;
  expect(Math.max(colour?.value ?? 1, blur?.value ?? 1)).toBeLessThan(0.8);
  expect(border?.value).toBeGreaterThan(0.9);
  expect(border).toMatchObject({ leaks: true, chance: 0.5, remedy: "no dashes" });
});

test("a probe sees its view and nothing else", () => {
  scope(() => {
    const [x, other] = [randn([2, 3, 12, 12]), randn([2, 3, 12, 12])];
    const inside = x.clone();
    inside
      .narrow(2, 2, 8)
      .narrow(3, 2, 8)
      .copy_(other.narrow(2, 2, 8).narrow(3, 2, 8));
    for (const [shortcut, same] of [
      ["border", true],
      ["colour", false],
      ["blur", false],
    ] as const) {
      const probe = new Probe(shortcut);
      probe.eval();
      const [a, b] = [probe.forward(x), probe.forward(inside)];
      expect(a.sub(b).abs().flatten().amax(0).item() === 0, shortcut).toBe(same);
      probe.dispose();
    }
  });
});

test("the audit's table names the option that closes a leak", () => {
  const row: AuditRow = {
    shortcut: "border",
    view: "a border",
    metric: "accuracy",
    value: 0.44,
    low: 0.42,
    high: 0.46,
    chance: 0.125,
    known: 0.27,
    leaks: true,
    remedy: "a larger gap",
  };
  expect(auditTable([row])).toMatch(
    /! a border {2}accuracy 44.0 % .*chance 12.5 %, by less 27.0 %.*\n +→ a larger gap/,
  );
  expect(auditTable([{ ...row, leaks: false }])).toMatch(/^✓ a border/);
});
