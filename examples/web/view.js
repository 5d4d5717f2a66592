/** The page's elements: nothing here decides anything. */

import { bookingWords, money, paymentWords } from "./words.js";

/** @typedef {import("./words.js").Tone} Tone */
/** @typedef {{at: number, text: string, tone: Tone, by: string}} Entry */

const VIEWS = ["loading", "choose", "pay", "bank", "finishing", "done", "over", "broken"];
/** @type {Record<string, string>} */
const STEP_OF = { choose: "choose", pay: "pay", bank: "pay", finishing: "pay", done: "done" };

/**
 * @param {string} id
 * @returns {any}
 */
export function at(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`The page has no #${id}.`);
  return found;
}

/**
 * Write a text, unless it stands there already: screen readers would read it again.
 * @param {string} id
 * @param {string} text
 */
export function write(id, text) {
  const place = at(id);
  if (place.textContent !== text) place.textContent = text;
}

/**
 * Show or hide a message.
 * @param {string} id
 * @param {string} message empty to hide it
 */
export function problem(id, message) {
  write(id, message);
  at(id).hidden = message === "";
}

/** @param {string} text read out by screen readers */
export function announce(text) {
  write("announcer", text);
}

/**
 * Show one view. Whoever uses a keyboard or a screen reader is taken to its heading.
 * @param {string} name
 */
export function show(name) {
  const before = document.body.dataset.view;
  document.body.dataset.view = name;
  for (const view of VIEWS) at(`view-${view}`).hidden = view !== name;
  at("main").setAttribute("aria-busy", String(name === "loading" || name === "finishing"));
  markStep(STEP_OF[name] ?? "");
  if (before !== undefined && before !== "loading" && before !== name) at(`view-${name}`).querySelector("h1")?.focus();
}

/** @returns {string} */
export function shown() {
  return document.body.dataset.view ?? "loading";
}

/** @param {string} current */
function markStep(current) {
  for (const step of document.querySelectorAll("[data-step]")) {
    if (step.getAttribute("data-step") === current) step.setAttribute("aria-current", "step");
    else step.removeAttribute("aria-current");
  }
}

/** @param {import("./stripe.js").Banner | null} banner */
export function showBanner(banner) {
  if (banner !== null) {
    write("banner-title", banner.title);
    write("banner-text", banner.text);
  }
  at("banner").hidden = banner === null;
}

/**
 * @param {import("./api.js").Booking} booking
 * @param {string} item
 */
export function showBooking(booking, item) {
  write("item", item);
  write("total", money(booking.amount, booking.currency));
  write("reference", booking.bookingId);
  write("pay-label", `Pay ${money(booking.amount, booking.currency)}`);
  at("summary").hidden = false;
}

export function hideBooking() {
  at("summary").hidden = true;
}

/**
 * @param {string} id
 * @param {import("./words.js").Words} words
 */
function pill(id, { text, tone }) {
  write(id, text);
  at(id).dataset.tone = tone;
}

/** @param {import("./words.js").Status} status */
export function showStatus(status) {
  pill("booking-status", bookingWords(status.bookingStatus));
  pill("payment-status", paymentWords(status));
  at("cancel").hidden = status.bookingStatus !== "pending" || status.paymentStatus === "review";
  at("refund").hidden = !["completed", "partially_refunded"].includes(status.paymentStatus);
}

/** @param {string} left how long the booking is still held; empty if that is over, or was never so */
export function showHold(left) {
  write("hold-left", left);
  at("hold").hidden = left === "";
}

/** @type {string} */
let timelineShown = "";

/** @param {Entry[]} entries */
export function showTimeline(entries) {
  const now = JSON.stringify(entries);
  if (now === timelineShown) return;
  timelineShown = now;
  at("timeline").replaceChildren(...entries.map(timelineItem));
}

/** @param {Entry} entry */
function timelineItem({ at: when, text, tone, by }) {
  const time = document.createElement("time");
  time.dateTime = new Date(when).toISOString();
  time.textContent = new Date(when).toLocaleTimeString("en-GB");
  const words = document.createElement("span");
  words.textContent = text;
  const item = document.createElement("li");
  const source = document.createElement("span");
  source.className = "source";
  source.append(time, ` · ${by}`);
  item.dataset.tone = tone;
  item.append(words, source);
  return item;
}

/**
 * A button that works. It keeps the focus, which a disabled one would lose.
 * @param {string} id
 * @param {boolean} busy
 */
export function busy(id, busy) {
  const button = at(id);
  button.setAttribute("aria-disabled", String(busy));
  button.classList.toggle("is-busy", busy);
}
