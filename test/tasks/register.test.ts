import { expect, test } from "vitest";
import { registerTask, taskEntry } from "../../src/tasks/index.ts";
import { rotation } from "../../src/tasks/rotation.ts";

test("a task of one's own is known by its name, and takes nobody else's", () => {
  expect(() => taskEntry("turning")).toThrow(/Unknown task "turning"/);
  registerTask("turning", rotation);
  expect(taskEntry("turning")).toBe(rotation);
  for (const taken of ["turning", "jigsaw"]) expect(() => registerTask(taken, rotation)).toThrow(/is a task/);
});
