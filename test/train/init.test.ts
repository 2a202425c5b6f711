/** Runs that begin with weights from elsewhere: what is trained, resumed, and compared with. */
import { cpSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { InterruptedError } from "../../src/errors.ts";
import { evaluate } from "../../src/evaluate/evaluate.ts";
import type { EvaluateOptions } from "../../src/evaluate/options.ts";
import { preview } from "../../src/inspect/preview.ts";
import { createEncoder } from "../../src/models/index.ts";
import { saveState } from "../../src/run/checkpoint.ts";
import { readConfig, runFiles } from "../../src/run/folder.ts";
import { keptEncoders } from "../../src/run/kept.ts";
import { zeros } from "../../src/torch/ops.ts";
import { manualSeed } from "../../src/torch/random.ts";
import { openSafetensors } from "../../src/torch/safetensors.ts";
import { memory, scope } from "../../src/torch/scope.ts";
import type { Tensor } from "../../src/torch/tensor.ts";
import { pretrain, resolveOptions } from "../../src/train/pretrain.ts";
import { makePictures, scratch } from "../images.ts";
import { expectNoLeak } from "../live.ts";
import { smallRun, stopAt, tensorsOf } from "../small-run.ts";

const folder = scratch();
const images = join(folder, "pictures");
const init = join(folder, "weights.safetensors");
const [run, supervised] = [join(folder, "run"), join(folder, "supervised")];
const { width, stem, ...unsized } = smallRun;
const small = { ...unsized, images, init, epochs: 2, preset: "quick" } as const;
const quick = { images, protocol: ["knn"], labelsPerClass: [2], draws: 2 } satisfies Partial<EvaluateOptions>;

expectNoLeak();

beforeAll(async () => {
  await makePictures(join(images, "train"), { count: 8, classes: ["blue", "green", "red"] });
  await makePictures(join(images, "test"), { count: 4, classes: ["blue", "green", "red"], seed: 1 });
  manualSeed(9);
  const encoder = createEncoder(smallRun);
  scope(() => {
    const state = [...encoder.state()].map(([name, tensor]): [string, Tensor] => [`module.${name}`, tensor]);
    saveState(init, new Map([...state, ["module.fc.weight", zeros([10, encoder.outDim])]]));
  });
  encoder.dispose();
  await pretrain({ ...small, out: run });
});

/** A file's tensors by name, without the prefix and the classifier. */
function tensorsIn(file: string): Map<string, string> {
  const source = openSafetensors(file);
  const names = [...source.entries.keys()].filter((name) => !name.includes("fc."));
  const found = new Map(
    names.map((name) => [name.replace("module.", ""), Buffer.from(source.read(name)).toString("base64")]),
  );
  source.close();
  return found;
}

test("keep the weights they began with, say so, and train all of them: the first layer too", () => {
  expect(readConfig(run)).toMatchObject({ init, width, stem, preset: "quick", firstLayer: "trained" });
  const [given, kept, trained] = [init, runFiles(run).initial, runFiles(run).encoder].map(tensorsIn);
  expect(new Map([...(kept ?? [])].sort())).toEqual(new Map([...(given ?? [])].sort()));
  expect(trained?.get("conv1.weight")).not.toBe(given?.get("conv1.weight"));
  expect(readFileSync(runFiles(run).log, "utf8")).toContain(`The encoder begins with the weights of ${init}.`);
});

test("keep them as they were given, also where the task changes its encoder before the first step", async () => {
  const blind = join(folder, "blind");
  await pretrain({
    ...small,
    epochs: 1,
    preset: "paper",
    task: "colorization",
    taskOptions: { keepColour: 0 },
    out: blind,
  });
  const [given, kept] = [init, runFiles(blind).initial].map(tensorsIn);
  expect(kept?.get("conv1.weight")).toBe(given?.get("conv1.weight"));
});

test("are compared with the weights that they began with, which runs of other seeds share", async () => {
  const other = join(folder, "other-seed");
  await pretrain({ ...small, seed: 1, out: other });
  const { rows, differences, notes } = await evaluate({
    ...quick,
    runs: [run, other],
    weights: [`given:resnet10=${init}`],
  });
  const valuesOf = (name: string) =>
    rows.filter(({ encoder }) => encoder === name).map(({ layer, protocol, value }) => ({ layer, protocol, value }));
  expect(valuesOf("run, as it began").length).toBeGreaterThan(0);
  expect(valuesOf("run, as it began")).toEqual(valuesOf("given"));
  expect(rows.map(({ encoder }) => encoder)).not.toContain("other-seed, as it began");
  const pairs = differences.map(({ encoder, baseline }) => `${encoder}: ${baseline}`);
  for (const encoder of ["run", "other-seed", "run and 1 more"])
    expect(pairs).toContain(`${encoder}: run, as it began`);
  expect(notes).toContainEqual(expect.stringMatching(/^run began with the weights of .*nobody knows whether/));
});

test("resume without the file, and end as if nothing had happened", async () => {
  const [cut, moved] = [join(folder, "cut"), join(folder, "moved.safetensors")];
  cpSync(init, moved);
  await expect(pretrain({ ...small, init: moved, out: cut }, stopAt(2))).rejects.toThrow(InterruptedError);
  await expect(pretrain({ ...small, init, out: cut, resume: true })).rejects.toThrow(/init was .*moved.*is .*weights/);
  rmSync(moved);
  await preview({ images, run: cut, out: join(folder, "preview.png"), count: 2 });
  await pretrain({ images, out: cut, resume: true });
  expect(tensorsOf(cut)).toEqual(tensorsOf(run));
  expect(tensorsIn(runFiles(cut).initial)).toEqual(tensorsIn(runFiles(run).initial));
});

test("whose kept weights are gone are not measured: no other network may stand for them", async () => {
  const bare = join(folder, "bare");
  cpSync(run, bare, { recursive: true });
  rmSync(runFiles(bare).initial);
  await expect(evaluate({ ...quick, runs: [bare] })).rejects.toThrow(/has no initial.safetensors.*Put the file back/);
});

test("know what the weights of a run had learned: labels of test images are found through a resumed run", async () => {
  const learning = { ...smallRun, images, split: "test", task: "supervised", epochs: 1, out: supervised };
  await pretrain({ ...learning, keepCheckpoints: 1 });
  const heir = join(folder, "heir");
  const begun = { ...small, init: runFiles(supervised).encoder, split: "train", out: heir };
  await expect(pretrain(begun, stopAt(1))).rejects.toThrow(InterruptedError);
  await pretrain({ images, out: heir, resume: true });
  await expect(evaluate({ ...quick, runs: [heir] })).rejects.toThrow(
    /heir learned the labels of 12 of the 12 test images/,
  );
  await expect(evaluate({ ...quick, runs: [run], weights: [`resnet10=${begun.init}`] })).rejects.toThrow(
    /resnet10 learned the labels of 12 of the 12/,
  );
  const [kept] = keptEncoders(supervised);
  await expect(evaluate({ ...quick, runs: [run], weights: [`resnet10=${kept?.file}`] })).rejects.toThrow(
    /resnet10 learned the labels of 12 of the 12/,
  );
  const second = join(folder, "second-heir");
  await pretrain({ ...begun, init: kept?.file, out: second });
  await expect(evaluate({ ...quick, runs: [second] })).rejects.toThrow(
    /second-heir learned the labels of 12 of the 12/,
  );
});

test.each([
  ["a first layer from patches", { firstLayer: "patches" }, /--first-layer patches would replace the first layer/],
  ["another model", { model: "resnet18" }, /does not fit resnet18: it lacks/],
  ["another width", { width: 0.25 }, /conv1\.weight is \[8,3,3,3\], not \[16,3,3,3\]/],
  ["a file that is not there", { init: join(folder, "none") }, /There is no file/],
] as const)("with %s are refused, and leave nothing behind", async (_, wrong, message) => {
  const [out, before] = [join(folder, "refused"), memory().tensors];
  await expect(pretrain({ ...small, ...wrong, out })).rejects.toThrow(message);
  expect(memory().tensors).toBe(before);
  expect(existsSync(out)).toBe(false);
});

test("without weights, the width is a half", () => {
  expect(resolveOptions({ images, out: join(folder, "unused") })).toMatchObject({ width: 0.5 });
});
