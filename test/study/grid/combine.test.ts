/** From a study's file to its cells, and what is said of a wrong one. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { cellsOf } from "../../../src/study/grid/combine.ts";
import type { StudyOptions } from "../../../src/study/grid/options.ts";
import { parseStudy } from "../../../src/study/grid/parse.ts";
import { shardOf } from "../../../src/study/grid/shard.ts";
import { readStudy } from "../../../src/study/grid/yaml.ts";
import { scratch } from "../../images.ts";

const folder = scratch();
const file = join(folder, "mine.yaml");

function read(text: string, changes: Partial<StudyOptions> = {}) {
  writeFileSync(file, text);
  return readStudy(file, changes);
}
const namesOf = (options: Omit<StudyOptions, "images">) =>
  cellsOf(parseStudy({ images: "photos", ...options })).map(({ name }) => name);

test("all combinations, named by what differs, one seed after the other", () => {
  expect(
    namesOf({
      tasks: ["rotation", "jigsaw"],
      model: "vgg11",
      trainImages: [100, "all"],
      options: { jigsaw: { permutations: [10, 20], orders: 4 } },
      seeds: [0, 1],
    }),
  ).toEqual(
    ["seed0", "seed1"].flatMap((seed) => [
      ...[`rotation-n100-${seed}`, `rotation-all-${seed}`],
      ...["n100", "all"].flatMap((n) => [`jigsaw-${n}-permutations10-${seed}`, `jigsaw-${n}-permutations20-${seed}`]),
    ]),
  );
});

test("a cell has every factor, with the commands' defaults", () => {
  expect(cellsOf(parseStudy({ images: "photos", options: { rotation: { angles: 2 } } }))).toEqual([
    {
      name: "rotation",
      factors: {
        ...{ task: "rotation", model: "resnet10", width: 0.5, stem: undefined, imageSize: 64, trainImages: "all" },
        ...{ seed: 0, options: { angles: 2 } },
      },
    },
  ]);
});

test("exclude takes cells away, include adds grids, and each cell is there once", () => {
  expect(
    namesOf({
      tasks: ["rotation", "jigsaw"],
      models: ["resnet10", "vgg11"],
      options: { jigsaw: { permutations: [10, 20] } },
      exclude: [{ task: "jigsaw", models: ["vgg11"] }, { options: { jigsaw: { permutations: 20 } } }],
      include: [
        { model: "nin4", tasks: ["rotation"] },
        { task: "rotation", model: "vgg11" },
      ],
    }),
  ).toEqual([
    ...["rotation-resnet10-permutations", "rotation-vgg11"].map((name) => name.replace("-permutations", "")),
    ...["jigsaw-resnet10", "rotation-nin4"],
  ]);
});

test("what an included entry does not name of a task's options is as in the study", () => {
  const cells = cellsOf(
    parseStudy({
      images: "photos",
      task: "jigsaw",
      options: { jigsaw: { permutations: 10, orders: 4 } },
      include: [{ model: "vgg11", options: { jigsaw: { permutations: 1000 } } }],
    }),
  );
  expect(cells.map(({ factors }) => factors.options)).toEqual([
    { permutations: 10, orders: 4 },
    { permutations: 1000, orders: 4 },
  ]);
});

test("a file may use singular and plural keys, and the command line changes it", () => {
  const study = read("images: emoji\ntask: jigsaw\nwidths: [0.25, 0.5]\ntrainImages: 50\nprotocol: knn\nminutes: 3\n", {
    threads: 1,
    images: "photos",
  });
  expect(study).toMatchObject({ images: "photos", threads: 1, trainImages: [50], protocol: ["knn"], minutes: 3 });
  expect(study.out).toBe(join("runs", "study-mine-photos"));
  expect(cellsOf(study).map(({ name }) => name)).toEqual(["w0.25", "w0.5"]);
});

test.each([
  [
    "an unknown key",
    "images: emoji\ntaks: [rotation]\n",
    'line 2, column 1: Unknown key "taks". Did you mean "tasks"?',
  ],
  [
    "an unknown task",
    "images: emoji\ntasks: [rotation,\n  jigsww]\n",
    'line 3, column 3: Unknown task "jigsww". Did you mean "jigsaw"?',
  ],
  [
    "an unknown model",
    "images: emoji\nmodel: resnet19\n",
    'line 2, column 8: Unknown model "resnet19". Did you mean "resnet1',
  ],
  [
    "an unknown protocol",
    "images: emoji\nprotocol: [knn, lineer]\n",
    'line 2, column 11: Unknown protocol "lineer". Did you mean "linear"?',
  ],
  [
    "an option of a protocol that is not chosen",
    "images: emoji\nprotocolOptions: {knn: {k: 3}}\n",
    'line 2, column 18: Unknown protocol with options "knn". There are: linear.',
  ],
  [
    "a list in place of one value",
    "images: emoji\nwidth: [0.5, 1]\n",
    "line 2, column 1: width: expected one value; got a list. A list is called widths.",
  ],
  ["a wrong value", "images: emoji\nminutes: soon\n", "line 2, column 10: minutes: expected a number above 0; got"],
  [
    "a wrong value in a list",
    "images: emoji\nseeds: [0, -1]\n",
    "line 2, column 8: seeds: expected whole numbers from 0",
  ],
  [
    "a number of seeds",
    "images: emoji\nseeds: 3\n",
    "line 2, column 8: seeds: expected whole numbers from 0 to 2147483647; got 3",
  ],
  [
    "one factor twice",
    "images: emoji\ntask: jigsaw\ntasks: [jigsaw]\n",
    "line 3, column 1: Give either task or tasks, not both",
  ],
  [
    "an unknown option of a task",
    "images: emoji\ntask: jigsaw\noptions:\n  jigsaw: {permutation: 3}\n",
    'line 4, column 12: Unknown option of jigsaw "permutation". Did you mean "permutations"?',
  ],
  [
    "a wrong option of a task",
    "images: emoji\ntask: jigsaw\noptions:\n  jigsaw:\n    permutations: [10, x]\n",
    "line 5, column 24: option of jigsaw permutations: expected a whole number from 2 to 10000",
  ],
  [
    "options of no task",
    "images: emoji\noptions:\n  jigsow: {}\n",
    'line 3, column 3: Unknown task "jigsow". Did you mean "jigsaw"?',
  ],
  [
    "options of a task that no cell has",
    "images: emoji\noptions:\n  jigsaw: {orders: 1}\n",
    "line 3, column 3: options: no cell has the task jigsaw",
  ],
  [
    "an unknown key of an entry",
    "images: emoji\ninclude:\n  - task: jigsaw\n    with: 2\n",
    'line 4, column 5: Unknown key "with". Did you mean "width"?',
  ],
  [
    "an entry that matches nothing",
    "images: emoji\nexclude:\n  - task: jigsaw\n",
    "line 3, column 5: exclude: no cell of the grid matches this",
  ],
  [
    "entries that match all",
    "images: emoji\nexclude:\n  - task: rotation\n",
    "line 3, column 3: exclude leaves no cell",
  ],
  [
    "settings that contradict each other",
    "images: emoji\nminutes: 5\nepochs: 3\n",
    "line 3, column 1: Give either epochs or minutes, not both.",
  ],
  [
    "a shifted crop with a least area",
    "images: emoji\ncrop: shifted\nminArea: 0.5\n",
    "line 3, column 1: --min-area has no effect with --crop shifted",
  ],
  ["no YAML", "images: emoji\ntasks: [rotation\nmodel: vgg11\n", "line 3, column 1: no YAML. "],
  ["a key twice", "images: emoji\nimages: clothing\n", "line 2, column 1: no YAML. Map keys must be unique"],
  ["nothing", "", "mine.yaml: expected keys with values"],
  ["a list", "- rotation\n", "mine.yaml: expected keys with values"],
  ["no images", "task: rotation\n", "mine.yaml: images: expected text; got nothing"],
])("%s is an error with its place", (_, text, message) => {
  expect(() => read(text)).toThrow(message);
});

test("a grid that is too large to count is refused at once", () => {
  const seeds = Array.from({ length: 2000 }, (_, i) => i);
  expect(() => namesOf({ seeds, trainImages: seeds.map((i) => i + 1) })).toThrow(/The study has 4,000,000 cells/);
});

test("recipes are found by their names, and each can be read", () => {
  for (const name of ["tasks", "architectures", "widths.yaml", "scaling", "ten-minutes.yaml"])
    expect(cellsOf(readStudy(name)).length).toBeGreaterThan(5);
  expect(() => readStudy("architecture")).toThrow(/Unknown study "architecture". Did you mean "architectures"/);
  expect(() => readStudy(join(folder, "none.yaml"))).toThrow(/There is no file/);
  expect(() => readStudy(folder)).toThrow(/There is no file/); // a folder called like a recipe does not hide it
});

test("a part is named, or that of a job in an array of SLURM", () => {
  expect(shardOf("2/4", {})).toEqual({ part: 2, of: 4 });
  for (const wrong of ["0/4", "5/4", "2", "a/b", ""])
    expect(() => shardOf(wrong, {})).toThrow(/--shard: expected I\/N/);
  expect(shardOf(undefined, {})).toBeUndefined();
  const parts = (ids: number[], MIN?: number, STEP?: number) =>
    ids.map((ID) => {
      const own = Object.entries({ ID, COUNT: ids.length, MIN, STEP }).filter(([, value]) => value !== undefined);
      return shardOf(undefined, Object.fromEntries(own.map(([key, value]) => [`SLURM_ARRAY_TASK_${key}`, `${value}`])));
    });
  const some = {
    SLURM_ARRAY_TASK_ID: "7",
    SLURM_ARRAY_TASK_COUNT: "2",
    SLURM_ARRAY_TASK_MIN: "3",
    SLURM_ARRAY_TASK_MAX: "7",
  };
  expect(shardOf(undefined, some)).toBeUndefined(); // --array=3,7: two of more jobs
  for (const found of [parts([0, 1, 2]), parts([3, 4, 5]), parts([1, 2, 3], 1), parts([10, 12, 14], 10, 2)])
    expect(found.map((shard) => shard?.part).sort()).toEqual([1, 2, 3]);
});
