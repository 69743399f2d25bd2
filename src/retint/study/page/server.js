/** Requests to the server that sent this page; relative, so that its token comes along. */

const PAUSE = 2000;

/** What the server refused, with its status. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** GET a path as JSON. */
export const get = async (path) => answered(await fetch(path, { cache: "no-store" }));

/** POST a wish as JSON. */
export const post = async (path, wish) =>
  answered(
    await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(wish),
    }),
  );

/** POST until the server has it, however long it is out of reach; `waiting` is told meanwhile. */
export async function postSurely(path, wish, waiting) {
  for (;;) {
    try {
      const answer = await post(path, wish);
      waiting(false);
      return answer;
    } catch (error) {
      if (error instanceof Refused && error.status < 500) throw error;
      waiting(true);
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }
}

/** A picture, decoded and ready to be drawn in the next frame. */
export async function picture(trial, side) {
  const response = await fetch(`picture/${trial}/${side}`, { cache: "no-store" });
  if (!response.ok) throw new Refused(response.status, "a picture is missing");
  return createImageBitmap(await response.blob());
}

async function answered(response) {
  const answer = await response.json();
  if (!response.ok) throw new Refused(response.status, answer.error);
  return answer;
}
