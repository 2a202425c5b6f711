#!/usr/bin/env node
/** The command line: a thin layer over the library's functions. */
import { Command, CommanderError } from "commander";
import { diskError, memoryError, SelfsightError, unknownName } from "../errors.ts";
import { OptionsError } from "../options.ts";
import { selfsightVersion } from "../run/environment.ts";
import { addAttention } from "./attention.ts";
import { addBenchmark } from "./benchmark.ts";
import { addDemo } from "./demo.ts";
import { addEmbed } from "./embed.ts";
import { addEvaluate } from "./evaluate.ts";
import { complaint } from "./flags.ts";
import { addLists } from "./lists.ts";
import { addModels } from "./models.ts";
import { outliveReaders } from "./output.ts";
import { addPretrain } from "./pretrain.ts";
import { addPreview } from "./preview.ts";
import { addSetup } from "./setup.ts";
import { outliveTerminal } from "./signals.ts";
import { addStudy } from "./study.ts";

outliveReaders();
outliveTerminal();
const program = new Command("selfsight")
  .description("Learns visual representations from images without labels, and measures whether that helped.")
  .version(selfsightVersion())
  .exitOverride()
  .showHelpAfterError("(npx selfsight <command> --help lists what there is)")
  .showSuggestionAfterError();
const commands = [
  ...[addSetup, addDemo, addPretrain, addPreview, addEvaluate, addBenchmark, addStudy, addEmbed],
  ...[addAttention, addLists, addModels],
];
for (const add of commands) add(program);
/** The flags of the command that runs. */
let flags: string[] = [];
program.hook("preAction", (_, { options }) => {
  flags = options.map(({ long }) => long ?? "");
});

try {
  refuseUnknownCommand(process.argv.slice(2));
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

/** With --help commander would not notice. @throws UsageError */
function refuseUnknownCommand([first, second]: string[]): void {
  const name = first === "help" ? second : first;
  const names = program.commands.map((command) => command.name());
  if (name && !name.startsWith("-") && name !== "help" && !names.includes(name))
    throw unknownName("command", name, names);
}

/** Prints what went wrong: a message for errors that the user can act on, a stack trace for our own bugs. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const known = error instanceof SelfsightError ? error : (diskError(error) ?? memoryError(error, flags));
  if (known) {
    process.stderr.write(`${known instanceof OptionsError ? complaint(known, flags) : known.message}\n`);
    return known.exitCode;
  }
  process.stderr.write(
    `${(error as Error).stack ?? error}\nThis is a defect of Selfsight: please report it with the lines above.\n`,
  );
  return 1;
}
