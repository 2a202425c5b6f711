/** Which rotations are shown, and which class each one is. */
import { expect, test } from "vitest";
import { rotation } from "../../src/tasks/rotation.ts";
import { noGrad } from "../../src/torch/autograd.ts";
import { rand, tensor, zeros } from "../../src/torch/ops.ts";
import { scope } from "../../src/torch/scope.ts";
import { createWith, fixedBatch, RecordingEncoder, shownBy } from "../batch.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

test.each([
  [{}, [0, 90, 180, 270]],
  [{ first: 90 }, [90, 180, 270, 0]],
  [{ angles: 2 }, [0, 180]],
  [{ angles: 2, first: 90 }, [90, 270]],
])("%o shows all images at one angle after the other, and the answers are in that order", (options, turns) => {
  scope(() => {
    const images = rand([3, 3, 8, 8]);
    images.narrow(2, 0, 4).narrow(3, 0, 4).add_(5); // the top left is bright
    const shown = shownBy(rotation, options, images).chunk(turns.length);
    for (const [i, turn] of turns.entries()) {
      expect(shown[i]?.toArray()).toEqual(
        images
          .rot90(turn / 90, [2, 3])
          .contiguous()
          .toArray(),
      );
    }
    // Counter-clockwise, the top left goes to the bottom left, which is the third of the encoder's first four values.
    const task = createWith(rotation, options, new RecordingEncoder(), 8);
    const brightest = turns.map((turn) => [0, 2, 3, 1][turn / 90]);
    const weights = brightest.map((quarter) => Array.from({ length: 12 }, (_, i) => (i === quarter ? 10 : 0)));
    noGrad(() => task.trained["fc"]?.parameters()[0]?.copy_(tensor(weights)));
    const { loss, metrics } = task.step([images], fixedBatch(3));
    expect(metrics["accuracy"]?.item()).toBe(1);
    expect(loss.item()).toBeLessThan(1e-3);
    const answers = task.preview([images], fixedBatch(3)).map(({ answer, guess }) => [answer, guess]);
    expect(answers).toEqual([0, 1, 2].map((i) => Array(2).fill(`${turns[i % turns.length]}°`)));
    task.trained["fc"]?.dispose();
  });
});

test.each([
  [8, [2, 2, 2, 2]],
  [6, [2, 1, 2, 1]],
  [1, [1]],
])("with one copy, %i images are shown once each, cut into parts of %o for the angles", (count, parts) => {
  scope(() => {
    const images = rand([count, 3, 8, 8]);
    const shown = shownBy(rotation, { copies: "one" }, images);
    expect(shown.shape).toEqual(images.shape);
    const turns = Array.from({ length: count }, (_, i) => {
      const one = shown.select(0, i).contiguous().toArray().join();
      return [0, 1, 2, 3].find((turn) => images.select(0, i).rot90(turn, [1, 2]).contiguous().toArray().join() === one);
    }) as number[];
    const first = turns[0] as number;
    expect(turns).toEqual(parts.flatMap((length, i) => Array(length).fill((first + i) % 4)));
  });
});

test("with one copy, a small batch has other angles at every step, and their answers", () => {
  scope(() => {
    const images = zeros([2, 3, 8, 8]);
    images.narrow(2, 0, 4).narrow(3, 0, 4).add_(5);
    const task = createWith(rotation, { copies: "one" }, new RecordingEncoder(), 8);
    const weights = [0, 2, 3, 1].map((quarter) => Array.from({ length: 12 }, (_, i) => (i === quarter ? 10 : 0)));
    noGrad(() => task.trained["fc"]?.parameters()[0]?.copy_(tensor(weights)));
    const seen = new Set<string>();
    for (let step = 0; step < 40; step++) {
      expect(task.step([images], fixedBatch(2, step)).metrics["accuracy"]?.item()).toBe(1);
      seen.add(shownBy(rotation, { copies: "one" }, images, step).toArray().join());
    }
    expect(seen.size).toBe(4);
    task.trained["fc"]?.dispose();
  });
});

test("8 angles are 45° apart, and the images are cut to a circle", () => {
  scope(() => {
    const images = zeros([2, 3, 32, 32]);
    images.narrow(2, 14, 4).narrow(3, 24, 4).fill_(1); // a spot on the right
    const shown = shownBy(rotation, { angles: 8 }, images);
    expect(shown.size(0)).toBe(16);
    const spot = (i: number) => {
      const place = shown
        .select(0, 2 * i)
        .select(0, 0)
        .flatten()
        .unsqueeze(0)
        .argmax(1)
        .item();
      return Math.atan2(15.5 - Math.floor(place / 32), (place % 32) - 15.5) / (Math.PI / 4);
    };
    for (let i = 0; i < 8; i++) expect(Math.abs(((spot(i) - i + 12) % 8) - 4)).toBeLessThan(0.5);
    const corners = shownBy(rotation, { angles: 8 }, images.fill_(1)).narrow(2, 0, 4).narrow(3, 0, 4);
    expect(corners.abs().amax([0, 1, 2, 3]).item()).toBe(0);
  });
});
