import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import type { Command } from "commander";
import { type Dataset, type DatasetName, datasetFolder, datasets } from "../data/datasets.ts";
import { type AddonFacts, doctor, formatDoctor } from "../setup/doctor.ts";
import { exitOnSignals } from "../setup/lock.ts";
import { setup } from "../setup/setup.ts";
import { devices, threads, torchVersion } from "../torch/device.ts";
import { print } from "./output.ts";

export function addSetup(program: Command): void {
  program
    .command("setup")
    .description("find or get libtorch, and build the addon")
    .option(
      "--libtorch <source>",
      "env, python, system, archive, apt or pip; default: $SELFSIGHT_LIBTORCH, then $LIBTORCH, then that of the last build, then the first that works",
    )
    .option("--force", "search and build again")
    .action(async (options: { libtorch?: string; force?: boolean }) => {
      exitOnSignals();
      const { addon, libtorch } = await setup({
        ...options,
        say: (line) => process.stderr.write(`${line}\n`),
      } as Parameters<typeof setup>[0]);
      process.stdout.write(`libtorch ${libtorch.version}: ${addon}\n`);
    });
  program
    .command("doctor")
    .description("what is installed, what is missing, and the remedy")
    .action(async () => {
      const report = await doctor({ probe, datasets: async () => onThisMachine() });
      print(formatDoctor(report));
      if (!report.ok) process.exitCode = 1;
    });
}

function onThisMachine(): string[] {
  return (Object.keys(datasets) as DatasetName[]).filter((name) => {
    const { madeFrom }: Dataset = datasets[name];
    return madeFrom ? isInstalled(madeFrom) : datasetFolder(name);
  });
}

function isInstalled(file: string): boolean {
  try {
    createRequire(import.meta.url).resolve(file);
    return true;
  } catch {
    return false;
  }
}

async function probe(): Promise<AddonFacts> {
  return { torchVersion: torchVersion(), devices: devices(), threads: threads(availableParallelism()) };
}
