/**
 * Is a benchmark that was killed and repeated the same as one left alone? `npx tsx bench/kill-benchmark.ts --count 20` makes a small
 * set of pictures, runs a small benchmark once, then kills it (SIGKILL) at random moments of as many further ones, repeats each
 * command until it ends, and compares every report.json with the first, times and folders left out.
 */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import sharp from "sharp";
import { randomAt, uniform } from "../src/random.ts";
import { benchmarkFiles } from "../src/study/benchmark/folder.ts";

const program = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));

/** Two classes that differ in what fills them, so that there is something to learn. */
async function makePictures(folder: string): Promise<void> {
  for (const [kind, each] of [
    ["stripes", 40],
    ["spots", 40],
  ] as const) {
    mkdirSync(join(folder, kind), { recursive: true });
    for (let i = 0; i < each; i++) {
      const random = randomAt(i, kind.length);
      const side = 32;
      const [hue, wide] = [Array.from({ length: 3 }, () => uniform(random, 60, 255)), uniform(random, 3, 7)];
      const pixels = Uint8Array.from({ length: 3 * side ** 2 }, (_, at) => {
        const [x, y] = [Math.floor(at / 3) % side, Math.floor(at / 3 / side)];
        const on = kind === "stripes" ? y % wide < wide / 2 : (x % wide) ** 2 + (y % wide) ** 2 < wide;
        return on ? (hue[at % 3] as number) : uniform(random, 0, 40);
      });
      await sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
        .png()
        .toFile(join(folder, kind, `${i}.png`));
    }
  }
}

/** Runs it to its end, or kills it after so many milliseconds. Returns the exit code; null if it was killed. */
function run(images: string, out: string, killAfter?: number): Promise<number | null> {
  const args = [
    "benchmark",
    images,
    "--tasks",
    "rotation,jigsaw",
    "--epochs",
    "3",
    "--image-size",
    "32",
    "--width",
    "0.125",
    "--batch-size",
    "16",
  ];
  const child = spawn(
    process.execPath,
    [program, ...args, "--draws", "2", "--scratch-draws", "1", "--labels-per-class", "2,all", "--out", out],
    {
      stdio: "ignore",
    },
  );
  const timer = killAfter === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), killAfter);
  return new Promise((resolve) => {
    child.on("exit", (code) => {
      clearTimeout(timer);
      resolve(code);
    });
  });
}

/** The report without what names its folder. */
const told = (out: string) => readFileSync(benchmarkFiles(out).report, "utf8").replaceAll(out, "OUT");

await new Command("kill-benchmark")
  .option("--count <number>", "how often it is killed", Number, 20)
  .option("--seed <number>", "of the moments", Number, 0)
  .action(async ({ count, seed }: { count: number; seed: number }) => {
    const folder = mkdtempSync(join(tmpdir(), "kill-benchmark-"));
    try {
      const images = join(folder, "pictures");
      await makePictures(images);
      const alone = join(folder, "alone");
      const began = performance.now();
      if ((await run(images, alone)) !== 0) throw new Error("the benchmark does not run");
      const whole = performance.now() - began;
      process.stdout.write(`left alone: ${(whole / 1000).toFixed(1)} s\n`);
      let [equal, killed] = [0, 0];
      for (let i = 0; i < count; i++) {
        const out = join(folder, `killed-${i}`);
        const moment = uniform(randomAt(seed, i), 0, whole);
        if ((await run(images, out, moment)) === null) killed++;
        const code = await run(images, out);
        const same = code === 0 && told(out) === told(alone);
        if (same) equal++;
        process.stdout.write(
          `killed after ${(moment / 1000).toFixed(1)} s: ${same ? "equal" : `DIFFERENT (exit code ${code})`}\n`,
        );
      }
      process.stdout.write(
        `${killed} of ${count} were killed before their end; ${equal} of ${count} reports are equal\n`,
      );
      process.exitCode = equal === count ? 0 : 1;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  })
  .parseAsync();
