/** No argument that a script passes may crash the process. SELFSIGHT_FUZZ_SEED and SELFSIGHT_FUZZ_RUNS extend the search. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const seed = process.env["SELFSIGHT_FUZZ_SEED"] ?? "1";
const runs = process.env["SELFSIGHT_FUZZ_RUNS"] ?? "1000";
/** Milliseconds: far more than a slow machine needs. */
const limit = 120_000 + 100 * Number(runs);
const child = fileURLToPath(new URL("./fuzz-child.ts", import.meta.url));

for (const mode of ["api", "operators"]) {
  test(`${runs} hostile calls of ${mode}, seed ${seed}`, { timeout: limit + 30_000 }, () => {
    const folder = mkdtempSync(join(tmpdir(), "fuzz-"));
    const log = join(folder, "calls");
    const { status, signal, stderr } = spawnSync(process.execPath, ["--import", "tsx", child, mode, seed, runs, log], {
      encoding: "utf8",
      timeout: limit,
    });
    const last = readFileSync(log, "utf8").trimEnd().split("\n").at(-1);
    rmSync(folder, { recursive: true });
    const outcome =
      status === 0 ? "ended well" : `${signal ?? `status ${status}`}, seed ${seed}, in ${last}\n${stderr.slice(-2000)}`;
    expect(outcome).toBe("ended well");
    expect(last).toBe("done");
  });
}
