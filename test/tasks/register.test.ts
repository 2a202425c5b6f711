import { expect, test } from "vitest";
import { registerTask, taskEntry } from "../../src/tasks/index.ts";
import { rotation } from "../../src/tasks/rotation.ts";

test("a custom task is found by its name, and cannot take the name of another task", () => {
  expect(() => taskEntry("turning")).toThrow(/Unknown task "turning"/);
  registerTask("turning", rotation);
  expect(taskEntry("turning")).toBe(rotation);
  for (const taken of ["turning", "jigsaw"]) expect(() => registerTask(taken, rotation)).toThrow(/is a task/);
});
