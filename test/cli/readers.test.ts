/** Nobody reads the output, the terminal closes, the process is told to stop: the work is kept. */
import { spawn } from "node:child_process";
import { existsSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { runFiles } from "../../src/run/folder.ts";
import { readMetrics } from "../../src/run/log.ts";
import { makePictures, scratch } from "../images.ts";
import { asFlags, smallRun } from "../small-run.ts";
import { selfsight } from "./run.ts";

const folder = scratch();
const images = join(folder, "pictures");
const flags = asFlags({ ...smallRun, threads: 1 });
const train = (out: string, epochs: number) => ["pretrain", images, ...flags, "--epochs", String(epochs), "--out", out];
const state = (out: string) => JSON.parse(readFileSync(runFiles(out).status, "utf8")).state;
const steps = (out: string) => {
  const file = join(out, "metrics.jsonl");
  return existsSync(file) ? readMetrics(file).length : 0;
};

beforeAll(() => makePictures(images, { count: 24 }));

describe("a reader that ends", () => {
  test("does not end the training", async () => {
    const out = join(folder, "piped");
    const { code } = await selfsight(train(out, 4), {
      watch: (child) => steps(out) && child.stderr?.destroy(),
    });
    expect([code, state(out), existsSync(runFiles(out).encoder)]).toEqual([0, "done", true]);
  });

  test("is not a failure of a command that prints", async () => {
    const { code, stderr } = await selfsight(["tasks"], { watch: (child) => child.stdout?.destroy() });
    expect([code, stderr]).toEqual([0, ""]);
  });
});

describe.skipIf(!existsSync("/dev/full"))("a full disk behind the output", () => {
  const full = openSync(existsSync("/dev/full") ? "/dev/full" : "/dev/null", "w");

  test("does not end the training", async () => {
    const out = join(folder, "full");
    const { code } = await selfsight(train(out, 1), { stdio: ["ignore", full, full] });
    expect([code, state(out)]).toEqual([0, "done"]);
  });

  test("fails a command that only prints, in one sentence", async () => {
    const { code, stderr } = await selfsight(["datasets"], { stdio: ["ignore", full, "pipe"] });
    expect(stderr).toMatch(/^Standard output cannot be written to: ENOSPC.*\.\n$/);
    expect(code).toBe(1);
  });
});

/** Sends the next signal each time the run has made more steps. */
function sending(out: string, ...signals: NodeJS.Signals[]) {
  let seen = 0;
  return (child: ReturnType<typeof spawn>) => {
    const now = steps(out);
    if (now <= seen || !signals.length) return;
    seen = now;
    child.kill(signals.shift());
  };
}

const terminal = { env: { _: "" } };

test("a closed terminal saves, however many hangups it sends", async () => {
  const out = join(folder, "hangup");
  const { code, stderr } = await selfsight(train(out, 100_000), {
    ...terminal,
    watch: sending(out, "SIGHUP", "SIGHUP", "SIGHUP"),
  });
  expect(stderr).toMatch(/Interrupted at step \d+, and saved/);
  expect([code, state(out), readdirSync(out).filter((name) => name.startsWith("lock"))]).toEqual([
    130,
    "interrupted",
    [],
  ]);
});

test("under nohup, a closed terminal does not stop the run", async () => {
  const out = join(folder, "nohup");
  const { code, stderr } = await selfsight(train(out, 100_000), {
    env: { _: "/usr/bin/nohup" },
    watch: sending(out, "SIGHUP", "SIGTERM"),
  });
  expect(stderr).toMatch(/Interrupted at step \d+, and saved/);
  expect([code, state(out)]).toEqual([130, "interrupted"]);
  expect(steps(out)).toBeGreaterThan(1);
});

describe("told to stop", () => {
  const signals = JSON.stringify(new URL("../../src/cli/signals.ts", import.meta.url).href);
  /** Sends signals, at these pauses in ms, to a program that never ends by itself. Returns its exit code and stderr. */
  const told = (body: string, ...pauses: number[]) =>
    new Promise<[number | null, string]>((resolve) => {
      const source = `import { untilInterrupted } from ${signals};
        await untilInterrupted(({ signal, saveFirst }) => new Promise((resolve) => {
          ${body}
          setInterval(() => {}, 1000);
          process.stdout.write("ready");
        }));`;
      const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", source], {
        env: { ...process.env, ...terminal.env },
      });
      let said = "";
      child.stderr.on("data", (chunk: Buffer) => {
        said += chunk;
      });
      child.stdout.once("data", async () => {
        child.kill("SIGINT");
        for (const pause of pauses) {
          await new Promise((go) => setTimeout(go, pause));
          child.kill("SIGINT");
        }
      });
      child.on("close", (code) => resolve([code, said]));
    });

  test("with nothing to save, the process ends soon", async () => {
    expect(await told("")).toEqual([130, "\nStopping.\n"]);
  });

  test("with something to save, it waits until a second request; a signal passed on twice counts as one", async () => {
    expect(await told("saveFirst(); signal.onabort = () => setTimeout(() => process.exit(7), 1500);", 50)).toEqual([
      7,
      "\nSaving; once more to stop at once.\n",
    ]);
    expect(await told("saveFirst();", 50, 600)).toEqual([130, "\nSaving; once more to stop at once.\n"]);
  });
});
