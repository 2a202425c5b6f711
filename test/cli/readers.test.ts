/** Nobody reads the output, the terminal closes, the process is told to stop: the work is kept. */
import type { ChildProcess } from "node:child_process";
import { existsSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { type Stoppable, untilInterrupted } from "../../src/cli/signals.ts";
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
  return (child: ChildProcess) => {
    const now = steps(out);
    if (now <= seen || !signals.length) return;
    seen = now;
    child.kill(signals.shift());
  };
}

const terminal = { env: { _: "" } };

test("a closed terminal saves", async () => {
  const out = join(folder, "hangup");
  const { code, stderr } = await selfsight(train(out, 100_000), { ...terminal, watch: sending(out, "SIGHUP") });
  expect(stderr).toMatch(/Interrupted at step \d+, and saved/);
  const locks = readdirSync(out).filter((name) => name.startsWith("lock"));
  expect([code, state(out), locks]).toEqual([130, "interrupted", []]);
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
  const exit = vi.spyOn(process, "exit");
  const stderr = vi.spyOn(process.stderr, "write");
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    exit.mockReset().mockImplementation(() => undefined as never);
    stderr.mockReset().mockReturnValue(true);
  });
  afterEach(() => void vi.useRealTimers());
  afterAll(() => {
    for (const spy of [exit, stderr]) spy.mockRestore();
  });
  const said = () => stderr.mock.calls.map(([text]) => text).join("");
  const codes = () => exit.mock.calls.map(([code]) => code);

  /** Starts work that ends when `finish` is called, and no sooner. */
  function start(begin: (stop: Stoppable) => void = () => {}) {
    let finish = () => {};
    let stop: Stoppable | undefined;
    const ended = untilInterrupted((given) => {
      begin(given);
      stop = given;
      return new Promise<void>((resolve) => {
        finish = resolve;
      });
    });
    const end = () => {
      finish();
      return ended;
    };
    return { stop: stop as Stoppable, end };
  }
  const saving = ({ saveFirst }: Stoppable) => saveFirst();
  const send = (name: NodeJS.Signals) => process.emit(name, name);

  test("with nothing to save, the process ends soon", async () => {
    const { stop, end } = start();
    expect(stop.signal.aborted).toBe(false);
    send("SIGINT");
    expect([stop.signal.aborted, said(), codes()]).toEqual([true, "\nStopping.\n", []]);
    vi.advanceTimersByTime(699);
    expect(codes()).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(codes()).toEqual([130]);
    await end();
  });

  test("work that ends by itself in time is not cut short, and signals are the system's again", async () => {
    const before = process.listenerCount("SIGINT");
    const { end } = start();
    expect(process.listenerCount("SIGINT")).toBe(before + 1);
    send("SIGTERM");
    vi.advanceTimersByTime(600);
    await end();
    vi.advanceTimersByTime(3_600_000);
    expect([codes(), process.listenerCount("SIGINT")]).toEqual([[], before]);
  });

  test("with something to save, it waits until a second request; a signal passed on twice counts as one", async () => {
    const { end } = start(saving);
    send("SIGINT");
    vi.advanceTimersByTime(300);
    send("SIGINT");
    vi.advanceTimersByTime(3_600_000);
    expect([said(), codes()]).toEqual(["\nSaving; once more to stop at once.\n", []]);
    send("SIGINT");
    expect(codes()).toEqual([130]);
    await end();
  });

  test("what must be saved after all is waited for", async () => {
    const { stop, end } = start();
    send("SIGINT");
    vi.advanceTimersByTime(600);
    stop.saveFirst();
    vi.advanceTimersByTime(3_600_000);
    expect(codes()).toEqual([]);
    await end();
  });

  test("a closed terminal never cuts saving short, however many hangups it sends", async () => {
    const { end } = start(saving);
    for (let i = 0; i < 4; i++) {
      send("SIGHUP");
      vi.advanceTimersByTime(1000);
    }
    expect([said(), codes()]).toEqual(["\nSaving; once more to stop at once.\n", []]);
    send("SIGTERM");
    expect(codes()).toEqual([130]);
    await end();
  });
});
