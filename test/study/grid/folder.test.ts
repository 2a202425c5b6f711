import { join } from "node:path";
import { expect, test } from "vitest";
import type { Cell } from "../../../src/study/grid/cell.ts";
import { openClaims } from "../../../src/study/grid/claim.ts";
import { cellsOf } from "../../../src/study/grid/combine.ts";
import { hasGrown, openStudyFolder } from "../../../src/study/grid/folder.ts";
import type { StudyConfig, StudyOptions } from "../../../src/study/grid/options.ts";
import { parseStudy } from "../../../src/study/grid/parse.ts";
import { scratch } from "../../images.ts";

const folder = scratch();
const studyOf = (out: string, options: Partial<StudyOptions>) => {
  const config = { ...parseStudy({ images: "photos", ...options }), out: join(folder, out) } as StudyConfig;
  return { config, cells: cellsOf(config) };
};
const open = ({ config, cells }: { config: StudyConfig; cells: Cell[] }, images = "12 abc") =>
  openStudyFolder(config, cells, images, openClaims({ beat: 20, stale: 200 }));
const names = (cells: readonly Cell[]) => cells.map(({ name }) => name);

test("cells keep the names that they were begun with", async () => {
  expect(names(await open(studyOf("named", { task: "rotation" })))).toEqual(["rotation"]);
  const grown = studyOf("named", { tasks: ["rotation", "jigsaw"], seeds: [0, 1] });
  const all = ["rotation", "jigsaw-seed0", "rotation-seed1", "jigsaw-seed1"];
  expect(names(await open(grown))).toEqual(all);
  expect(names(await open({ ...grown, cells: [...grown.cells].reverse() }))).toEqual([...all].reverse());
});

test("of two processes that let it grow at once, one is refused: the study must not lose a cell", async () => {
  const begun = studyOf("both", { task: "rotation" });
  await open(begun);
  const two = [
    studyOf("both", { task: "rotation", seeds: [0, 1] }),
    studyOf("both", { tasks: ["rotation", "jigsaw", "exemplar"] }),
  ];
  const ended = await Promise.allSettled(two.map((one) => open(one)));
  expect(ended.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  const { reason } = ended.find(({ status }) => status === "rejected") as PromiseRejectedResult;
  expect(String(reason)).toMatch(/no part of this one: /);
  expect(hasGrown(begun.config, begun.cells)).toBe(true);
  const winner = two[ended.findIndex(({ status }) => status === "fulfilled")] as (typeof two)[number];
  expect(hasGrown(winner.config, winner.cells)).toBe(false);
});

test("other images than it began with are refused: cells could not be compared", async () => {
  const begun = studyOf("images", { task: "rotation" });
  await open(begun);
  const grown = studyOf("images", { task: "rotation", seeds: [0, 1] });
  await expect(open(grown, "13 def")).rejects.toThrow(/photos holds other images than.*\(12 then, 13 now\)/);
  await expect(open(grown, "12 def")).rejects.toThrow(/12 now, but with other names, labels or groups/);
  expect(hasGrown(begun.config, begun.cells)).toBe(false);
  expect(names(await open(grown))).toHaveLength(2);
});
