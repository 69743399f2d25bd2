/** Requests to the server that sent this page; relative, so that its token comes along. */

/** GET a path as JSON. */
export const get = (path) => ask(path, { cache: "no-store" });

/** POST a wish as JSON. */
export const post = (path, wish) =>
  ask(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(wish),
  });

async function ask(path, request) {
  let response;
  try {
    response = await fetch(path, request);
  } catch {
    throw new Error(
      "The review has ended or cannot be reached. What was decided before is safe; " +
        "start `retint data review` again and open the address that it shows.",
    );
  }
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}
