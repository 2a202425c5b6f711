import { expect, it } from "vitest";
import { confusionPart } from "../../src/report/confusion.ts";
import { parsed } from "./marks.ts";

it("lists the most frequent mistakes with their numbers, however many classes there are", () => {
  const classes = Array.from({ length: 40 }, (_, i) => `class <${i}>`);
  const counts = classes.map((_, row) => classes.map((_, column) => (row === column ? 90 : 0)));
  for (let i = 0; i < 12; i++) (counts[i] as number[])[i + 1] = i + 1;
  const page = parsed(confusionPart({ classes, counts, draws: 2 }));
  const lines = [...page.querySelectorAll("tbody tr")].map((line) =>
    [...line.querySelectorAll("th, td")].map((cell) => cell.textContent),
  );
  expect(lines).toHaveLength(10);
  expect(lines[0]).toEqual(["class <11>", "class <12>", "12", "11.8 %"]);
  expect(lines.at(-1)?.[2]).toBe("3");
  expect(page.querySelector(".note")?.textContent).toContain("once for each of 2 draws of labels");
});

it("has no table where nothing is mistaken", () => {
  const page = parsed(
    confusionPart({
      classes: ["a", "b"],
      counts: [
        [5, 0],
        [0, 5],
      ],
      draws: 1,
    }),
  );
  expect([page.querySelector("table"), page.querySelector("h3"), page.querySelector(".note")]).toEqual([
    null,
    null,
    null,
  ]);
});
