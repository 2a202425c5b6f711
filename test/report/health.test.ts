import { expect, test } from "vitest";
import { healthPart, labelsSentence, sizesSentence } from "../../src/report/health.ts";

const sizes = { looked: 1000, least: 20, median: 48, most: 640, smaller: 700, muchSmaller: 3, long: 1 };
const labels = { checked: 2000, accuracy: 0.83, estimated: 41.6, suspects: 55 };

test("sizes in a line: the range, what is enlarged, what is long", () => {
  expect(sizesSentence(sizes, 64)).toBe(
    "Shorter side: 20 to 640 pixels, half of them up to 48 (1,000 images looked at). 700 images are smaller than the network's " +
      "input of 64 and enlarged, 3 more than twice. 1 image is more than three times as long as wide: the network sees the middle alone.",
  );
  const same = { looked: 9, least: 28, median: 28, most: 28, smaller: 9, muchSmaller: 9, long: 0 };
  expect(sizesSentence(same, 64)).toBe(
    "Shorter side: all 28 pixels (9 images looked at). All are smaller than the network's input of 64 and are enlarged, all of these more than twice.",
  );
  expect(sizesSentence({ ...same, smaller: 0, muchSmaller: 0 }, 16)).toBe(
    "Shorter side: all 28 pixels (9 images looked at).",
  );
});

test("labels: how often the probe agrees, how many may be wrong, and that some are its own mistakes", () => {
  const said = labelsSentence(labels);
  expect(said).toContain("2,000 training images that it had not learned from, and agreed with 83 %");
  expect(said).toContain("About 42 labels (2.1 %) may be wrong");
  expect(said).toContain("lists 55 suspects");
  expect(labelsSentence({ ...labels, accuracy: 0.7 })).toMatch(
    /wrong too often itself to say how many labels are\. .*55/,
  );
  expect(labelsSentence({ ...labels, accuracy: 0.7 })).not.toContain("42");
  expect(labelsSentence({ ...labels, suspects: 0 })).toMatch(/There is no label that it is sure is wrong/);
  expect(labelsSentence({ ...labels, checked: 0 })).toMatch(/^Not checked/);
  expect(labelsSentence({ ...labels, accuracy: 0.9996 })).toContain("agreed with 99.9 %");
  expect(labelsSentence({ ...labels, accuracy: 1 })).toContain("agreed with 100 %");
});

test("notes and names are escaped, and the picture comes with its warning", () => {
  const health = { notes: ["<b>.png cannot be read."], sizes, labels };
  const html = healthPart(health, 64, new Uint8Array([1, 2]));
  expect(html).toContain("&#60;b&#62;.png cannot be read.");
  expect(html).toMatch(/<img[^>]*src="data:image\/png;base64,AQI="/);
  expect(html).toContain("some are the probe's mistakes");
  expect(healthPart({ ...health, notes: [] }, 64, undefined)).not.toContain("<img");
});
