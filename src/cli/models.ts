import type { Command } from "commander";
import { z } from "zod";
import { SelfsightError, UsageError } from "../errors.ts";
import { describeModel, type SpeedOptions, trainingSpeed } from "../models/detail.ts";
import { modelEntry, models } from "../models/index.ts";
import { parseOptions } from "../options.ts";
import { pretrainOptions } from "../run/options.ts";
import { flag } from "../setup/terminal.ts";
import { chooseCompute } from "../torch/compute.ts";
import { addFlags } from "./flags.ts";
import { print } from "./output.ts";

const { stem, imageSize, device, precision, threads } = pretrainOptions.shape;
const modelsOptions = z.strictObject({
  detail: z.boolean().default(false).describe("parameters, arithmetic, memory and speed of each, measured here"),
  model: z.array(z.string()).optional().describe("these only; default: all"),
  imageSize,
  width: z.number().positive().max(64).default(1).describe("multiplies every layer's channels"),
  stem,
  batchSize: z.int().positive().default(16).describe("images in a step whose time is measured"),
  device,
  precision,
  threads,
});

export function addModels(program: Command): void {
  const command = program.command("models").description("the architectures, and what each costs");
  addFlags(command, modelsOptions).action(async (flags: object) => {
    const options = parseOptions(modelsOptions, flags);
    const names = options.model ?? Object.keys(models);
    const entries = names.map((name) => [name, modelEntry(name)] as const);
    if (!options.detail) {
      refuseUnused(flags);
      for (const [name, { title, stems, paper }] of entries)
        print(`${name.padEnd(16)} ${title}; stem ${stems.join(" | ")}  ${paper}`);
      return;
    }
    const compute = await chooseCompute(options);
    print(
      `Images of ${options.imageSize} pixels, ${options.batchSize} a step, ${compute.device}, ${compute.precision}; multiply-adds and activations for one image`,
    );
    print(columns(["model", "parameters", "multiply-adds", "activations", "images/s"]));
    for (const name of names) {
      try {
        print(detailLine({ ...options, ...compute, model: name }));
      } catch (error) {
        if (!(error instanceof SelfsightError) || names.length === 1) throw error;
        print(`${name.padEnd(16)} ${error.message}`);
      }
    }
  });
}

/** @throws UsageError for options that only `--detail` uses */
function refuseUnused(flags: object): void {
  const unused = Object.keys(flags).filter((name) => name !== "detail" && name !== "model");
  if (unused.length)
    throw new UsageError(
      `${unused.map((name) => flag(name)).join(", ")} ${unused.length > 1 ? "have" : "has"} no effect without --detail. Add it.`,
    );
}

const columns = ([name = "", ...rest]: string[]) => name.padEnd(16) + rest.map((text) => text.padStart(15)).join("");

function detailLine(options: SpeedOptions): string {
  const { parameters, multiplyAdds, activationBytes } = describeModel(options);
  return columns([
    options.model,
    `${(parameters / 1e6).toFixed(2)} M`,
    `${(multiplyAdds / 1e9).toFixed(3)} G`,
    `${(activationBytes / 1e6).toFixed(1)} MB`,
    trainingSpeed(options).toPrecision(3),
  ]);
}
