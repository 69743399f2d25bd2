/** Which part of a picture is seen on a stage, and how large.
 *
 * The picture is `wide` x `high` pixels, the stage `across` x `down`; `scale` is what one pixel of
 * the picture measures on the stage. Places in the picture are shares of it, 0..1.
 */

const LARGEST = 8; // pixels of the stage for one of the picture
const ENLARGED = 3; // at most, for a small picture to fill the stage

export function createCamera() {
  let [across, down, wide, high] = [1, 1, 1, 1];
  let zoomed = 1; // how much larger than where all of it is seen
  let centre = { x: 0.5, y: 0.5 };

  const fitting = () => Math.min(across / wide, down / high, ENLARGED);
  const scale = () => zoomed * fitting();

  function place() {
    const [width, height] = [wide * scale(), high * scale()];
    return { left: across / 2 - centre.x * width, top: down / 2 - centre.y * height, width, height };
  }

  /** Nothing beside the picture is shown where there is more picture to be shown. */
  function settle() {
    zoomed = Math.min(Math.max(1, zoomed), Math.max(1, LARGEST / fitting()));
    const { width, height } = place();
    centre = { x: within(centre.x, across / width), y: within(centre.y, down / height) };
  }

  const at = (x, y) => {
    const { left, top, width, height } = place();
    return { x: (x - left) / width, y: (y - top) / height };
  };

  function zoom(factor, { x, y } = { x: across / 2, y: down / 2 }) {
    const held = at(x, y);
    zoomed *= factor;
    settle();
    const moved = at(x, y);
    centre = { x: centre.x + held.x - moved.x, y: centre.y + held.y - moved.y };
    settle();
  }

  return {
    scale,
    place,
    at,
    zoom,
    zoomTo: (wanted, point) => zoom(wanted / scale(), point),
    isClose: () => zoomed > 1.001,

    /** The longer side of the picture, as large as it is shown. */
    longest: () => Math.max(wide, high) * scale(),

    look(stageWidth, stageHeight, pictureWidth, pictureHeight) {
      [across, down, wide, high] = [stageWidth, stageHeight, pictureWidth, pictureHeight];
      settle();
    },

    fit() {
      zoomed = 1;
      centre = { x: 0.5, y: 0.5 };
    },

    moveBy(x, y) {
      const { width, height } = place();
      centre = { x: centre.x - x / width, y: centre.y - y / height };
      settle();
    },

    /** Where on the stage something of the picture is seen: {left, width}. */
    shown() {
      const { left, width } = place();
      const begin = Math.max(0, left);
      return { left: begin, width: Math.min(across, left + width) - begin };
    },

    /** The part of the picture that is seen, as shares: {left, top, width, height}. */
    seen() {
      const [from, to] = [at(0, 0), at(across, down)];
      const [left, top] = [clip(from.x), clip(from.y)];
      return { left, top, width: clip(to.x) - left, height: clip(to.y) - top };
    },
  };
}

const clip = (share) => Math.min(1, Math.max(0, share));

/** The centre nearest to `share` at which a view of `part` lies within 0..1, or in its middle. */
const within = (share, part) =>
  part >= 1 ? 0.5 : Math.min(Math.max(share, part / 2), 1 - part / 2);
