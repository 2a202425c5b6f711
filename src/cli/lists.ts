import type { Command } from "commander";
import { z } from "zod";
import { datasets } from "../data/datasets.ts";
import { tasks } from "../tasks/index.ts";
import type { Task } from "../tasks/task.ts";
import { print } from "./output.ts";

export function addLists(program: Command): void {
  const list = (name: string, description: string, lines: () => string[]) =>
    program
      .command(name)
      .description(description)
      .action(() => print(lines().join("\n")));
  list("tasks", "the pretext tasks, with their options and papers", () =>
    Object.entries(tasks).flatMap(([name, task]) => [
      `${name.padEnd(16)} ${task.title}  ${task.paper}`,
      ...caveatLines(task as unknown as Task),
      ...optionLines(task.options),
    ]),
  );
  list("datasets", "the data sets known by name", () =>
    Object.entries(datasets).map(
      ([name, set]) => `${name.padEnd(16)} ${set.title}. Licence: ${set.licence}. ${set.source}`,
    ),
  );
}

/** What the task's encoder is not good for with default options. */
function caveatLines({ caveat, options }: Task): string[] {
  const text = caveat?.(options.parse({}));
  return text ? [`  ! ${text}`] : [];
}

function optionLines(options: z.ZodObject): string[] {
  const { properties = {} } = z.toJSONSchema(options, { io: "input" }) as {
    properties?: Record<string, { description?: string; default?: unknown }>;
  };
  return Object.entries(properties).map(
    ([name, { description, default: value }]) =>
      `${`  ${name}${value === undefined ? "" : `=${String(value)}`}`.padEnd(18)} ${description ?? ""}`,
  );
}
