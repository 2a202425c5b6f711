/** The pretext tasks by name. */
import { unknownName } from "../errors.ts";
import { rotation } from "./rotation.ts";
import type { Task } from "./task.ts";

export const tasks = { rotation };
export type TaskName = keyof typeof tasks;

/** The task of that name. @throws UsageError with the nearest name there is */
export function taskEntry(name: string): Task {
  if (!Object.hasOwn(tasks, name)) throw unknownName("task", name, Object.keys(tasks));
  return tasks[name as TaskName] as unknown as Task;
}
