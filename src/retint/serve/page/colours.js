/** Lab and sRGB for swatches, as retint/color.py has them (D65, CIE 1976); pixels of results are
 * the server's alone. L* 0..100, a* and b* in Lab units, codes 0..255. */

const TO_XYZ = [
  [0.4124, 0.3576, 0.1805],
  [0.2126, 0.7152, 0.0722],
  [0.0193, 0.1192, 0.9505],
];
const TO_RGB = [
  [3.2406255, -1.537208, -0.4986286],
  [-0.9689307, 1.8757561, 0.0415175],
  [0.0557101, -0.2040211, 1.0569959],
];
const WHITE = TO_XYZ.map((row) => row[0] + row[1] + row[2]);
const KNEE = 6 / 29;
const SLOPE = 3 * KNEE ** 2;

const times = (matrix, [x, y, z]) => matrix.map((row) => row[0] * x + row[1] * y + row[2] * z);
const curve = (t) => (t > KNEE ** 3 ? Math.cbrt(t) : t / SLOPE + 4 / 29);
const uncurve = (f) => (f > KNEE ? f ** 3 : SLOPE * (f - 4 / 29));
const decode = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
const encode = (v) => (v <= 0.0031308 ? v * 12.92 : 1.055 * v ** (1 / 2.4) - 0.055);

/** Linear sRGB of a Lab colour, outside 0..1 for colours that sRGB lacks. */
function linear({ L, a, b }) {
  const fy = (L + 16) / 116;
  const f = [fy + a / 500, fy, fy - b / 200];
  return times(TO_RGB, f.map((value, n) => uncurve(value) * WHITE[n]));
}

/** Whether sRGB has the colour. */
export const has = (lab) => linear(lab).every((v) => v > -1e-4 && v < 1 + 1e-4);

/** Codes [r, g, b] of a Lab colour; what sRGB lacks gives up chroma and keeps its luminance. */
export function toCodes(lab) {
  const rgb = linear(lab);
  const Y = Math.min(1, Math.max(0, uncurve((lab.L + 16) / 116)));
  const t = rgb.reduce((least, v) => {
    const away = v - Y;
    const room = away > 0 ? 1 - Y : Y;
    return Math.abs(away) * least > room ? room / Math.abs(away) : least;
  }, 1);
  return rgb.map((v) => Math.round(255 * encode(Math.min(1, Math.max(0, Y + t * (v - Y))))));
}

/** Lab of codes [r, g, b]. */
export function toLab(codes) {
  const xyz = times(TO_XYZ, Array.from(codes, (code) => decode(code / 255)));
  const [fx, fy, fz] = xyz.map((value, n) => curve(value / WHITE[n]));
  return { L: 116 * fy - 16, a: 500 * (fx - fy), b: 200 * (fy - fz) };
}

/** A Lab colour for a style. */
export const css = (lab) => `rgb(${toCodes(lab).join(" ")})`;

/** The same hue and lightness, as strong as sRGB has it and no stronger than asked for. */
export function within({ L, a, b }) {
  let [low, high] = [0, 1];
  if (has({ L, a, b })) return { a, b };
  for (let n = 0; n < 12; n++) {
    const middle = (low + high) / 2;
    if (has({ L, a: a * middle, b: b * middle })) low = middle;
    else high = middle;
  }
  return { a: a * low, b: b * low };
}

/** Hue in degrees, 0..360, and chroma of a* and b*. */
export const polar = ({ a, b }) => ({
  hue: (Math.atan2(b, a) * (180 / Math.PI) + 360) % 360,
  chroma: Math.hypot(a, b),
});

/** a* and b* of a hue in degrees and a chroma. */
export const cartesian = ({ hue, chroma }) => ({
  a: chroma * Math.cos(hue * (Math.PI / 180)),
  b: chroma * Math.sin(hue * (Math.PI / 180)),
});

const NAMES = [
  [20, "pink", "wine red"], [50, "red", "dark red"], [75, "orange", "brown"],
  [112, "yellow", "olive"], [165, "green", "dark green"], [220, "turquoise", "dark turquoise"],
  [313, "blue", "dark blue"], [332, "purple", "dark purple"], [360, "pink", "wine red"],
]; // up to this hue, and where it is dark

/** A word for a colour, for those who do not see it. */
export function word(lab) {
  const { hue, chroma } = polar(lab);
  if (chroma < 5) return lab.L > 85 ? "white" : lab.L < 20 ? "black" : "grey";
  const [, light, dark] = NAMES.find(([upTo]) => hue <= upTo);
  const name = lab.L < (light === "orange" || light === "yellow" ? 60 : 40) ? dark : light;
  return chroma < 15 ? `greyish ${name}` : name;
}

/** Colours to start from: what the things of old photographs commonly have. */
export const USUAL = [
  { name: "Skin", a: 14, b: 17 },
  { name: "Foliage", a: -18, b: 28 },
  { name: "Sky", a: -6, b: -24 },
  { name: "Brick", a: 27, b: 24 },
  { name: "Wood", a: 11, b: 24 },
  { name: "Sand", a: 4, b: 18 },
  { name: "Navy", a: 6, b: -27 },
  { name: "Red cloth", a: 48, b: 28 },
  { name: "Grey", a: 0, b: 0 },
];
