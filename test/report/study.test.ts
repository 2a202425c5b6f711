import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseCsv } from "../../src/data/csv.ts";
import { accuracy } from "../../src/metric.ts";
import { studyCsv } from "../../src/report/study/csv.ts";
import { orderSentence, pretextSentence, studyVerdict } from "../../src/report/study/sentences.ts";
import { studyHtml, writeStudyPages } from "../../src/report/study.ts";
import { studyTable } from "../../src/report/study-text.ts";
import { type Analysis, analyse } from "../../src/study/analysis/analysis.ts";
import type { PretextLink } from "../../src/study/analysis/pretext.ts";
import { nextCommand } from "../../src/study/analysis/ranking.ts";
import type { FinishedStudy } from "../../src/study/analysis/result.ts";
import type { CellResult, Factors } from "../../src/study/grid/cell.ts";
import { scratch } from "../images.ts";
import { cell, type Effects, study } from "../study/analysis/synthetic.ts";
import { attributes, pairs, parsed, texts } from "./marks.ts";

const folder = scratch();
const tasks = ["rotation", "jigsaw", "exemplar"];
const models = ["resnet18", "vgg11", "alexnet"];
const gains: Readonly<Record<string, number>> = { rotation: 0.2, jigsaw: 0.12, exemplar: 0, supervised: 0.3 };
const byTask: Effects = { gain: ({ task }) => gains[task] as number };
const swapped: Effects = {
  gain: ({ task, model }) => (model === "vgg11" ? 0.2 - (gains[task] as number) : (gains[task] as number)),
  untrained: () => 0.35,
};

const crossed = (effects: Effects) => study({ task: tasks, model: models, seed: [0, 1] }, effects);
const headings = (html: string) => [...parsed(html).querySelectorAll("h2")].map((one) => one.textContent);
const sentencesOf = (result: FinishedStudy) => studyVerdict(analyse(result));
const pageOf = (result: FinishedStudy) => studyHtml(analyse(result));
const sentence = (result: FinishedStudy, start: RegExp) => sentencesOf(result).find((one) => start.test(one));

describe("the sentences", () => {
  it("begin with the task that gains most, and say what cannot be told apart from it", () => {
    expect(sentencesOf(crossed(byTask))[0]).toMatch(
      /^Rotation gains most over the same network untrained: \+(19|20|21|22)\.\d points \(95 % interval \+\S+ to \+\S+\), on average over 3 architectures, more than any other task\.$/,
    );
    const close = study({ task: tasks }, { gain: ({ task }) => (task === "exemplar" ? 0 : 0.15) }, 150);
    expect(sentencesOf(close)[0]).toMatch(/, but (rotation|jigsaw) cannot be told apart from it\.$/);
    expect(sentencesOf(study({ task: ["rotation"] }, byTask))[0]).toMatch(/^Rotation helps: \+/);
    expect(sentencesOf(study({ task: ["exemplar"] }, byTask))[0]).toMatch(
      /^Exemplar is not clearly better than no training: it gains /,
    );
    const harm = study({ task: tasks }, { gain: () => -0.2 });
    expect(sentencesOf(harm)[0]).toMatch(/^Pre-training made it worse: even \w+, the best of 3 tasks, has −/);
    expect(sentencesOf(harm)[1]).toMatch(/in none of 3 combinations; in 3 it was worse/);
    expect(sentencesOf({ ...harm, cells: [] })).toEqual(["Nothing could be measured: every training failed."]);
    const labels = study({ task: ["supervised"] }, byTask);
    expect(sentencesOf(labels)[0]).toBe("Nothing was trained without labels, so that there is nothing to rank.");
  });

  it("do not say that pre-training helps or harms where it does neither", () => {
    const firsts = Array.from({ length: 20 }, (_, run) => {
      // Of another width, the untrained network is another too.
      const nothing = study({ task: tasks, width: [0.5 + run / 100] }, { gain: () => 0 }, 100);
      return sentencesOf(nothing)[0] as string;
    });
    const wrong = firsts.filter((first) => !first.startsWith("No task is clearly better than no training"));
    expect(wrong.length).toBeLessThanOrEqual(3); // 5 % of 20 is 1
  });

  it("name a task that clearly helps where one that gains more may owe it to chance, and what is left out of the ranking", () => {
    const two = study({ task: ["rotation", "jigsaw"] }, { gain: ({ task }) => (task === "jigsaw" ? 0.2 : 0.25) }, 200);
    const [rotation] = two.cells as [CellResult, CellResult];
    rotation.difference.p = 0.4; // its own test, which is valid for few images
    expect(sentencesOf(two)[0]).toMatch(
      /^Jigsaw helps: \+\S+ points .*untrained\. Rotation gains more, \+.*, but chance could give that\.$/,
    );
    const gap = crossed(byTask);
    gap.cells = gap.cells.filter(({ factors }) => factors.task !== "jigsaw" || factors.model !== "vgg11");
    expect(sentencesOf(gap)[1]).toBe("Left out because cells are missing: vgg11.");
  });

  it("do not rank a task that learns from labels among the others, and say so", () => {
    const all = study({ task: ["rotation", "jigsaw", "supervised"], seed: [0, 1] }, byTask);
    expect(sentence(all, /best features/)).toMatch(/^The best features learned without labels are those of rotation: /);
    const one = study({ task: ["rotation", "supervised"], seed: [0, 1] }, byTask);
    expect(sentencesOf(one).join(" ")).not.toContain("best features");
  });

  it("hold no τ where tasks tie, and count networks as they are compared", () => {
    const tied = { outcome: "cannot tell", agreements: [{ tau: Number.NaN }] };
    expect(orderSentence({ tasks: tied } as unknown as Analysis, accuracy)).toMatch(
      /the orders differ, but no two tasks/,
    );
    const links = [2, 4].map((points, i) => ({ model: i ? "vgg11" : undefined, points: new Array(points).fill(0) }));
    expect(pretextSentence(links as unknown as PretextLink[])).toMatch(
      /at least \d+ networks of one task, and there are 2\.$/,
    );
  });

  it("name the best by held-out labels where these are known, else by the test images, as the command for what is next does", () => {
    const both = study({ task: ["rotation", "jigsaw"], seed: [0, 1] }, byTask);
    expect(sentence(both, /best features/)).toMatch(
      /^The best features are those of rotation: \S+ % on the test images/,
    );
    for (const one of both.cells) one.heldOut = one.factors.task === "jigsaw" ? 0.7 : 0.5 + 0.3 * one.factors.seed; // 0.65 on average
    expect(sentence(both, /best features/)).toMatch(
      /^By held-out training labels, the best features are those of jigsaw: \S+ % on the test images, against \S+ % untrained\.$/,
    );
    expect(nextCommand(both)).toContain("--task jigsaw");
    expect(pageOf(both)).toMatch(
      /The best by held-out training labels, for longer:<\/p>\s*<pre><code>npx selfsight pretrain photos --task jigsaw/,
    );
    expect(studyTable({ ...both, version: 1 } as never)).toMatch(
      /held out.*rotation-\S+-seed1.*80\.0 %.*jigsaw-\S+-seed0.*70\.0 %/s,
    );
  });

  it("are refused for cells that were measured on other images", () => {
    const two = study({ task: ["rotation"] }, byTask);
    two.cells.push(cell({ task: "jigsaw" }, byTask, 399));
    expect(() => sentencesOf(two)).toThrow(/^rotation-\S+ and jigsaw-\S+ were measured on different .*, 400 and 399:/);
    const three = study({ task: ["rotation", "jigsaw", "exemplar"] }, byTask);
    const [, jigsaw, exemplar] = three.cells as [CellResult, CellResult, CellResult];
    for (const one of [jigsaw, exemplar]) one.tested = "other";
    expect(() => sentencesOf(three)).toThrow(/^rotation-\S+ and jigsaw-\S+ were measured on different test images:/);
  });

  it("say that the ranking is the same where it is", () => {
    expect(sentence(crossed(byTask), /ranking of tasks/)).toBe(
      "The ranking of tasks is the same on every architecture as far as can be told: rotation, jigsaw, exemplar.",
    );
  });

  it("say which task changes places where an interaction was planted", () => {
    expect(sentence(crossed(swapped), /ranking of tasks/)).toMatch(
      /^The ranking of tasks changes with the architecture: rotation is first on (resnet18|alexnet), third on vgg11\. On \1 it is better than exemplar by (19|2\d)\.\d points, on vgg11 it is worse by (19|2\d)\.\d points\.$/,
    );
  });

  it("do not take chance for a change", () => {
    const alike = study(
      { task: [...tasks, "colorization", "inpainting"], model: models },
      { gain: ({ task }) => (task === "rotation" ? 0.35 : 0.05) },
      100,
    );
    expect(sentence(alike, /ranking of tasks/)).toMatch(
      /^Whether the ranking of tasks changes with the architecture cannot be told: the orders differ \(Kendall's τ .*\), but no two tasks clearly change places\.$/,
    );
  });

  it("do not call rankings the same where no two tasks differ", () => {
    const names = ["rotation", "jigsaw"]; // two alike have the same order everywhere by chance
    const all = Array.from({ length: 8 }, (_, i) =>
      study({ task: names, model: ["resnet18", "vgg11"] }, { gain: () => 0.1 + i / 1000 }, 100),
    );
    for (const one of all)
      expect(sentence(one, /ranking of tasks/)).toBe(
        "Whether the ranking of tasks changes with the architecture cannot be told: on none of them do two tasks clearly differ.",
      );
  });

  it("call the baseline what it is where the whole network is fine-tuned", () => {
    const tuned = crossed(byTask);
    for (const { difference } of tuned.cells) difference.protocol = "finetune";
    const page = parsed(pageOf(tuned)).querySelector("body")?.textContent;
    const words = [...sentencesOf(tuned), studyTable({ cells: tuned.cells }), page].join(" ");
    expect(words).toContain("over the same network from scratch");
    expect(words.replaceAll(/-untrained/g, "")).not.toMatch(/untrained/i);
  });

  it("say whether the pretext score means anything, and when that cannot be said", () => {
    const widths = [0.25, 0.5, 1, 2, 4, 8];
    const wider = (pretext: (factors: Factors) => number) =>
      study({ task: ["rotation"], width: widths }, { gain: ({ width }) => 0.05 * Math.log2(4 * width), pretext });
    expect(
      sentence(
        wider(({ width }) => 0.3 + width / 20),
        /pretext/,
      ),
    ).toMatch(
      /^Networks that solve the pretext task better have better features \(Spearman's ρ\): rotation \(ρ.(1\.00|0\.9\d)\)\.$/,
    );
    expect(
      sentence(
        wider(({ width }) => 0.9 - width / 20),
        /solve it better/,
      ),
    ).toMatch(/have worse features: rotation \(ρ.−/);
    expect(
      sentence(
        wider(({ width }) => (Math.log2(width) % 2 ? 0.5 : 0.4)),
        /pretext/,
      ),
    ).toMatch(/is no sure sign of better features here/);
    expect(sentence(crossed(byTask), /pretext/)).toMatch(
      /cannot be said: it takes at least 4 networks of one task, and there are 3\.$/,
    );
  });

  it("say where the variance comes from", () => {
    expect(sentence(crossed(byTask), /variance/)).toMatch(
      /^Of the differences in accuracy between 3 tasks and 3 architectures, 9\d.% of the variance comes from the task, /,
    );
    const ofModel: Effects = { gain: () => 0.1, untrained: ({ model }) => 0.3 + 0.1 * models.indexOf(model) };
    expect(sentence(crossed(ofModel), /variance/)).toMatch(/ 9\d.% of the variance comes from the architecture, /);
  });
});

it("what is known of images and measurements is told once, and that test images were seen", () => {
  const both = study({ task: ["rotation", "jigsaw"] }, byTask);
  for (const one of both.cells) Object.assign(one, { notes: ["1 image <cannot> be read."] });
  Object.assign(both.cells[0]?.difference as object, { seen: 7 });
  const html = pageOf(both);
  expect(html.match(/1 image &#60;cannot&#62; be read\./g)).toHaveLength(1);
  expect(html).toMatch(/<h2>Before you compare<\/h2>.*rotation-\S+: pre-training saw 7 of the 400 test images/s);
});

describe("the page", () => {
  const big = study(
    { task: [...tasks, "supervised"], model: models, width: [0.5, 1, 2], trainImages: [1000, "all"] },
    {
      ...byTask,
      decay: ({ model }) => (model === "vgg11" ? 0.1 : 0),
    },
  );
  const html = pageOf({
    ...big,
    failed: [{ name: "<jigsaw>", message: "not finite" }],
    leftOut: [{ name: "colorization", message: "grey" }],
    command: "selfsight study a.yaml",
  });

  it("has a section for each factor that varies, and none for the others", () => {
    expect(headings(html)).toEqual([
      "Which task",
      "Tasks and architectures",
      "Does the ranking change with the architecture?",
      "Width",
      "Images to train on",
      "Size of the network",
      "Where in the network",
      "Does a better pretext score mean better features?",
      "Where the differences come from",
      "Every cell",
      "How to read this",
      "What to train next",
      "What failed",
      "What cannot be trained",
      "What it took",
      "How to repeat it",
    ]);
    expect(headings(pageOf(study({ task: ["rotation"] }, byTask)))).toEqual([
      "Where in the network",
      "Every cell",
      "How to read this",
      "What to train next",
      "What it took",
      "How to repeat it",
    ]);
    const options = study({ task: ["jigsaw"], options: [{ permutations: 10 }, { permutations: 100 }] }, byTask);
    expect(headings(pageOf(options))).toContain("Difficulty of jigsaw: permutations");
  });

  it("shows names to where they differ", () => {
    const task = ["jigsaw", "rotation"];
    const html = pageOf(study({ task, width: [0.25, 0.5], trainImages: [1000, 2000] }, byTask));
    expect(texts(html, "x-axis tick label")).toContain("width 0.25, 2,000 images");
    const options = [{ permutations: 100 }, { permutations: 1000 }];
    expect(texts(pageOf(study({ task: ["jigsaw"], width: [0.25, 0.5], options }, byTask)), "name")).toContain(
      "jigsaw (permutations 1000)",
    );
  });

  it("holds no broken values and escapes what is not its own", () => {
    for (const page of [html, pageOf({ ...big, cells: [] }), pageOf(study({ task: ["rotation"] }, byTask))]) {
      expect(page).not.toMatch(/NaN|undefined|\[object|Infinity/);
    }
    expect(html).toContain("&#60;jigsaw&#62;");
    expect(html).toContain("selfsight study a.yaml");
    expect(html).not.toMatch(/<link|src="http/);
  });

  it("says how far late layers are below the one chosen, where labels could be held out to choose", () => {
    expect(html).toContain("each at its last layer: no training labels could be held out");
    expect(html).not.toContain("chosen on held-out labels");
    const held = pageOf({ ...big, cells: big.cells.map((cell) => ({ ...cell, heldOut: 0.5 })) });
    expect(held).toContain("each at the layer that did best on training labels held out for choosing");
    expect(held).toMatch(
      /beside the one chosen on held-out labels, on average: as good on resnet18, as good on alexnet and 10\.0 points below it on vgg11\./,
    );
  });

  it("leaves the supervised yardstick out of rankings", () => {
    const [rank] = [...parsed(html).querySelectorAll("table")].map((table) => table.textContent);
    expect(rank).toMatch(/1rotation.*2jigsaw.*3exemplar.*\*supervised/s);
    expect(sentencesOf(big)[0]).toMatch(/^Rotation gains most/);
  });

  it("hatches the cells that chance explains", () => {
    const two = pageOf(study({ task: ["rotation", "exemplar"], model: ["resnet18", "vgg11"] }, byTask));
    const gain = parsed(two).querySelector("figure.chart");
    expect(gain?.textContent).toContain("not significant");
    expect(gain?.querySelectorAll('path[stroke="currentColor"]')).toHaveLength(1);
    const all = pageOf(study({ task: ["rotation", "jigsaw"], model: ["resnet18", "vgg11"] }, byTask));
    expect(parsed(all).querySelector("figure.chart")?.textContent).not.toContain("not significant");
  });

  it("says what a larger number gives, as far as the same was trained with both", () => {
    const wider: Effects = {
      gain: ({ width, model }) => 0.1 * Math.log2(2 * width) + (model === "vgg11" ? -0.3 : 0),
      untrained: () => 0.5,
    };
    const result = study({ task: ["rotation", "jigsaw"], model: ["resnet18"], width: [0.5, 1, 2] }, wider);
    result.cells.push(cell({ task: "rotation", model: "vgg11", width: 0.5 }, wider)); // has no partner
    expect(pageOf(result)).toMatch(
      /From width 0\.5 to width 2, accuracy improves in these trainings; with one seed each, chance .* could do that: \+(18|19|20|21)\.\d points \(95 % interval/,
    );
  });

  it("compares numbers in the settings that were trained with all of them", () => {
    // With few images the widest failed: the mean over both would credit the width with what the images did.
    const effects: Effects = {
      gain: ({ width, trainImages }) => 0.1 * width + (trainImages === "all" ? 0.2 : -0.1),
    };
    const result = study({ task: ["rotation"], width: [0.5, 1], trainImages: [1000, "all"] }, effects);
    result.cells = result.cells.filter(({ factors: { width, trainImages } }) => width === 0.5 || trainImages === "all");
    expect(pageOf(result)).toMatch(/From width 0\.5 to width 1, accuracy \D*: \+[2-8]\.\d points/);
  });

  it("draws every line through its values, the largest data set at the right end", () => {
    const some = study({ task: ["rotation"], trainImages: [100, 1000, "all"] }, byTask);
    const page = pageOf(some);
    const figure = [...parsed(page).querySelectorAll("figure")].find((one) => one.textContent?.includes("by images"));
    const drawn = figure?.outerHTML ?? "";
    expect(texts(drawn, "x-axis tick label")).toEqual(["100", "1,000", "all"]);
    const places = attributes(drawn, "line", "d").map((line) => pairs(line.replace(/[ML]/g, " ")).map(([x]) => x));
    expect(places[0]).toHaveLength(3);
    expect(places[0]?.toSorted((a, b) => a - b)).toEqual(places[0]);
  });
});

it("writes the page and a table of the cells", async () => {
  const result = crossed(byTask);
  const { files, sentences } = writeStudyPages(folder, result);
  const [page, table] = files;
  expect(sentences).toEqual(sentencesOf(result));
  expect(readFileSync(page as string, "utf8")).toBe(pageOf(result));
  const lines = parseCsv(readFileSync(table as string, "utf8"));
  expect(lines).toHaveLength(18);
  const [first] = result.cells as [CellResult];
  expect(lines[0]).toMatchObject({
    name: first.name,
    task: "rotation",
    stem: "",
    best_layer: "block3",
    options: "{}",
  });
  const { value, baselineValue, difference, low, high, p } = first.difference;
  const numbers = { value, untrained: baselineValue, difference, low, high, p, training_seconds: 60 };
  for (const [name, number] of Object.entries(numbers)) expect(Number(lines[0]?.[name]), name).toBe(number);
  expect(lines[0]?.["held_out"]).toBe("");
  expect(studyCsv([{ ...first, heldOut: 0.625 }])).toContain(",accuracy,0.625,");
});
