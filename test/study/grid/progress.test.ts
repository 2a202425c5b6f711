import { expect, test } from "vitest";
import type { RunEvent } from "../../../src/run/events.ts";
import { studyProgress } from "../../../src/study/grid/progress.ts";

test("a process that waits expects the cells of others to take as long as its own did", () => {
  let now = 0;
  const told: RunEvent[] = [];
  const { begin, end, tell } = studyProgress({ onEvent: (event) => void told.push(event) }, () => now);
  const counts = { all: 2, done: 0, failed: 0, running: 1 };
  begin(counts, "rotation");
  now = 120_000;
  end();
  now = 150_000;
  tell({ ...counts, done: 1 }, "waiting for other processes");
  expect(told.at(-1)).toEqual({
    type: "working",
    what: "1 of 2 cells done · 1 running elsewhere · waiting for other processes · about 45 s left",
  });
});
