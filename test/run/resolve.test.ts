import { describe, expect, test } from "vitest";
import { pretrainOptions } from "../../src/run/options.ts";
import { refuseContradictions, resolveConfig, resolveSaved } from "../../src/run/resolve.ts";
import { registerTask } from "../../src/tasks/index.ts";
import { rotation } from "../../src/tasks/rotation.ts";

const resolve = (options: object) => resolveConfig(pretrainOptions.parse({ images: "photos", ...options }));

describe("options without effect", () => {
  test.each([
    [
      "exemplar",
      { loss: "softmax", margin: 1 },
      /^margin has no effect with loss=softmax\. Give loss=triplet, or leave margin out/,
    ],
    ["exemplar", { classes: 10 }, /^classes has no effect with loss=triplet/],
    ["colorization", { loss: "regression", grid: 20 }, /^grid has no effect with loss=regression/],
    ["rotation", { first: 90 }, /^first has no effect with angles=4/],
  ])("%s %j is refused", (task, taskOptions, message) => {
    expect(() => resolve({ task, taskOptions })).toThrow(message);
  });

  test("an option at its default, or with an effect, is accepted", () => {
    expect(resolve({ task: "exemplar", taskOptions: { loss: "softmax", margin: 0.5 } }).taskOptions).toMatchObject({
      margin: 0.5,
    });
    expect(resolve({ taskOptions: { angles: 2, first: 90 } }).taskOptions).toMatchObject({ angles: 2, first: 90 });
  });

  test("options that contradict each other are refused", () => {
    const refuse = (options: object) => refuseContradictions(pretrainOptions.parse({ images: "photos", ...options }));
    expect(() => refuse({ holdBack: true })).toThrow(/--hold-back has no effect without --split/);
    expect(() => refuse({ crop: "shifted", minArea: 0.5 })).toThrow(/--min-area has no effect with --crop shifted/);
    expect(() => refuse({ deterministic: true, minutes: 1 })).toThrow(/For --deterministic, give --epochs/);
    expect(() => refuse({ epochs: 1, minutes: 1 })).toThrow(/either epochs or minutes/);
    refuse({ crop: "resized", minArea: 0.5 });
  });
});

test("tasks that cut patches never shift images: the blank edge would tell where a patch lies", () => {
  for (const task of ["jigsaw", "relative-patch"])
    for (const preset of ["quick", "paper"]) expect(resolve({ task, preset })).toMatchObject({ crop: "resized" });
  expect(resolve({ task: "rotation" })).toMatchObject({ crop: "auto" });
  expect(resolve({ task: "jigsaw", crop: "shifted" })).toMatchObject({ crop: "shifted" });
});

test.each(["rotation", "jigsaw", "colorization"])("a saved configuration of %s stays what it is", (task) => {
  for (const options of [{}, { minutes: 3 }, { minArea: 0.5 }, { crop: "shifted" }] as const) {
    const saved = resolve({ task, ...options });
    expect(resolveSaved(saved)).toEqual(saved);
  }
  const older = { ...resolve({ task }), crop: "auto" as const };
  expect(resolveSaved(older)).toEqual(older);
});

test("a least area asks for resized crops, however small the images are", () => {
  expect(resolve({ minArea: 0.5 })).toMatchObject({ crop: "resized", minArea: 0.5 });
});

test("a task sets its optimizer and related options; its rate and weight decay are never applied to another optimizer", () => {
  registerTask("with-adamw", {
    ...rotation,
    defaults: { optimizer: "adamw", learningRate: 0.002, weightDecay: 0.05, schedule: "step", warmup: 0.1 },
  });
  const own = { optimizer: "adamw", learningRate: 0.002, weightDecay: 0.05, schedule: "step", warmup: 0.1 };
  expect(resolve({ task: "with-adamw" })).toMatchObject(own);
  expect(resolve({ task: "with-adamw", optimizer: "sgd" })).toMatchObject({ learningRate: 0.05, weightDecay: 5e-4 });
  expect(resolve({ optimizer: "adamw" })).toMatchObject({ learningRate: 0.001, weightDecay: 0.05 });
  registerTask("with-plain-adamw", { ...rotation, defaults: { optimizer: "adamw" } });
  expect(resolve({ task: "with-plain-adamw" })).toMatchObject({ learningRate: 0.001, weightDecay: 0.05 });
  expect(resolve({ minutes: 3 })).toMatchObject({ epochs: undefined, minutes: 3 });
  expect(resolve({})).toMatchObject({ epochs: 50, optimizer: "sgd", learningRate: 0.05 });
});

test("a transformer is trained by AdamW, unless the task has its own way or the user wants another", () => {
  const model = "vit-tiny-8";
  const its = { optimizer: "adamw", learningRate: 0.001, weightDecay: 0.05 };
  expect(resolve({ model })).toMatchObject(its);
  expect(resolve({ model, task: "colorization", minutes: 3 })).toMatchObject(its);
  expect(resolve({ model, learningRate: 0.01 })).toMatchObject({ ...its, learningRate: 0.01 });
  const sgd = { optimizer: "sgd", learningRate: 0.3, weightDecay: 5e-4 };
  expect(resolve({ model, task: "colorization", optimizer: "sgd" })).toMatchObject(sgd);
  expect(resolve({ model, task: "with-adamw" })).toMatchObject({ learningRate: 0.002, schedule: "step" });
});

describe("presets", () => {
  test("auto is quick for runs of up to 15 minutes, else paper", () => {
    expect(resolve({ minutes: 15 }).preset).toBe("quick");
    expect(resolve({ minutes: 15.1 }).preset).toBe("paper");
    expect(resolve({ epochs: 1 }).preset).toBe("paper");
    expect(resolve({}).preset).toBe("paper");
    expect(resolve({ preset: "quick" }).preset).toBe("quick");
    expect(resolve({ minutes: 1, preset: "paper" }).preset).toBe("paper");
  });

  test("quick changes settings and options that the user does not set", () => {
    expect(resolve({ preset: "quick" })).toMatchObject({ firstLayer: "patches", taskOptions: { copies: "one" } });
    expect(resolve({ preset: "paper" })).toMatchObject({ firstLayer: "trained", taskOptions: { copies: "all" } });
    const own = { preset: "quick", firstLayer: "trained", taskOptions: { copies: "all" } };
    expect(resolve(own)).toMatchObject({ firstLayer: "trained", taskOptions: { copies: "all" } });
    expect(resolve({ preset: "quick", task: "supervised" }).firstLayer).toBe("trained");
  });
});
