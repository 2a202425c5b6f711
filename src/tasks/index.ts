/** The pretext tasks by name. */
import type { z } from "zod";
import { registry } from "../registry.ts";
import { colorization } from "./colorization.ts";
import { exemplar } from "./exemplar.ts";
import { inpainting } from "./inpainting.ts";
import { jigsaw } from "./jigsaw.ts";
import { relativePatch } from "./relative-patch.ts";
import { rotation } from "./rotation.ts";
import { supervised } from "./supervised.ts";
import type { Task } from "./task.ts";

export const tasks = {
  "relative-patch": relativePatch,
  jigsaw,
  exemplar,
  colorization,
  rotation,
  inpainting,
  supervised,
};
export type TaskName = keyof typeof tasks;

const known = registry<Task>("task", tasks as unknown as Record<TaskName, Task>);

/** The task of that name. @throws UsageError that suggests the nearest known name */
export const taskEntry = known.get;

/** Names of all tasks, including registered ones. */
export const taskNames = known.names;

/**
 * Registers your own task under a name that `pretrain` accepts like the others. Only the name is saved:
 * a program that resumes such a run must register the task first.
 * @throws UsageError for a name that is taken
 */
export function registerTask<Options extends z.ZodObject, Make extends Task<Options>["create"]>(
  name: string,
  task: Task<Options, Make>,
): void {
  known.add(name, task as unknown as Task);
}
