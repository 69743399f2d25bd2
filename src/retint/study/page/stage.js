import { picture } from "./server.js";

const FIRST_PAUSE = 700; // ms: a dot tells where the picture will be
const HALF_A_FRAME = 8; // ms

/** The frames in which a trial's pictures are shown, for a moment or until it is answered. */
export class Stage {
  constructor(sides) {
    this.box = sides;
    this.sides = Object.fromEntries(["left", "right"].map((name) => [name, document.getElementById(name)]));
    this.loading = new Map();
  }

  /** Load what comes next, and forget what was. */
  prepare(trials) {
    const known = new Map(trials.map((trial) => [trial.id, this.loading.get(trial.id) ?? this.load(trial)]));
    this.loading = known;
  }

  load({ id, sides }) {
    const pictures = Promise.all(sides.map((side) => picture(id, side)));
    pictures.catch(() => {}); // told when it is wanted
    return pictures;
  }

  /** Empty frames, with this trial's pictures behind them. */
  async set(trial) {
    this.clear();
    this.box.classList.toggle("alone", trial.sides.length === 1);
    if (!this.loading.has(trial.id)) this.loading.set(trial.id, this.load(trial));
    let pictures;
    try {
      pictures = await this.loading.get(trial.id);
    } catch (error) {
      this.loading.delete(trial.id); // the next attempt loads it anew
      throw error;
    }
    trial.sides.forEach((name, n) => draw(this.canvas(name), pictures[n]));
  }

  /** Show one picture after the other, each for its time; resolves to how long each was seen, ms. */
  async expose(trial, gap) {
    const seen = [];
    for (const name of trial.sides) {
      const frame = this.frame(name);
      frame.classList.add("due");
      await pause(seen.length ? gap : FIRST_PAUSE);
      await untilVisible();
      seen.push(await flash(frame, trial.exposure_ms));
    }
    return seen;
  }

  /** Show all pictures until further notice. */
  show(trial) {
    for (const name of trial.sides) this.frame(name).classList.add("seen");
  }

  clear() {
    for (const side of Object.values(this.sides)) {
      side.querySelector(".frame").className = "frame";
      delete side.dataset.verdict;
    }
  }

  frame(name) {
    return this.sides[name].querySelector(".frame");
  }

  canvas(name) {
    return this.sides[name].querySelector("canvas");
  }
}

/** Put a bitmap on a canvas of its size. */
export function draw(canvas, bitmap) {
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Nothing is shown in a window that nobody sees. */
function untilVisible() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => {
    document.addEventListener("visibilitychange", function back() {
      if (document.hidden) return;
      document.removeEventListener("visibilitychange", back);
      resolve();
    });
  });
}

/** Show a frame's picture for whole frames of the screen; resolves to the time between the frame
 * in which it came and the one in which it went. */
function flash(frame, ms) {
  return new Promise((resolve) => {
    requestAnimationFrame((came) => {
      frame.classList.replace("due", "seen");
      requestAnimationFrame(function next(now) {
        if (now - came < ms - HALF_A_FRAME) {
          requestAnimationFrame(next);
          return;
        }
        frame.classList.remove("seen");
        resolve(now - came);
      });
    });
  });
}
