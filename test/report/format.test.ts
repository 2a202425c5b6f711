import { expect, it } from "vitest";
import { accuracy, improvement, showDifference, showValue, signedValue } from "../../src/metric.ts";
import { capital, count, labelCount } from "../../src/report/format.ts";

it("formats numbers for readers", () => {
  expect(showValue(accuracy, 0.4963)).toBe("49.6 %");
  expect([0.2154, -0.03, 0, -0.0001].map((one) => showDifference(accuracy, one))).toEqual([
    ...["+21.5 points", "−3.0 points", "0.0 points", "0.0 points"],
  ]);
  expect(signedValue(accuracy, -0.125)).toBe("−12.5");
  expect(["accuracy", "mAP", "error of A"].map(capital)).toEqual(["Accuracy", "mAP", "Error of A"]);
  const error = { name: "error", unit: "m", better: "lower", perfect: 0, worthwhile: 0.1 } as const;
  expect([showValue(error, 1.25), showDifference(error, -0.5)]).toEqual(["1.250 m", "−0.500 m"]);
  expect([improvement(accuracy, 0.5, 0.25), improvement(error, 0.5, 0.25)]).toEqual([0.25, -0.25]);
  expect([count(1, "draw"), count(1234, "draw"), count(2, "box", "boxes")]).toEqual([
    "1 draw",
    "1,234 draws",
    "2 boxes",
  ]);
  expect([labelCount(1), labelCount(25), labelCount("all"), labelCount(25, 10)]).toEqual([
    "1 label per class",
    "25 labels per class",
    "all labels",
    "10 % of the labels (25 per class)",
  ]);
});
