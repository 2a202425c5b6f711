/** The page of attention pictures: one self-contained HTML file. With checkpoints, a slider shows how they came about. */
import sharp from "sharp";
import { replaceFile } from "../files.ts";
import type { Column, Kind } from "../inspect/attention/pictures.ts";
import { GAP, strip } from "../inspect/attention/sheet.ts";
import type { AttentionFrame, AttentionGroup, AttentionResult } from "../study/attention/attention.ts";
import { attentionSummary, numbersPart } from "./attention-numbers.ts";
import { escapeHtml } from "./escape.ts";
import { count } from "./format.ts";
import { pageHtml, section } from "./page.ts";

/** Writes the page beside the picture, atomically. */
export async function writeAttention(result: AttentionResult): Promise<void> {
  replaceFile(result.page, await attentionHtml(result));
}

export async function attentionHtml(result: AttentionResult): Promise<string> {
  const { source, names, notes, groups, numbers } = result;
  const percents = [...new Set(groups.flatMap(({ frames }) => frames.map(({ percent }) => percent)))].sort(
    (a, b) => a - b,
  );
  const slides = groups.some(({ frames }) => frames.length > 1);
  const sections = [
    `<section>${slides ? slider(percents) : ""}${await pictures(result)}</section>`,
    numbers?.numbers.length && section("In numbers", numbersPart(numbers)), // one image has no intervals
    section("How to read this", explanations(groups)),
    notes.length &&
      section("Before you look", `<ul>${notes.map((note) => `<li>${escapeHtml(note)}</li>`).join("\n")}</ul>`),
    `<details><summary>The images</summary><ol class="names">${names.map((name) => `<li>${escapeHtml(name)}</li>`).join("")}</ol></details>`,
  ];
  const said =
    (numbers && attentionSummary(numbers)) ??
    `${count(names.length, "image")} of ${source}, and where ${count(groups.length, "encoder")} look at them.`;
  return pageHtml({
    title: `Where does it look? ${source}`,
    opening: `<p class="verdict">${escapeHtml(said)}</p>`,
    sections: sections.filter((one) => typeof one === "string"),
    style,
    script: slides ? script : "",
  });
}

/** A column of images that stays in place, and beside it each encoder's pictures. */
async function pictures({ images, groups, size }: AttentionResult): Promise<string> {
  const first = `<div class="own">${heading("")}${columnNames([{ title: "image", detail: "" }])}${await frame({ percent: 100, columns: [{ pictures: images }] }, size, "the images")}</div>`;
  const others = await Promise.all(
    groups.map(async ({ label, frames }) => {
      const last = frames.at(-1) as AttentionFrame;
      const drawn = await Promise.all(frames.map((one) => frame(one, size, `${label}: where it looks`, one !== last)));
      return `<div>${heading(label)}${columnNames(last.columns)}<div class="frames">${drawn.join("")}</div></div>`;
    }),
  );
  return `<figure class="looks"><div class="side">${first}${others.join("\n")}</div></figure>`;
}

const heading = (label: string) => `<div class="of"><b title="${escapeHtml(label)}">${escapeHtml(label)}</b></div>`;

const columnNames = (columns: readonly Pick<Column, "title" | "detail">[]) =>
  `<div class="columns">${columns.map(({ title, detail }) => `<span>${escapeHtml(title)}<small>${escapeHtml(detail)}</small></span>`).join("")}</div>`;

/** The pictures of one encoder at one time, as one image. */
async function frame(
  { percent, columns }: { percent: number; columns: readonly Pick<Column, "pictures">[] },
  size: number,
  alt: string,
  hidden = false,
): Promise<string> {
  const { pixels, width, height } = strip(
    columns.map(({ pictures }) => pictures),
    size,
  );
  const channels = 4;
  const bytes = await sharp(pixels, { raw: { width, height, channels } }).webp({ quality: 85 }).toBuffer();
  return `<img alt="${escapeHtml(alt)}" data-percent="${percent}" width="${width}" height="${height}" style="--columns:${columns.length}"${hidden ? " hidden" : ""} src="data:image/webp;base64,${bytes.toString("base64")}">`;
}

/** Steps through the times of which there are pictures. */
const slider = (
  percents: readonly number[],
) => `<p class="time"><label for="time">After how much of the training</label>
<input id="time" type="range" min="0" max="${percents.length - 1}" value="${percents.length - 1}" step="1" data-percents="${percents.join()}">
<output for="time">${percents.at(-1)} %</output></p>`;

/** Shows of each encoder the last pictures from up to the chosen time. */
const script = `{
const range = document.getElementById("time");
const percents = range.dataset.percents.split(",").map(Number);
const show = () => {
  const now = percents[range.value];
  document.querySelector("output[for=time]").textContent = now + " %";
  for (const frames of document.querySelectorAll(".frames")) {
    const all = [...frames.children];
    const upTo = all.filter((one) => Number(one.dataset.percent) <= now);
    for (const one of all) one.hidden = one !== (upTo.at(-1) ?? all[0]);
  }
};
range.addEventListener("input", show);
show();
}`;

const meanings: Readonly<Record<Kind, string>> = {
  activation:
    "<b>Layers.</b> Bright where a layer is active: the activations' size to the given power, summed over channels (Zagoruyko &amp; Komodakis 2017).",
  heads:
    "<b>Heads.</b> What the class token attends to in the last block, for all heads together and for each. The white line holds 60 % of it (as in DINO, Caron et al. 2021).",
  rollout: "<b>Rollout.</b> Attention multiplied through all blocks (Abnar &amp; Zuidema 2020).",
  components:
    "<b>Components.</b> The first three principal components of a late map's places, over all images, as red, green and blue, where the first component says foreground (as in DINOv2, Oquab et al. 2024). Like colours mean like features; they cannot be compared between encoders.",
};

function explanations(groups: readonly AttentionGroup[]): string {
  const shown = new Set(
    groups.flatMap(({ frames }) => frames.flatMap(({ columns }) => columns.map(({ kind }) => kind))),
  );
  const lines = Object.entries(meanings).filter(([kind]) => shown.has(kind as Kind));
  return `${lines.map(([, text]) => `<p>${text}</p>`).join("\n")}
<p>Each picture is scaled by itself, from its least value to its largest: brightness cannot be compared between pictures. Bright places are where a network is active, not proof of what it knows: look at the untrained one beside it.</p>`;
}

/** Pictures keep their size, and scroll beside the images. */
const style = `
main { max-width: 84rem; }
.looks { padding: 0; overflow: hidden; --cell: ${96 + GAP}px; }
.looks .side { display: flex; gap: 1.1rem; overflow-x: auto; padding: .9rem 1rem .9rem 0; }
.looks .side > div { flex: none; }
.looks .own { position: sticky; left: 0; background: var(--card); z-index: 1; padding: 0 .5rem 0 1rem; margin-right: -.5rem; }
.looks img { display: block; width: calc(var(--columns) * var(--cell)); height: auto; }
.looks img[hidden] { display: none; }
.looks .of { height: 1.7rem; border-bottom: 1px solid var(--rule); }
.looks .of b { display: inline-block; max-width: 100%; font-weight: 600; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; position: sticky; left: calc(var(--cell) + 1.6rem); }
.looks .frames { overflow: hidden; }
.looks .columns { display: flex; font-size: .8rem; line-height: 1.25; margin: .35rem 0; }
.looks .columns span { flex: none; width: var(--cell); padding-right: ${GAP}px; text-align: center; white-space: nowrap; overflow: hidden; }
.looks .columns small { display: block; color: var(--soft); font-size: .72rem; min-height: 1.25em; }
.time { display: flex; flex-wrap: wrap; align-items: center; gap: .3rem .8rem; } .time input { flex: 1 1 12rem; max-width: 30rem; accent-color: var(--s0); } .time output { min-width: 3.5em; font-variant-numeric: tabular-nums; }
.names { columns: 18rem; margin: 0; padding: 0 1rem .8rem 2.6rem; font-size: .85rem; overflow-wrap: anywhere; }
@media (max-width: 40rem) { .looks { --cell: ${72 + GAP}px; } .looks .side { gap: .8rem; padding: .7rem .6rem .7rem 0; } .looks .own { padding-left: .6rem; } .looks .of b { left: calc(var(--cell) + 1.2rem); } .looks .columns { font-size: .72rem; } .looks .columns small { font-size: .65rem; } }
@media print { .looks .side { flex-wrap: wrap; } .looks .own, .looks .of b { position: static; } .time { display: none; } }
`;
