import { availableParallelism } from "node:os";
import type { Command } from "commander";
import { type DatasetName, datasetFolder, datasets } from "../data/datasets.ts";
import { type AddonFacts, doctor, formatDoctor } from "../setup/doctor.ts";
import { setup } from "../setup/setup.ts";
import { devices, threads, torchVersion } from "../torch/device.ts";
import { print } from "./output.ts";

export function addSetup(program: Command): void {
  program
    .command("setup")
    .description("find or get libtorch, and build the addon")
    .option("--libtorch <source>", "env, python, system, archive, apt or pip; default: the first that works")
    .option("--force", "search and build again")
    .action(async (options: { libtorch?: string; force?: boolean }) => {
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
  return (Object.keys(datasets) as DatasetName[]).filter((name) => "make" in datasets[name] || datasetFolder(name));
}

async function probe(): Promise<AddonFacts> {
  return { torchVersion: torchVersion(), devices: devices(), threads: threads(availableParallelism()) };
}
