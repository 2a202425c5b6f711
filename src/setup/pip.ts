/** Installs Python packages into a separate folder, without touching any Python environment. */
import { existsSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { makeFolder } from "./folders.ts";
import { fetchLog } from "./places.ts";
import { lastLines, run, which } from "./process.ts";

/** Installs all `packages` into `folder`, or none. Returns undefined, or a phrase that says why it failed. */
export async function pipInstall(
  packages: string[],
  folder: string,
  options: string[] = [],
): Promise<string | undefined> {
  const python = which("python3") ?? which("python");
  if (!python) return "there is no Python on PATH";
  return install(python, folder, [...options, ...packages]).catch((error: Error) => error.message);
}

async function install(python: string, folder: string, wanted: readonly string[]): Promise<string | undefined> {
  const partial = `${folder}.partial`;
  const venv = `${folder}.venv`;
  rmSync(partial, { recursive: true, force: true });
  makeFolder(dirname(folder));
  try {
    const pip = await findPip(python, venv);
    if (!pip) return `${python} has neither pip nor venv (on Debian: apt-get install python3-pip)`;
    const args = ["-m", "pip", "install", "--target", partial, "--no-cache-dir", "--timeout", "10", "--retries", "1"];
    const { code, output } = await run(pip, [...args, ...wanted], { log: fetchLog() });
    if (code !== 0) return `pip failed: ${lastLines(output, 1)}`;
    rmSync(folder, { recursive: true, force: true });
    renameSync(partial, folder);
    return undefined;
  } finally {
    rmSync(partial, { recursive: true, force: true });
    rmSync(venv, { recursive: true, force: true });
  }
}

/** A Python with pip: the given one, or that of a new virtual environment. */
async function findPip(python: string, venv: string): Promise<string | undefined> {
  if ((await run(python, ["-m", "pip", "--version"], { timeoutSeconds: 20 })).code === 0) return python;
  const made = await run(python, ["-m", "venv", venv], { log: fetchLog() });
  const inside = join(venv, "bin", "python");
  return made.code === 0 && existsSync(inside) ? inside : undefined;
}
