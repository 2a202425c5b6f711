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

/** The task of that name. @throws UsageError with the nearest name there is */
export const taskEntry = known.get;

/** Every task's name, added ones included. */
export const taskNames = known.names;

/**
 * Makes a task of your own known by a name: `pretrain` takes it as it takes the others. Nothing is written down but the name:
 * a program that resumes such a run registers the task first.
 * @throws UsageError for a name that is taken
 */
export function registerTask<Options extends z.ZodObject, Make extends Task<Options>["create"]>(
  name: string,
  task: Task<Options, Make>,
): void {
  known.add(name, task as unknown as Task);
}
