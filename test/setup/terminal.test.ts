import { expect, it } from "vitest";
import { cut, textWidth, wrap } from "../../src/setup/terminal.ts";

it("counts columns, not characters", () => {
  expect(["abc", "写真", "👩‍👩‍👧‍👦", "cafe\u0301", "\x1b[1mbold\x1b[22m"].map(textWidth)).toEqual([3, 4, 2, 4, 4]);
});

it("cuts what does not fit, never through a character", () => {
  expect([cut("abcdef", 6), cut("abcdef", 5), cut("写真写真", 6), cut("写真写真", 7)]).toEqual([
    "abcdef",
    "abcd…",
    "写真…",
    "写真写…",
  ]);
});

it("wraps between words, and inside a word that is longer than a line", () => {
  expect(wrap("it takes two lines", 10)).toEqual(["it takes", "two lines"]);
  expect(wrap("a very_long_word", 6)).toEqual(["a", "very_l", "ong_wo", "rd"]);
  expect(wrap("写真写真", 5)).toEqual(["写真", "写真"]);
  expect(wrap("", 5)).toEqual([""]);
  expect(wrap("never ends", 0).join("")).toBe("neverends");
  expect(wrap("as it is", Number.POSITIVE_INFINITY)).toEqual(["as it is"]);
});
