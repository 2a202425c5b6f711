/** Several processes on one study: each cell is done once, a killed one is taken over, and exit codes say how it went. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { runFiles } from "../../../src/run/folder.ts";
import { cellFiles, type Study, studyFiles } from "../../../src/study/grid/folder.ts";
import { selfsight } from "../../cli/run.ts";
import { makePictures, scratch } from "../../images.ts";
import { tensorsOf } from "../../small-run.ts";

const folder = scratch();
const file = join(folder, "mine.yaml");
const place = (name: string) => join(folder, name);
const run = (out: string, words: string[] = [], options: Parameters<typeof selfsight>[1] = {}) =>
  selfsight(["study", file, "--out", out, ...words], options);
const studyOf = (out: string) => JSON.parse(readFileSync(studyFiles(out).study, "utf8")) as Study;
const logOf = (out: string, name: string) => readFileSync(runFiles(cellFiles(out, name).run).log, "utf8");

beforeAll(async () => {
  const images = place("pictures");
  await makePictures(join(images, "train"), { count: 12, classes: ["red", "green"] });
  await makePictures(join(images, "test"), { count: 12, classes: ["red", "green"], seed: 1 });
  writeFileSync(
    file,
    [
      `images: ${images}`,
      "tasks: [rotation]\nseeds: [0, 1, 2]\nwidth: 0.125\nstem: cifar\nimageSize: 16",
      "epochs: 12\nbatchSize: 8\nprecision: f32\ndevice: cpu\nthreads: 1\nlabelsPerClass: 2\ndraws: 2\n",
    ].join("\n"),
  );
});

test("two at once do every cell once, and both tell the result", async () => {
  const out = place("two");
  const both = await Promise.all([run(out), run(out)]);
  for (const { code, stdout, stderr } of both) {
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/seed0 .* %[\s\S]*Next, for longer:\n {2}npx selfsight pretrain .* --task rotation/);
  }
  const { cells, failed } = studyOf(out);
  expect(failed).toEqual([]);
  for (const { name } of cells) expect(logOf(out, name).match(/ (started|resumed)/g)).toEqual([" started"]);
  expect(cells).toHaveLength(3);
});

test("killed and repeated, it goes on where it was", async () => {
  const out = place("killed");
  const { metrics } = runFiles(cellFiles(out, "seed0").run);
  const steps = () => (existsSync(metrics) ? readFileSync(metrics, "utf8").split("\n").length : 0);
  const killed = await run(out, [], { watch: (child) => steps() > 5 && child.kill("SIGKILL") });
  expect(killed.signal).toBe("SIGKILL");
  const { code, stderr } = await run(out);
  expect(code, stderr).toBe(0);
  expect(logOf(out, "seed0").match(/ (started|resumed)/g)).toHaveLength(2);
  expect(studyOf(out).cells).toHaveLength(3);
  const weights = (of: string) => tensorsOf(cellFiles(of, "seed0").run);
  expect(weights(out)).toEqual(weights(place("two")));
});

test("exit codes: 1 if a cell failed, 2 for a wrong file", async () => {
  const text = readFileSync(file, "utf8");
  writeFileSync(file, `${text.replace("seeds: [0, 1, 2]", "seed: 0")}learningRate: 1.0e+30\n`);
  const failed = await run(place("failed"));
  expect([failed.code, failed.stderr]).toEqual([
    1,
    expect.stringMatching(/Failed: rotation: The loss is .*[\s\S]*--retry/),
  ]);
  writeFileSync(file, text.replace("[rotation", "[rotatoin"));
  const wrong = await run(place("wrong"));
  expect([wrong.code, wrong.stderr]).toEqual([
    2,
    expect.stringMatching(/mine\.yaml, line 2, column 9: Unknown task "rotatoin"\. Did you mean "rotation"/),
  ]);
  const shard = await run(place("wrong"), ["--shard", "3/2"]);
  expect([shard.code, shard.stderr]).toEqual([2, expect.stringMatching(/--shard: expected I\/N .*; got "3\/2"/)]);
});
