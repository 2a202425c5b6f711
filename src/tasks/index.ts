/** The pretext tasks by name. */
import { unknownName } from "../errors.ts";
import { colorization } from "./colorization.ts";
import { inpainting } from "./inpainting.ts";
import { jigsaw } from "./jigsaw.ts";
import { relativePatch } from "./relative-patch.ts";
import { rotation } from "./rotation.ts";
import { supervised } from "./supervised.ts";
import type { Task } from "./task.ts";

export const tasks = { "relative-patch": relativePatch, jigsaw, colorization, rotation, inpainting, supervised };
export type TaskName = keyof typeof tasks;

/** The task of that name. @throws UsageError with the nearest name there is */
export function taskEntry(name: string): Task {
  if (!Object.hasOwn(tasks, name)) throw unknownName("task", name, Object.keys(tasks));
  return tasks[name as TaskName] as unknown as Task;
}
