import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { imagesToLearnFrom } from "../data/splits.ts";
import { SelfsightError } from "../errors.ts";
import { evaluate } from "../evaluate/evaluate.ts";
import { neighbourSheet } from "../evaluate/neighbours.ts";
import type { Difference } from "../evaluate/result.ts";
import { replaceFile } from "../files.ts";
import { parseOptions } from "../options.ts";
import { writeReport } from "../report/html.ts";
import { plainResult } from "../report/plain.ts";
import { runReport } from "../report/run.ts";
import { pretrainOptions } from "../run/options.ts";
import { shellWord } from "../setup/terminal.ts";
import { builtInImages, type DemoImages, labelsPerClass, ownImages } from "./demo-images.ts";
import { parseLoose } from "./flags.ts";
import { runPretrain } from "./pretrain.ts";
import { workingLine } from "./working.ts";

/** Minutes for decoding, measuring and the report on two cores. */
const OTHER_MINUTES = 1.5;

export function addDemo(program: Command): void {
  program
    .command("demo")
    .description("the main job in minutes: pre-train without labels, and see how much that helps")
    .option("--images <folder>", "your own images; default: photos of clothes, or, if offline, drawings")
    .option("--minutes <number>", "minutes of training (default: 2)", parseLoose)
    .option("--seed <number>", "seed of everything random (default: 0)", parseLoose)
    .action(async ({ images, minutes = 2, seed = 0 }: { images?: string; minutes?: number; seed?: number }) => {
      parseOptions(pretrainOptions, { images: images ?? "clothing", minutes, seed }); // throws before anything is read
      const subject = images === undefined ? await builtInImages(say) : await ownImages(images);
      const out = freeFolder("runs/demo");
      const labels = await labelsPerClass(subject.collection);
      say(opening(subject, minutes, typeof labels === "number"));
      await runPretrain({ ...subject.recipe, images: subject.images, minutes, seed, out });
      if (typeof labels === "number") await measure(subject, labels, out);
      else await showNeighbours(subject, labels, out);
      say(closing(images));
    });
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function opening({ what, question, fair }: DemoImages, minutes: number, labelled: boolean): string {
  const then = labelled
    ? "a few labels show what its features are good for, beside the same network untrained"
    : "you see which of them look alike to it";
  const lines = [
    `This takes about ${Math.ceil(minutes + OTHER_MINUTES)} minutes. First a small network trains for ${minutes === 1 ? "1 minute" : `${minutes} minutes`} on ${what}, without`,
    `any label: it learns to tell ${question}. Then ${then}.`,
    ...(labelled && fair ? [fair] : []),
  ];
  return `${lines.join("\n")}\n\n1. Pre-training`;
}

async function measure({ images, testSplit }: DemoImages, labels: number, out: string): Promise<void> {
  say(`\n2. Measuring, with ${labels} labels for each class`);
  const working = workingLine();
  const evaluation = await evaluate(
    {
      runs: [out],
      images,
      testSplit,
      protocol: ["linear", "knn"],
      protocolOptions: { knn: { neighbours: [{ k: 20, temperature: 0.07 }] } },
      labelsPerClass: [labels],
    },
    { onEvent: (event) => working.tell(event) },
  ).finally(() => working.end());
  for (const note of evaluation.notes) say(note);
  const find = (protocol: string, kind: Difference["baselineKind"]) => {
    const found = evaluation.differences.find((one) => one.protocol === protocol && one.baselineKind === kind);
    if (!found) throw new SelfsightError(`The evaluation has no comparison by ${protocol} with ${kind}.`);
    return found;
  };
  const difference = find("linear", "untrained");
  const told = plainResult({
    untrained: difference,
    pixels: find("linear", "pixels"),
    handcrafted: find("linear", "handcrafted"),
    neighbours: find("knn-20", "untrained"),
  });
  const report = join(out, "report.html");
  writeReport(report, runReport(out, { result: { evaluation, difference } }));
  say(`\n3. The result\n${told.join("\n")}\nThe curve, what the network saw and all numbers: ${report}`);
}

async function showNeighbours({ collection }: DemoImages, reason: string, out: string): Promise<void> {
  say("\n2. Looking for images that are alike");
  const { set } = await imagesToLearnFrom(collection);
  const neighbours = await neighbourSheet(out, set);
  const picture = join(out, "neighbours.png");
  replaceFile(picture, neighbours);
  const report = join(out, "report.html");
  const headline = "Pre-trained without labels. Whether that helped, only labels can tell.";
  writeReport(report, runReport(out, { headline, neighbours }));
  say(
    `\n3. The result\nThese images look alike to it, row by row: ${picture}\nThe curve and what it saw: ${report}\n` +
      `Whether that helped, only labels can tell. ${reason}`,
  );
}

/** Three commands to try next. */
function closing(images: string | undefined): string {
  const place = images === undefined ? "path/to/photos" : shellWord(images);
  return [
    "\nNext, on your own images:",
    images === undefined
      ? `  npx selfsight demo --images ${place}`
      : `  npx selfsight preview ${place} --task jigsaw          (a picture of another task)`,
    `  npx selfsight pretrain ${place} --minutes 30 --out runs/mine`,
    `  npx selfsight evaluate runs/mine ${images === undefined ? "path/to/labelled/photos" : place}`,
  ].join("\n");
}

function freeFolder(wanted: string): string {
  let folder = wanted;
  for (let i = 2; existsSync(folder); i++) folder = `${wanted}-${i}`;
  return folder;
}
