/** What a photograph shows in a place. */

import { toLab } from "./colours.js";

const SIDE = 16; // pixels

/** Mean Lab colour within `radius` of {x, y}, as the model means it: before saturation and the rest
 * are put on it. */
export function colourAt(api, photograph, place, radius) {
  const { options, hints } = photograph.look;
  const plain = { ...options, saturation: 1, mute_uncertain: 0, keep_tone: false };
  return sample(api, photograph, place, radius, { show: "colour", look: { options: plain, hints } });
}

/** Mean lightness there, which no model is asked for. */
export async function lightnessAt(api, photograph, place, radius) {
  const about = { show: "grey", look: { options: {}, hints: [] } };
  return (await sample(api, photograph, place, radius, about)).L;
}

async function sample(api, photograph, { x, y }, radius, about) {
  const region = around(photograph.view, x, y, radius);
  const path = api.preview(photograph, { side: SIDE, region, ...about });
  return mean(await createImageBitmap(await api.picture(path, { accept: "image/png" })));
}

/** The part of the picture within `radius`, a share of its longer side, of a place. */
function around({ width, height }, x, y, radius) {
  const across = Math.max(1, radius * Math.max(width, height)) / width;
  const down = Math.max(1, radius * Math.max(width, height)) / height;
  const [left, top] = [Math.max(0, x - across), Math.max(0, y - down)];
  return { left, top, width: Math.min(1, x + across) - left, height: Math.min(1, y + down) - top };
}

function mean(bitmap) {
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  const sum = { L: 0, a: 0, b: 0 };
  for (let at = 0; at < data.length; at += 4) {
    const lab = toLab(data.subarray(at, at + 3));
    for (const name in sum) sum[name] += lab[name];
  }
  const count = data.length / 4;
  return { L: sum.L / count, a: sum.a / count, b: sum.b / count };
}
