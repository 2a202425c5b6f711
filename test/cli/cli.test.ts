/** The command line as a user sees it: help, lists, exit codes, signals, and a whole run. */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { beforeAll, describe, expect, test } from "vitest";
import { runFiles } from "../../src/run/folder.ts";
import { makePictures, scratch } from "../images.ts";
import { selfsight } from "./run.ts";

const folder = scratch();
const images = join(folder, "pictures");
const small = [
  "--model",
  "resnet10",
  "--width",
  "0.125",
  "--stem",
  "cifar",
  "--image-size",
  "16",
  "--device",
  "cpu",
  "--batch-size",
  "8",
];

beforeAll(() => makePictures(images, { count: 24, classes: ["one", "two"] }));

test("help names every command, and each command's flags come from its schema", async () => {
  const { code, stdout } = await selfsight(["--help"]);
  expect(code).toBe(0);
  for (const command of [
    "setup",
    "doctor",
    "demo",
    "pretrain",
    "preview",
    "evaluate",
    "benchmark",
    "study",
    "embed",
    "attention",
    "tasks",
    "models",
    "datasets",
  ])
    expect(stdout).toContain(command);
  const help = await selfsight(["pretrain", "--help"]);
  expect(help.stdout).toMatch(/--image-size <number>\s+side of the network's input/);
  expect(help.stdout).toMatch(/--no-flip/);
  const words = (text: string) => text.replace(/\s+/g, " ");
  const jigsaw = await selfsight(["pretrain", "--task", "jigsaw", "--help"]);
  expect(words(jigsaw.stdout)).toMatch(/--min-area .* asks for resized crops \(default: 0\.3\)/);
  expect(words(help.stdout)).toMatch(/--min-area .* asks for resized crops \(default: 0\.08\)/);
});

test.each([
  ["tasks", /rotation .*1803\.07728[\s\S]*angles=4/],
  ["tasks", /! An encoder trained by colorization hardly sees colour afterwards/],
  ["models", /resnet18 .*stem imagenet \| cifar \| patch/],
  ["datasets", /clothing .*CC0/],
])("%s lists what there is", async (command, content) => {
  const { code, stdout } = await selfsight([command]);
  expect(code).toBe(0);
  expect(stdout).toMatch(content);
});

test("doctor exits with 1 when something is missing, and names it", async () => {
  const { code, stdout } = await selfsight(["doctor"], { env: { SELFSIGHT_ADDON: join(folder, "none.node") } });
  expect(stdout).toMatch(/Not ready: .*addon/);
  expect(code).toBe(1);
});

test("models --detail lists what each model costs, or why it cannot take such images", async () => {
  const flags = ["--detail", "--model", "resnet10,vgg11", "--width", "0.125", "--batch-size", "2"];
  const { code, stdout } = await selfsight(["models", ...flags, "--image-size", "24"]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/Images of 24 pixels, 2 a step/);
  expect(stdout).toMatch(/vgg11 .*needs images of 32 pixels at least/);
  const larger = await selfsight(["models", ...flags, "--image-size", "32"]);
  expect(larger.stdout).toMatch(/resnet10 +0\.08 M +0\.00\d G +\d\.\d MB +\d+/);
  expect(larger.stdout).toMatch(/vgg11 +0\.15 M/);
  const unknown = await selfsight(["models", "--detail", "--model", "resnet19"]);
  expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringMatching(/Did you mean "resnet1\d"/)]);
  const idle = await selfsight(["models", "--width", "2", "--image-size", "224"]);
  expect(idle).toMatchObject({ code: 2, stdout: "" });
  expect(idle.stderr).toContain("--width, --image-size have no effect without --detail");
});

test("pretrain ends with its task's caveat", async () => {
  const words = [
    "pretrain",
    images,
    ...small,
    "--stem",
    "imagenet",
    "--image-size",
    "32",
    "--epochs",
    "1",
    "--task",
    "colorization",
  ];
  const blind = await selfsight([...words, "--out", join(folder, "blind")]);
  expect(blind.stderr.trimEnd()).toMatch(
    /\nAn encoder trained by colorization hardly sees colour afterwards.*keepColour=.*$/,
  );
  const seeing = await selfsight([...words, "--out", join(folder, "seeing"), "keepColour=0.5"]);
  expect([blind.code, seeing.code]).toEqual([0, 0]);
  expect(seeing.stderr).not.toMatch(/hardly sees colour/);
});

test("pretrain and evaluate from end to end", async () => {
  const out = join(folder, "run");
  const trained = await selfsight(["pretrain", images, "angles=2", ...small, "--epochs", "1", "--out", out]);
  expect(trained.stderr).toMatch(
    /^\d+ images are left for evaluate to test on; --split all .*\n\d+ images, cpu, \w+, into/m,
  );
  expect(trained.stderr).toMatch(/accuracy .* \(chance 50\.0 %\)/);
  expect(trained.code).toBe(0);
  const measured = await selfsight([
    "evaluate",
    out,
    images,
    "--protocol",
    "linear",
    "--labels-per-class",
    "3,all",
    "--draws",
    "2",
  ]);
  expect(measured.code).toBe(0);
  expect(measured.stdout).toMatch(/layer4/);
  expect(measured.stdout).toMatch(/untrained/);
  expect(existsSync(join(out, "evals", "default", "result.json"))).toBe(true);

  let listening = false;
  const stopped = await selfsight(["evaluate", out, images, "--draws", "50"], {
    watch(child) {
      if (!listening) child.stderr?.on("data", (text: string) => text.includes("features of") && child.kill("SIGINT"));
      listening = true;
    },
  });
  expect([stopped.code, stopped.stdout]).toEqual([130, ""]);
  expect(existsSync(join(out, "evals", "default-2"))).toBe(false);
});

test("preview writes a picture, also of a run, and refuses settings that differ from the run's", async () => {
  const [file, run, ofRun] = [join(folder, "preview.png"), join(folder, "previewed"), join(folder, "of-run.png")];
  const network = small.slice(0, -2); // without the batch size, which preview does not take
  const drawn = await selfsight(["preview", images, "angles=2", ...network, "--count", "2", "--out", file]);
  expect([drawn.code, drawn.stdout]).toEqual([0, `${file}\n`]);
  expect(await sharp(file).metadata()).toMatchObject({ format: "png" });
  await selfsight(["pretrain", images, "angles=2", ...small, "--epochs", "1", "--out", run]);
  const again = await selfsight(["preview", images, "--run", run, "--threads", "1", "--out", ofRun]);
  expect([again.code, existsSync(ofRun)]).toEqual([0, true]);
  const other = await selfsight(["preview", images, "angles=4", "--run", run, "--task", "jigsaw"]);
  expect(other.stderr).toMatch(/task was "rotation", is "jigsaw"; angles was 2, is 4\. Leave them out/);
  expect(other.stderr).not.toMatch(/^\s+at /m);
  expect(other.code).toBe(2);
});

describe("wrong usage exits with 2 and a message, without a stack trace", () => {
  const cases: [string, () => string[], RegExp][] = [
    ["no command", () => ["pretrian"], /^Unknown command "pretrian"\. Did you mean "pretrain"\? There are: setup, /],
    ["no command, with --help", () => ["pretrian", "--help"], /^Unknown command "pretrian"\. Did you mean "pretrain"/],
    ["help about no command", () => ["help", "foo"], /^Unknown command "foo"\. There are: setup, /],
    ["an unknown flag", () => ["pretrain", images, "--epoch", "3"], /unknown option '--epoch'[\s\S]*--epochs/],
    [
      "no images",
      () => ["pretrain"],
      /missing required argument 'images'[\s\S]*\nTry: npx selfsight pretrain path\/to\/photos/,
    ],
    [
      "a number that is none",
      () => ["pretrain", images, "--epochs", "many"],
      /^--epochs: expected a number above 0; got "many"$/m,
    ],
    ["an option of the task that is none", () => ["pretrain", images, "angels=4"], /Did you mean "angles"/],
    [
      "an option of another task",
      () => ["pretrain", images, "permutations=3"],
      /jigsaw, not of rotation: use --task jigsaw/,
    ],
    ["words that are no key=value", () => ["pretrain", images, "angles"], /Expected key=value, got "angles"/],
    ["a data set's misspelt name", () => ["pretrain", "clotihng"], /Did you mean "clothing"\? Known data sets/],
    ["a missing folder", () => ["pretrain", join(folder, "none")], /no file or folder/],
    ["an output folder that exists", () => ["pretrain", images, "--out", folder], /exists and is never overwritten/],
    ["an empty folder", () => ["pretrain", join(folder, "empty")], /holds no images/],
    ["a folder without images", () => ["pretrain", join(folder, "texts")], /holds no images/],
    ["a file that is no image set", () => ["pretrain", join(folder, "texts", "a.txt")], /no known format/],
  ];
  beforeAll(() => {
    mkdirSync(join(folder, "empty"));
    mkdirSync(join(folder, "texts"));
    writeFileSync(join(folder, "texts", "a.txt"), "not a picture");
  });
  test.each(cases)("%s", async (_, words, message) => {
    const { code, stderr } = await selfsight(words());
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(code).toBe(2);
  });
});

test.skipIf(process.getuid?.() === 0)(
  "a folder that may not be read is named, with its permissions as the remedy",
  async () => {
    const locked = join(folder, "locked");
    mkdirSync(locked);
    chmodSync(locked, 0);
    const { code, stderr } = await selfsight(["pretrain", locked]);
    chmodSync(locked, 0o700);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/cannot be read.*permissions/)]);
  },
);

test("evaluate needs runs and images, and says so", async () => {
  const { code, stderr } = await selfsight(["evaluate", "runs/mine"]);
  expect([code, stderr]).toEqual([2, expect.stringMatching(/^Expected one run folder.*got only "runs\/mine"/)]);
});

test("failed writes end in one sentence, without a stack trace", async () => {
  const file = join(folder, "in-the-way");
  writeFileSync(file, "");
  const refused = await selfsight(["evaluate", join(file, "run"), images]);
  expect([refused.code, refused.stderr]).toEqual([
    2,
    expect.stringMatching(/^There is no run folder .*take run folders first/),
  ]);
  const previewed = await selfsight(["preview", images, ...small.slice(0, -2), "--out", join(file, "p.png")]);
  expect(previewed.stderr).toMatch(
    /p\.png cannot be written: a part of the path is a file, not a folder \(ENOTDIR\)\./,
  );
  expect([previewed.code, previewed.stderr]).toEqual([1, expect.not.stringMatching(/defect|^\s+at /m)]);
});

test.each(["SIGINT", "SIGTERM"] as const)("%s saves, says how to resume, and exits with 130", async (signal) => {
  const out = join(folder, signal);
  let sent = false;
  const { code, stderr } = await selfsight(["pretrain", images, ...small, "--epochs", "100000", "--out", out], {
    watch(child) {
      if (sent || !existsSync(join(out, "metrics.jsonl")) || !readFileSync(join(out, "metrics.jsonl")).length) return;
      sent = child.kill(signal);
    },
  });
  expect(stderr).toMatch(/Interrupted at step \d+, and saved. Go on with --resume/);
  expect(code).toBe(130);
  expect(existsSync(runFiles(out).checkpoint)).toBe(true);
  expect(JSON.parse(readFileSync(runFiles(out).status, "utf8"))).toMatchObject({ state: "interrupted" });
});

test("images that cannot be decoded are skipped and listed; too many of them stop the run with exit code 1", async () => {
  const damaged = join(folder, "damaged");
  await makePictures(damaged, { count: 30 });
  const jpeg = await sharp(join(damaged, "0000.png")).resize(200, 200).jpeg().toBuffer();
  writeFileSync(join(damaged, "broken.jpg"), jpeg.subarray(0, jpeg.length / 2));
  const { code, stderr } = await selfsight([
    "pretrain",
    damaged,
    ...small,
    "--epochs",
    "1",
    "--out",
    join(folder, "skips"),
  ]);
  expect(stderr).toMatch(/1 image cannot be read: skipped\.json .*\n30 images,/);
  expect(code).toBe(0);
  expect(JSON.parse(readFileSync(runFiles(join(folder, "skips")).skipped, "utf8"))).toMatchObject([
    { id: "broken.jpg" },
  ]);
  for (let i = 0; i < 5; i++) writeFileSync(join(damaged, `broken-${i}.jpg`), "no picture");
  const stopped = await selfsight(["pretrain", damaged, ...small, "--epochs", "1", "--out", join(folder, "stops")]);
  expect(stopped.stderr).toMatch(/6 of 36 images .* cannot be read/);
  expect(stopped.code).toBe(1);
  expect(existsSync(join(folder, "stops"))).toBe(false);
});
