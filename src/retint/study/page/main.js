import { fill, resultText, showFooled } from "./ending.js";
import { Refused, get, post, postSurely } from "./server.js";
import { Stage } from "./stage.js";

const $ = (selector) => document.querySelector(selector);
const stage = new Stage($("#sides"));
let study;
let texts;
let accept = null; // takes the answer to what is asked just now
let withdrawn = false;

start().catch(tell);

async function start() {
  const state = await get("state");
  study = state.study;
  texts = study.texts;
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = texts[element.dataset.text] ?? "";
  }
  document.documentElement.lang = texts.language;
  document.title = texts.title;
  if (state.judge) await goOn(state.judge);
  else if (study.full) say(texts.full);
  else welcome();
}

/** Show one section, and no other. */
function open(name) {
  for (const section of document.querySelectorAll("main > section")) section.hidden = section.id !== name;
  $("#foot").hidden = name === "welcome";
  scrollTo(0, 0);
}

/** A last word where there is nothing else to show. */
function say(text) {
  open("end");
  $("#foot").hidden = true;
  $("#end-title").textContent = text;
  $("#end-text").hidden = true;
  $("#end-title").focus();
}

function welcome() {
  const paragraphs = study.consent.split(/\n\s*\n/).map((text) => {
    const paragraph = document.createElement("p");
    paragraph.textContent = text.trim();
    return paragraph;
  });
  $("#consent").replaceChildren(...paragraphs);
  open("welcome");
}

async function consent(anew) {
  const { judge } = await post("consent", { anew });
  if (judge) await goOn(judge);
  else say(texts.full);
}

async function goOn(judge) {
  if (!judge.next.length) return end(judge);
  const before = judge.done && fill(texts.resume, { n: judge.done, of: judge.of });
  stage.prepare(judge.next);
  await rest(before ? [before, texts.task].join(" ") : texts.task, before ? texts.go_on : texts.go, Boolean(before));
  return judgeAll(judge);
}

/** A page to rest on until the judge goes on. */
function rest(text, button, resumed = false) {
  const choices = study.kind === "name" && texts.keys_choices;
  $("#pause-text").textContent = text;
  $("#pause-keys").textContent = choices || (study.ties ? texts.keys_three : texts.keys_two);
  $("#go").textContent = button;
  $("#other").hidden = !(resumed && study.shared_device);
  open("pause");
  $("#go").focus();
  return new Promise((resolve) => {
    $("#go").onclick = resolve;
  });
}

/** One trial after the other, until there are none. */
async function judgeAll(judge) {
  const tests = judge.of - judge.practice;
  while (judge.next.length) {
    const [trial] = judge.next;
    stage.prepare(judge.next);
    open("trial");
    const n = trial.practice ? judge.done + 1 : judge.done - judge.practice + 1;
    const of = trial.practice ? judge.practice : tests;
    $("#count").textContent = fill(trial.practice ? texts.practice : texts.progress, { n, of });
    $("#progress").value = judge.done / judge.of;
    const given = await ask(trial);
    judge = await postSurely("answer", given, waiting);
    if (judge.feedback && "right" in judge.feedback) await feedBack(trial, judge.feedback);
    const tested = judge.done - judge.practice;
    if (trial.practice && tested === 0) await rest(texts.practice_over, texts.go_on);
    else if (tests >= 30 && tested === Math.round(tests / 2)) await rest(texts.half, texts.go_on);
  }
  return end(judge);
}

/** Put a question; the answer with its times. */
async function ask(trial) {
  const timed = trial.exposure_ms > 0;
  $("#trial").classList.add("showing");
  enable(trial, false);
  $("#said").textContent = texts.ready;
  await surely(() => stage.set(trial));
  let exposures = [];
  if (timed) {
    await postSurely("look", { trial: trial.id }, waiting);
    exposures = await stage.expose(trial, study.gap_ms);
  } else {
    stage.show(trial);
  }
  $("#trial").classList.remove("showing");
  $("#said").textContent = "";
  enable(trial, true);
  const shown = performance.now();
  const { answer, by } = await new Promise((resolve) => {
    accept = (answer, by) => {
      accept = null;
      resolve({ answer, by });
    };
  });
  const reaction = performance.now() - shown;
  enable(trial, false);
  return { trial: trial.id, answer, by, exposures_ms: exposures, reaction_ms: reaction };
}

/** Let answers be given, or not. */
function enable(trial, on) {
  const pair = trial.sides.length === 2;
  for (const side of Object.values(stage.sides)) side.disabled = !(on && pair);
  $("#feedback").hidden = true;
  $("#tie").hidden = !(on && pair && study.ties);
  $("#choices").hidden = !(on && !pair && trial.choices.length);
  $("#free").hidden = !(on && !pair && !trial.choices.length);
  if (!on) return;
  $("#choices").replaceChildren(...trial.choices.map(choice));
  if ($("#free").hidden) {
    $("#question").focus({ preventScroll: true }); // nowhere near an answer
  } else {
    $("#free").reset();
    $("#free input").focus();
  }
}

function choice(name, n) {
  const button = document.createElement("button");
  const key = document.createElement("kbd");
  button.type = "button";
  button.dataset.answer = name;
  key.textContent = n + 1;
  button.append(key, ` ${name}`);
  return button;
}

/** After practice: whether it was right, and the pictures once more. */
function feedBack(trial, { right, fake, name }) {
  stage.show(trial);
  if (fake) {
    for (const [side, element] of Object.entries(stage.sides)) {
      element.dataset.verdict = side === fake ? "fake" : "real";
      element.querySelector("[data-text]").textContent = side === fake ? texts.fake : texts.real;
    }
  }
  const verdict = right ? texts.right : texts.wrong;
  $("#verdict").textContent = name && !right ? `${verdict} (${name})` : verdict;
  $("#verdict").classList.toggle("right", right);
  $("#feedback").hidden = false;
  $("#next").focus({ preventScroll: true });
  return new Promise((resolve) => {
    $("#next").onclick = () => {
      for (const element of document.querySelectorAll(".side [data-text]")) {
        element.textContent = texts[element.dataset.text];
      }
      resolve();
    };
  });
}

function end(judge) {
  open("end");
  $("#end-title").textContent = texts.thanks;
  $("#end-text").hidden = false;
  $("#result").textContent = resultText(study, texts, judge.result);
  $("#result").hidden = !$("#result").textContent;
  const fooled = judge.result?.fooled ?? [];
  $("#fooled").hidden = !fooled.length;
  if (fooled.length) showFooled($("#fooled ul"), fooled, texts);
  $("#next-person").hidden = !study.shared_device;
  $("#end-title").focus();
}

/** Try until it works: a network may be away for a while. */
async function surely(attempt) {
  for (;;) {
    try {
      await attempt();
      waiting(false);
      return;
    } catch (error) {
      if (error instanceof Refused && error.status < 500) throw error;
      waiting(true);
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  }
}

function waiting(long) {
  $("#alert").hidden = !long;
  $("#alert").textContent = long ? texts.no_answer_kept : "";
}

function tell(error) {
  $("#alert").textContent = error.message;
  $("#alert").hidden = false;
}

const KEYS = {
  ArrowLeft: "left", ArrowUp: "left", 1: "left",
  ArrowRight: "right", ArrowDown: "right", 2: "right",
  " ": "tie",
};

document.addEventListener("keydown", (event) => {
  if (!accept || withdrawn || event.repeat || event.altKey || event.ctrlKey || event.metaKey) return;
  if ($("#sure").open || event.target.closest("input")) return;
  const onButton = event.key === " " && event.target.closest("button");
  const offered = [...document.querySelectorAll("#choices:not([hidden]) button")];
  const answer = offered.length ? offered[event.key - 1]?.dataset.answer : KEYS[event.key];
  const button = [...document.querySelectorAll("[data-answer]")].find((b) => b.dataset.answer === answer);
  if (onButton || !button || button.disabled || button.closest("[hidden]")) return;
  event.preventDefault(); // arrows and space would scroll
  accept(answer, "keys");
});

$("#trial").addEventListener("click", (event) => {
  const answer = event.target.closest("[data-answer]")?.dataset.answer;
  if (accept && answer) accept(answer, way(event));
});
$("#free").addEventListener("submit", (event) => {
  event.preventDefault();
  if (accept) accept($("#free input").value, "keys");
});

const way = ({ pointerType }) => (pointerType === "mouse" ? "mouse" : pointerType ? "touch" : "keys");

$("#begin").onclick = () => consent(false).catch(tell);
for (const button of [$("#other"), $("#next-person")]) button.onclick = welcomeNext;

/** Somebody else begins on this device; what was answered before stays. */
function welcomeNext() {
  $("#begin").onclick = () => consent(true).catch(tell);
  if (study.full) say(texts.full);
  else welcome();
}

$("#withdraw").onclick = () => {
  $("#sure").returnValue = "";
  $("#sure").showModal();
};
$("#sure").addEventListener("close", async () => {
  if ($("#sure").returnValue !== "withdraw") return;
  await postSurely("withdraw", {}, waiting);
  withdrawn = true;
  say(texts.withdrawn);
});
