// The jobs of ../texts.py, done by the reference's layout library. It has no caption view: what is shown there is the end
// of the last utterance and the one that is being said, wrapped anew, as apps do it.

import * as display from "@mentra/sdk/display-utils";
import { readFileSync } from "node:fs";

type Wrap = {
  profile: string;
  text: string;
  mode: string;
  width: number | null;
  max_lines: number | null;
  max_bytes: number | null;
};
type Captions = { profile: string; utterances: string[] };

const profiles = [
  display.G1_PROFILE,
  display.G1_PROFILE_LEGACY,
  display.G2_PROFILE,
  display.Z100_PROFILE,
  display.NEX_PROFILE,
];
const wrappers = new Map(
  profiles.map((profile) => [profile.id, new display.TextWrapper(new display.TextMeasurer(profile))]),
);
const jobs: { wraps: Wrap[]; captions: Captions[] } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const until = performance.now() + 1e3 * Number(process.argv[3]);

const wraps = jobs.wraps.map((job) => {
  const options: display.WrapOptions = {
    breakMode: job.mode as display.BreakMode,
    maxLines: job.max_lines ?? Infinity,
    maxBytes: job.max_bytes ?? Infinity,
  };
  if (job.width !== null) options.maxWidthPx = job.width;
  return { wrapper: wrappers.get(job.profile)!, text: job.text, options, took: [] as number[] };
});

function caption(job: Captions, took: number[]): void {
  const wrapper = wrappers.get(job.profile)!;
  const profile = profiles.find((each) => each.id === job.profile)!;
  let before = "";
  for (const utterance of job.utterances) {
    const words = utterance.split(" ");
    for (let count = 1; count <= words.length; count++) {
      const step = words.slice(0, count).join(" ");
      const began = performance.now();
      const text = before ? `${before} ${step}` : step;
      const { lines } = wrapper.wrap(text, { breakMode: "word", maxLines: Infinity, maxBytes: Infinity });
      lines.slice(-profile.maxLines).join("\n");
      took.push(performance.now() - began);
    }
    before = utterance;
  }
}

const rounds: number[][] = [];
while (rounds.length < 2 || performance.now() < until) {
  for (const { wrapper, text, options, took } of wraps) {
    const began = performance.now();
    wrapper.wrap(text, options).lines;
    took.push(performance.now() - began);
  }
  const took: number[] = [];
  for (const job of jobs.captions) caption(job, took);
  rounds.push(took);
}

function median(values: number[]): number {
  const sorted = values.slice(values.length >> 1).sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

const steps = rounds[0].map((_, step) => 1e3 * median(rounds.map((round) => round[step])));
console.log(JSON.stringify([wraps.map(({ took }) => 1e3 * median(took)), steps]));
process.exit(0);
