/**
 * Probes against scikit-learn, in as many processes as ours has threads: the linear probe over 5 draws of labels, 6 penalties and
 * 6 layers; the SVM with its cross-validated costs; weighted nearest neighbours. `--python` names a Python with scikit-learn.
 * Also says how far the answers agree.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openEmoji } from "../src/data/emoji.ts";
import { concatenate, rowsOf, subset } from "../src/data/images.ts";
import { openPixels } from "../src/data/pixels.ts";
import { encoderFeatures } from "../src/evaluate/features.ts";
import { knn } from "../src/evaluate/knn.ts";
import { disposeModel, type FitOptions, fitLogistic, logits } from "../src/evaluate/logistic.ts";
import type { Labelled } from "../src/evaluate/logistic-plan.ts";
import type { Training } from "../src/evaluate/protocol.ts";
import { svm } from "../src/evaluate/svm.ts";
import { createEncoder } from "../src/models/index.ts";
import { integers, randn } from "../src/torch/ops.ts";
import { manualSeed } from "../src/torch/random.ts";
import { dispose, keep, scope } from "../src/torch/scope.ts";
import type { Tensor } from "../src/torch/tensor.ts";
import { withFolder } from "./photos.ts";
import { type Row, toRow } from "./rows.ts";
import { alternate, type Context, withPeers } from "./runner.ts";

const CLASSES = 10;
const DRAWS = 5;
const PENALTIES = [10, 1, 0.1, 0.01, 0.001, 0.0001];
/** Features of each layer, about as many as those of ResNet-10's layers after pooling, and its output. */
const WIDTHS = [1024, 1024, 1024, 1024, 1024, 512];
const ITERATIONS = 100;
const compute = { device: "cpu", precision: "f32" } as const;

interface Case {
  name: string;
  /** Rows of a draw. */
  rows: number;
  test: number;
  /** Features of each layer, if they are made up. */
  widths: readonly number[];
  draws: number;
  /** Made-up features vary about equally in all directions; a network's, of emoji, vary mostly in a few. */
  of: "noise" | "emoji";
}
const cases = {
  few: { name: "25 labels a class", of: "noise", rows: 25 * CLASSES, test: 1000, widths: WIDTHS, draws: DRAWS },
  emoji: { name: "25 emoji a class", of: "emoji", rows: 25 * CLASSES, test: 500, widths: [], draws: DRAWS },
  many: { name: "5,000 labels", of: "noise", rows: 5000, test: 1000, widths: [512], draws: 1 },
} satisfies Record<string, Case>;

export async function probes(context: Context): Promise<Row[]> {
  return withFolder(async (folder) => [
    await linear(context, folder, cases.few),
    await linear(context, folder, cases.emoji),
    await linear(context, folder, cases.many),
    await compare(context, folder, "svm", cases.few, (data) =>
      fitAll(data, (on) => svm.fit(on, svm.options.parse({}))),
    ),
    await compare(context, folder, "knn", cases.many, (data) =>
      fitAll(data, (on) => knn.fit(on, { neighbours: [{ k: 20, temperature: 0.07 }] })),
    ),
  ]);
}

interface Layer {
  train: Tensor;
  test: Tensor;
}

/** The linear probe: every draw, penalty and layer. The answers at the first layer and draw are compared. */
async function linear(context: Context, folder: string, one: Case): Promise<Row> {
  return compare(context, folder, "linear", one, async (data) => {
    for (const { train } of data) {
      const parts = scope(() => drawsOf(train, one)).map((features) => labelled(features, one.rows));
      const fits = parts.flatMap((part) => PENALTIES.map((penalty) => ({ part, penalty })));
      for (const model of await fitLogistic(fits, { classes: CLASSES, maxIterations: ITERATIONS })) disposeModel(model);
      dispose(...parts.map(({ features }) => features));
    }
  });
}

async function compare(
  context: Context,
  folder: string,
  what: "linear" | "svm" | "knn",
  one: Case,
  ours: (data: readonly Layer[]) => Promise<void>,
): Promise<Row> {
  const data = one.of === "emoji" ? await emojiLayers(folder, one) : makeLayers(folder, one);
  const settings = join(folder, "case.json");
  writeFileSync(
    settings,
    JSON.stringify({
      ...one,
      widths: data.map(({ train }) => train.size(1)),
      classes: CLASSES,
      penalties: PENALTIES,
      iterations: ITERATIONS,
      processes: context.threads,
    }),
  );
  try {
    return await withPeers(context, "probes.py", { peer: { args: [folder, "--what", what] } }, async ({ peer }) => {
      const timed = async () => {
        const start = performance.now();
        await ours(data);
        return (performance.now() - start) / 1000;
      };
      await timed();
      const values = await alternate(context.rounds, { ours: timed, peer: peer.measure });
      context.say(`  ${what}, ${one.name}: ${await agreement(what, one, data, folder)}`);
      return toRow("probes", `${what}, ${one.name}`, "s", values.ours, values.peer);
    });
  } finally {
    dispose(...data.flatMap(({ train, test }) => [train, test]));
  }
}

/** Accuracy and log-loss on the test rows at each penalty: ours, beside what the peer wrote into the folder. */
async function agreement(what: string, one: Case, data: readonly Layer[], folder: string): Promise<string> {
  if (what !== "linear") return "see the golden tests for how far the answers agree";
  const theirs = JSON.parse(readFileSync(join(folder, "answers.json"), "utf8")) as Record<string, [number, number][]>;
  const ours: Record<string, FitOptions> = {
    "as timed": { classes: CLASSES, maxIterations: ITERATIONS },
    "at the optimum": { classes: CLASSES, maxIterations: 10_000, tolerance: 1e-6 },
  };
  const lines: string[] = [];
  for (const [name, options] of Object.entries(ours)) {
    const told = await answersOf(data[0] as Layer, one, options);
    lines.push(`${name}, ours ${inWords(told)}; scikit-learn ${inWords(theirs[name] ?? [])}`);
  }
  return `accuracy and log-loss by penalty: ${lines.join("; ")}`;
}

const inWords = (answers: readonly [number, number][]) =>
  answers.map(([right, loss]) => `${(100 * right).toFixed(1)} % ${loss.toFixed(4)}`).join(", ");

async function answersOf({ train, test }: Layer, one: Case, options: FitOptions): Promise<[number, number][]> {
  const part = labelled(scope(() => drawsOf(train, one))[0] as Tensor, one.rows);
  const models = await fitLogistic(
    PENALTIES.map((penalty) => ({ part, penalty })),
    options,
  );
  const truth = labelsOf(one.test);
  return models.map((model) =>
    scope((): [number, number] => {
      const answers = logits(model, test).logSoftmax(1);
      const right = answers.argmax(1).eq(integers(truth)).to("f32").mean().item();
      return [right, answers.gather(1, integers(truth).unsqueeze(1)).mean().neg().item()];
    }),
  );
}

/** All rows of some features. */
const labelled = (features: Tensor, count: number): Labelled => ({
  features,
  rows: Array.from({ length: count }, (_, row) => row),
  labels: labelsOf(count),
});

const labelsOf = (rows: number) => Int32Array.from({ length: rows }, (_, i) => i % CLASSES);

function drawsOf(train: Tensor, { draws, rows }: Case): Tensor[] {
  return Array.from({ length: draws }, (_, draw) => train.narrow(0, draw * rows, rows));
}

/** Features of emoji by every layer of an untrained ResNet-10, of the ten classes with most drawings. Draws overlap, as they do in practice. */
async function emojiLayers(folder: string, { draws, rows, test }: Case): Promise<Layer[]> {
  const { splits } = openEmoji();
  const all = concatenate(Object.values(splits));
  const byClass = all.classes?.map((_, label) => rowsOf(all, (row) => all.label(row) === label)) ?? [];
  const largest = byClass.sort((a, b) => b.length - a.length).slice(0, CLASSES);
  const tested = test / CLASSES;
  const chosen = Array.from({ length: test + draws * rows }, (_, i) => {
    const own = largest[i % CLASSES] as Int32Array;
    const turn = Math.floor(i / CLASSES);
    return own[turn < tested ? turn : tested + ((turn - tested) % (own.length - tested))] as number;
  });
  const store = await openPixels(subset(all, chosen), { size: 64 });
  manualSeed(0);
  const encoder = createEncoder({ model: "resnet10" });
  try {
    const features = await encoderFeatures(encoder, store, compute);
    return Object.values(features).map((own, layer) => {
      const made = scope(() => ({
        train: keep(own.narrow(0, test, draws * rows).clone()),
        test: keep(own.narrow(0, 0, test).clone()),
      }));
      own.dispose();
      return written(folder, layer, made);
    });
  } finally {
    encoder.dispose();
    await store.close();
  }
}

/** Writes a layer for the peer, as f32. */
function written(folder: string, layer: number, made: Layer): Layer {
  for (const [name, tensor] of Object.entries(made))
    writeFileSync(join(folder, `${name}-${layer}.f32`), Buffer.from((tensor.data() as Float32Array).slice().buffer));
  return made;
}

/** Features around a centre for each class, with correlated noise. */
function makeLayers(folder: string, { widths, draws, rows, test }: Case): Layer[] {
  return widths.map((width, layer) => {
    manualSeed(layer);
    const centres = randn([CLASSES, width]).mul(0.12);
    const mix = randn([width, width]).div(Math.sqrt(width));
    const make = (count: number) =>
      scope(() =>
        keep(
          randn([count, width])
            .matmul(mix)
            .add(centres.indexSelect(0, integers(labelsOf(count)))),
        ),
      );
    const made = { train: make(draws * rows), test: make(test) };
    dispose(centres, mix);
    return written(folder, layer, made);
  });
}

async function fitAll(
  data: readonly Layer[],
  learn: (on: Training<number>) => Promise<{ predict(test: { features: Tensor }): Promise<unknown>; dispose(): void }>,
): Promise<void> {
  for (const { train, test } of data) {
    const rows = train.size(0);
    const on = {
      features: train,
      truths: labelsOf(rows),
      rows: [...Array(rows).keys()],
      classes: CLASSES,
      seed: 0,
      compute,
    };
    const fitted = await learn(on);
    await fitted.predict({ features: test });
    fitted.dispose();
  }
}
