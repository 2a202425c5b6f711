import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { lastLines, run, which } from "../../src/setup/process.ts";

const script = (text: string) => ["-e", text];

it("keeps both streams in order of arrival, and stdout separately", async () => {
  const result = await run(process.execPath, script("console.log('out'); console.error('err'); process.exitCode = 3"));
  expect(result).toMatchObject({ code: 3, stdout: "out\n" });
  expect(result.output).toContain("err");
});

it("never throws: 127 for a missing program, 124 for one that takes too long", async () => {
  expect((await run("/no/such/program", [])).code).toBe(127);
  const endless = await run(process.execPath, script("setInterval(() => {}, 1000)"), { timeoutSeconds: 0.2 });
  expect(endless.code).toBe(124);
});

it("appends command and output to the log, and passes the environment", async () => {
  const folder = mkdtempSync(join(tmpdir(), "log-"));
  const log = join(folder, "deep", "setup.log");
  const options = { log, env: { GREETING: "hello" } };
  for (let i = 0; i < 2; i++) await run(process.execPath, script("console.log(process.env.GREETING)"), options);
  const text = readFileSync(log, "utf8");
  expect(text.match(/^hello$/gm)).toHaveLength(2);
  expect(text).toContain(`$ ${process.execPath} -e`);
  rmSync(folder, { recursive: true });
});

it("runs without a log if none can be written", async () => {
  const folder = mkdtempSync(join(tmpdir(), "log-"));
  writeFileSync(join(folder, "file"), "");
  for (const log of [folder, join(folder, "file", "setup.log")]) {
    expect(await run(process.execPath, script("console.log('done')"), { log })).toMatchObject({
      code: 0,
      stdout: "done\n",
    });
  }
  rmSync(folder, { recursive: true });
});

it("finds programs on PATH only", () => {
  expect(which("node")).toMatch(/node$/);
  expect(which("no-such-program-anywhere")).toBeUndefined();
});

it("cuts the last lines", () => {
  expect(lastLines("a\nb\nc\n\n", 2)).toBe("b\nc");
});
