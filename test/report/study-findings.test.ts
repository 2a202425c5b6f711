/** What a study's report may claim: with one seed, of factors that vary together, and beside what it tested. */
import { describe, expect, it } from "vitest";
import { ONE_SEED, studyVerdict } from "../../src/report/study/sentences.ts";
import { studyHtml } from "../../src/report/study.ts";
import { analyse } from "../../src/study/analysis/analysis.ts";
import type { CellResult, Factors } from "../../src/study/grid/cell.ts";
import { pattern, scored } from "../study/analysis/synthetic.ts";
import { parsed } from "./marks.ts";

const IMAGES = 64;
type Given = Partial<Factors> & Pick<Factors, "task">;

/** A cell with this mean score, and noise of its own. */
function at(given: Given, value: number, number = 1, deviation = 0.02): CellResult {
  const level = (middle: number) => pattern(number, IMAGES).map((sign) => middle + deviation * sign);
  return scored(given, level(value), new Array(IMAGES).fill(0.3));
}

const analysed = (cells: CellResult[]) => analyse({ config: { images: "photos" }, cells, failed: [], leftOut: [] });
const pageOf = (cells: CellResult[]) => studyHtml(analysed(cells));
const verdictOf = (cells: CellResult[]) => studyVerdict(analysed(cells)).join("\n");
const textOf = (html: string) => parsed(html).querySelector("body")?.textContent ?? "";
const sentencesFrom = (html: string) => textOf(html).match(/From [^:]*:/g) ?? [];

describe("with one seed", () => {
  const chance = "with one seed each, chance in training could do that";
  const crossed = (seeds: readonly number[]) =>
    ["rotation", "jigsaw"].flatMap((task, i) =>
      ["resnet18", "vgg11"].flatMap((model, j) =>
        seeds.map((seed) => at({ task, model, seed }, i === j ? 0.8 : 0.45 + 0.05 * i, 1 + 2 * i + j + 4 * seed)),
      ),
    );
  const claims = [
    ["more than any other task", "more than any other task in these trainings; "],
    ["The ranking of tasks changes with the architecture", " between these trainings; "],
    ["Which architecture is better depends on the task", " in these trainings; "],
    ["Clearly behind the first", " in these trainings ("],
  ] as const;

  it.each(claims)("does not claim without reserve: %s", (claim, reserve) => {
    const said = (seeds: readonly number[]) => textOf(pageOf(crossed(seeds)));
    expect(said([0])).toContain(`${claim}${reserve.replace(claim, "")}${chance}`);
    expect(said([0, 1])).toContain(claim);
    expect(said([0, 1])).not.toContain(chance);
  });
});

describe("a factor", () => {
  it("is not credited with what another one did that varied with it", () => {
    const cells = (
      [
        [0.5, 1000],
        [1, 1000],
        [1, 10_000],
        [2, 10_000],
      ] as const
    ).map(([width, trainImages], i) =>
      at({ task: "rotation", width, trainImages }, trainImages === 1000 ? 0.4 : 0.6, i + 1),
    );
    const html = pageOf(cells);
    expect(sentencesFrom(html)).toEqual([
      `From 1,000 images to 10,000 images, accuracy improves in these trainings; ${ONE_SEED}:`,
    ]);
    const titles = [...parsed(html).querySelectorAll("title")].map(({ textContent }) => textContent);
    expect(titles).toContainEqual(expect.stringMatching(/^rotation, 1,000 images, width 1: 40\.0 %/));
    expect(titles).toContainEqual(expect.stringMatching(/^rotation, 10,000 images, width 1: 60\.0 %/));
    expect(titles).not.toContainEqual(expect.stringMatching(/^rotation, width/));
  });

  it("has one place for each network, though a task's first layers have a few parameters more", () => {
    const cells = [0.5, 1, 2].flatMap((width, i) =>
      ["resnet10", "resnet18"].flatMap((model, j) =>
        [0, 8000].map((more, k) => ({
          ...at({ task: k ? "jigsaw" : "rotation", model, width }, k ? 0.4 : 0.6, 1 + i + 3 * j + 6 * k),
          parameters: 1e6 * (1 + j) * width + more,
        })),
      ),
    );
    const titles = [...parsed(pageOf(cells)).querySelectorAll("title")].map(({ textContent }) => textContent ?? "");
    const sized = titles.filter((title) => /^resnet10, \S+ parameters/.test(title));
    expect(sized).toHaveLength(3);
    for (const title of sized) expect(title).toContain(": 50.0 %"); // the mean over both tasks, as the note says
  });

  it("is tested as one of all factors of the study", () => {
    // Each alone has p = 0.03, which is 0.06 as one of two.
    const unit = 0.1 / Math.sqrt(IMAGES - 1);
    const cells = [0.5, 1].flatMap((width, i) =>
      [32, 64].map((imageSize, j) => {
        const noise = pattern(1, IMAGES).map((sign, image) => i * sign + j * (pattern(2, IMAGES)[image] as number));
        return scored(
          { task: "rotation", width, imageSize },
          noise.map((own) => 0.4 + 2.22 * unit * (i + j) + 0.1 * own),
        );
      }),
    );
    expect(sentencesFrom(pageOf(cells))).toEqual([
      "From width 0.5 to width 1, accuracy does not clearly change:",
      "From 32 pixels to 64 pixels, accuracy does not clearly change:",
    ]);
    const [one] = sentencesFrom(pageOf(cells.filter(({ factors }) => factors.imageSize === 32)));
    expect(one).toBe(`From width 0.5 to width 1, accuracy improves in these trainings; ${ONE_SEED}:`);
  });
});

it("colours what the heatmap does not hatch", () => {
  const coloured = (cells: CellResult[]) => parsed(pageOf(cells)).querySelectorAll("td.up, td.down").length;
  const unit = 0.1 / Math.sqrt(IMAGES - 1);
  const cells = [0.5, 1, 2].map((width, i) => {
    const one = at({ task: "rotation", width }, 0.3 + (i ? 0.5 : 2.2) * unit, i + 1, 0.1);
    one.difference.p = 0.03;
    return one;
  });
  expect(cells[0]?.difference.low).toBeGreaterThan(0); // alone it would be significant
  expect(coloured(cells)).toBe(0);
  expect(coloured(cells.slice(0, 1))).toBe(1);
});

describe("where training made it worse", () => {
  const classOf = (cells: CellResult[]) => parsed(pageOf(cells)).querySelector(".verdict")?.className;
  const worse = ["rotation", "jigsaw"].map((task, i) => {
    const one = at({ task }, 0.1 - 0.01 * i, i + 1);
    one.difference.p = 0.001;
    return one;
  });

  it("the first sentence is marked so, and speaks of a task that is alone as of one", () => {
    expect(classOf(worse)).toBe("verdict did-not-help");
    expect(verdictOf(worse)).toMatch(
      /^Pre-training made it worse: even rotation, the best of 2 tasks, has −20\.0 points/,
    );
    expect(classOf(worse.slice(1))).toBe("verdict did-not-help");
    expect(verdictOf(worse.slice(1))).toMatch(
      /^Jigsaw made it worse: −21\.0 points \(.*\) over the same network untrained\.$/,
    );
  });

  it("a gain of networks that are not clearly better than guessing is told as that, not as chance", () => {
    const idle = ["rotation", "jigsaw"].map((task, i) => {
      const one = at({ task }, 0.5 - 0.01 * i, i + 1);
      Object.assign(one.difference, { chance: 0.9, valueLow: 0.48, p: 1e-9 });
      return one;
    });
    const said = verdictOf(idle);
    expect(said).toMatch(
      /^Rotation gains \+20\.0 points .*, but the same network untrained does worse than guessing there/,
    );
    expect(said).toContain("in none of 2 combinations; in 2 it gains and is still not clearly better than guessing.");
    expect(said).not.toContain("chance could give");
    expect(classOf(idle)).toBe("verdict cannot-tell");
  });

  it("a gain that chance could give is told as that, also where the untrained network is below guessing", () => {
    const noise = ["rotation", "jigsaw"].map((task, i) => {
      const one = at({ task }, 0.303, i + 1, 0.3);
      Object.assign(one.difference, { chance: 0.9, valueLow: 0.2 });
      return one;
    });
    expect(verdictOf(noise)).toMatch(/^No task is clearly better than no training: /);
    expect(verdictOf(noise)).toContain("in 2 the two cannot be told apart");
  });

  it("another mark stands where it helped, or where that cannot be told", () => {
    expect(classOf([at({ task: "rotation" }, 0.5)])).toBe("verdict helped");
    expect(classOf([at({ task: "rotation" }, 0.3)])).toBe("verdict cannot-tell");
    const luckier = at({ task: "jigsaw" }, 0.6, 2);
    luckier.difference.p = 0.4; // its own test
    expect(classOf([at({ task: "rotation" }, 0.5), luckier])).toBe("verdict helped");
  });
});
