import { expect, it } from "vitest";
import { savedPart, savingsSentence } from "../../src/report/savings.ts";

it("says of saved labels where the curve from scratch begins or ends before the answer", () => {
  const inside = { own: 8, labels: 21, low: 14, high: 33, open: { labels: false, low: false, high: false } };
  const [known, beginning] = [
    { labels: false, low: false },
    { labels: false, low: true },
  ];
  const said = (changes: object) => savingsSentence({ ...inside, below: known, ...changes });
  expect(said({})).toBe(
    "From scratch, the same network needs 21 labels a class to do what it does with 8 (95 % interval 14 to 33)",
  );
  expect(said({ low: 1, below: beginning })).toMatch(/needs 21 labels .*\(95 % interval: at most 33\)$/);
  expect(said({ labels: 1, low: 1, high: 3, below: { labels: true, low: true } })).toMatch(
    /needs at most 1 labels .*\(95 % interval: at most 3\)$/,
  );
  const ends = { labels: false, low: false, high: true };
  expect(said({ high: 64, open: ends })).toMatch(/\(95 % interval 14 to more than 64\)$/);
  expect(said({ low: 1, high: 64, open: ends, below: beginning })).toMatch(/interval at most 1 to more than 64\)$/);
  const beyond = { labels: true, low: true, high: true };
  expect(said({ labels: 64, low: 64, high: 64, open: beyond })).toMatch(
    /needs more than 64 labels .*\(95 % interval: more than 64\)$/,
  );
});

it("says in short what part of the labels is saved, in agreement with the sentence", () => {
  const closed = { labels: false, low: false, high: false };
  const saved = (labels: number, low: number, high: number, open = closed) =>
    savedPart({ own: 8, labels, low, high, open, below: { labels: false, low: false } });
  expect(saved(21, 14, 33)).toBe("saves 61\u00a0%");
  expect(saved(64, 64, 64, { labels: true, low: true, high: true })).toBe("saves more than 87\u00a0%");
  expect(saved(5, 3, 7)).toBe("saves none");
  expect(saved(21, 1, 33)).toBe("not clear");
  expect(saved(7.5, 3, 30)).toBe("not clear");
  // The curve from scratch is the own number alone: ours is clearly above it, perhaps above it, or below it.
  expect(saved(8, 8, 8, { labels: true, low: true, high: true })).toBe("saves some");
  expect(saved(8, 8, 8, { labels: true, low: false, high: true })).toBe("not clear");
  expect(saved(8, 8, 8)).toBe("saves none");
});
