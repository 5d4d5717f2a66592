/**
 * The page's flow: book, open the payment, pay with Stripe, watch it being confirmed.
 *
 * The booking's id stands in the URL's fragment, so that a reload finds it again. The client secret stands nowhere but in
 * this module's memory: after a reload the airport is asked for it again.
 */

import * as api from "./api.js";
import { answerOf } from "./dialog.js";
import { loadStripe } from "./stripe.js";
import { entries, remember, remembered, rememberItem } from "./story.js";
import * as view from "./view.js";
import { Watcher } from "./watcher.js";
import { SERVICES, decimals, money, news, readAmount, refusal } from "./words.js";

/** @typedef {import("./words.js").Status} Status */

/** After so many answers without a confirmation the airport is told to ask Stripe itself; then the customer is told. */
const PATIENCE = { answers: 4, long: 12 };
const FINAL = ["completed", "refunded", "partially_refunded", "disputed", "review"];

/** @type {any} Stripe.js or its stand-in */
let stripe = null;
/** @type {api.Booking | null} */
let booking = null;
/** @type {{intentId: string, clientSecret: string, elements: any, element: any} | null} */
let payment = null;
let working = false;
let unconfirmed = 0;

const watcher = new Watcher(() => api.status(booking?.bookingId ?? ""), onStatus, onLost);

// ---- small things -----------------------------------------------------------------------------------------------------

/**
 * Do one thing at a time; clicks meanwhile do nothing.
 * @param {string} button
 * @param {() => Promise<void>} work
 */
async function alone(button, work) {
  if (working) return;
  working = true;
  view.busy(button, true);
  try {
    await work();
  } finally {
    working = false;
    view.busy(button, false);
  }
}

/** @param {unknown} error */
const words = (error) => (error instanceof api.ApiError ? refusal(error) : error instanceof Error ? error.message : String(error));

/**
 * Add to "What happened".
 * @param {string} text
 * @param {import("./words.js").Tone} [tone]
 */
function tell(text, tone = "neutral") {
  if (booking === null) return;
  remember(booking.bookingId, text, tone);
  view.showTimeline(entries(booking.bookingId));
  view.announce(text);
}

/** @param {unknown} error */
function broken(error) {
  watcher.stop();
  view.write("broken-text", words(error));
  view.show("broken");
}

const idInAddress = () => new URLSearchParams(location.hash.slice(1)).get("booking") ?? "";

/** @param {string} id empty for none */
function putInAddress(id) {
  history.replaceState(null, "", `${location.pathname}${id ? `#booking=${encodeURIComponent(id)}` : ""}`);
}

// ---- choosing ---------------------------------------------------------------------------------------------------------

const chosen = () => {
  const radio = /** @type {HTMLInputElement} */ (document.querySelector("input[name=service]:checked"));
  return SERVICES[/** @type {keyof typeof SERVICES} */ (radio.value)];
};

/** @returns {"usd" | "eur" | "gbp" | "aed" | "jpy" | "kwd"} */
const currency = () => view.at("currency").value;

function suggestAmount() {
  view.at("amount").value = chosen().prices[currency()];
  view.at("amount").inputMode = decimals(currency()) ? "decimal" : "numeric";
  view.problem("amount-error", "");
  for (const place of document.querySelectorAll("[data-price]")) {
    const service = SERVICES[/** @type {keyof typeof SERVICES} */ (place.getAttribute("data-price"))];
    place.textContent = money(Number(service.prices[currency()]), currency());
  }
}

function startOver() {
  watcher.stop();
  booking = null;
  closePayment();
  putInAddress("");
  view.hideBooking();
  suggestAmount();
  view.show("choose");
}

async function book() {
  const { amount, problem } = readAmount(view.at("amount").value, currency());
  view.problem("amount-error", problem);
  view.at("amount").setAttribute("aria-invalid", String(problem !== ""));
  if (problem) return view.at("amount").focus();
  try {
    const id = await api.book(amount, currency());
    putInAddress(id);
    rememberItem(id, chosen().name);
    booking = await api.booking(id);
    tell(`You booked ${chosen().name.toLowerCase()} for ${money(booking.amount, booking.currency)}.`);
    await enter();
  } catch (error) {
    if (booking === null) view.problem("amount-error", words(error));
    else broken(error);
  }
}

// ---- paying -----------------------------------------------------------------------------------------------------------

/** Show a booking, and go where its status says. */
async function enter() {
  if (booking === null) return;
  unconfirmed = 0;
  view.showBooking(booking, remembered(booking.bookingId));
  view.showTimeline(entries(booking.bookingId));
  onStatus(await api.status(booking.bookingId));
  if (booking.status === "pending" && !ended()) await openPayment();
  if (!ended()) watcher.soon();
}

const ended = () => view.shown() === "done" || view.shown() === "over";

/** Ask the airport for the payment's client secret, and mount Stripe's card form with it. */
async function openPayment() {
  if (booking === null) return;
  try {
    const { paymentIntentId, clientSecret } = await api.openPayment(booking);
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const elements = stripe.elements({ clientSecret, appearance: { theme: dark ? "night" : "stripe" } });
    closePayment();
    payment = { intentId: paymentIntentId, clientSecret, elements, element: elements.create("payment") };
    payment.element.mount(view.at("payment-element"));
    if (entries(booking.bookingId).length <= 1) tell("The payment is open. Choose a card.");
    const { paymentIntent } = await stripe.retrievePaymentIntent(clientSecret);
    follow(paymentIntent?.status ?? "requires_payment_method");
  } catch (error) {
    if (!(error instanceof api.ApiError) || error.status !== 409) throw error;
    onStatus(await api.status(booking.bookingId)); // it was paid, cancelled or taken into review meanwhile
    if (!ended()) throw error;
  }
}

function closePayment() {
  payment?.element.destroy();
  payment = null;
  view.problem("payment-problem", "");
  view.problem("bank-problem", "");
}

/**
 * Go where the intent's status at Stripe leads.
 * @param {string} stripeStatus
 */
function follow(stripeStatus) {
  if (stripeStatus === "requires_action") view.show("bank");
  else if (["succeeded", "processing", "requires_capture"].includes(stripeStatus)) finish(stripeStatus);
  else if (stripeStatus !== "canceled") view.show("pay");
  watcher.soon();
}

/** @param {string} stripeStatus */
function finish(stripeStatus) {
  const taken = stripeStatus === "succeeded";
  unconfirmed = 0;
  view.at("check-again").hidden = true;
  view.write("finishing-text", taken
    ? "Stripe has your payment. The airport is confirming the booking."
    : "Your bank is working on the payment. This may take a while.");
  if (!ended()) view.show("finishing");
}

async function pay() {
  if (payment === null) return;
  view.problem("payment-problem", "");
  const { error: incomplete } = await payment.elements.submit();
  if (incomplete) return; // the form itself shows what is missing
  view.announce("Paying…");
  const confirmParams = { return_url: location.href };
  const { elements } = payment;
  settled(await stripe.confirmPayment({ elements, redirect: "if_required", confirmParams }), "payment-problem");
}

async function continueWithBank() {
  if (payment === null) return;
  view.problem("bank-problem", "");
  settled(await stripe.handleNextAction({ clientSecret: payment.clientSecret }), "payment-problem");
}

/**
 * What Stripe answered.
 * @param {{error?: any, paymentIntent?: {status: string}}} answer
 * @param {string} place where a message goes
 */
function settled({ error, paymentIntent }, place) {
  if (booking === null) return;
  if (paymentIntent) {
    if (paymentIntent.status === "succeeded") tell(`Stripe took ${money(booking.amount, booking.currency)} from your card.`, "good");
    return follow(paymentIntent.status);
  }
  if (error.type === "validation_error") return undefined;
  const now = error.payment_intent?.status ?? "requires_payment_method";
  if (error.code === "payment_intent_unexpected_state") return follow(now); // another tab was faster
  if (error.type !== "api_connection_error") tell(`${declined(error)} Nothing was charged.`, "bad");
  view.show("pay");
  view.problem(place, `${error.message} ${error.type === "api_connection_error" ? "" : "You can try again, with this card or another one."}`.trim());
  return watcher.soon();
}

/** @param {{code?: string, message: string}} error */
function declined({ code, message }) {
  return code === "payment_intent_authentication_failure" ? "Your bank’s check failed." : message;
}

// ---- watching ---------------------------------------------------------------------------------------------------------

/** @param {Status} now what the airport's database says */
function onStatus(now) {
  if (booking === null) return;
  const change = news(now);
  const known = entries(booking.bookingId).some(({ text }) => text === change?.text);
  view.showStatus(now);
  if (change && !known) tell(change.text, change.tone);
  if (FINAL.includes(now.paymentStatus) || now.bookingStatus === "cancelled") end(now);
  else if (view.shown() === "finishing") hurry();
}

/** The webhook is late: let the airport ask Stripe, and then tell the customer. */
function hurry() {
  unconfirmed += 1;
  if (unconfirmed === PATIENCE.answers && booking && payment) api.confirm(booking.bookingId, payment.intentId).catch(() => {});
  if (unconfirmed < PATIENCE.long) return;
  view.write("finishing-text", "This takes longer than usual. Your payment is safe: you can close this page and come back.");
  view.at("check-again").hidden = false;
}

/** @param {Status} now */
function end(now) {
  if (booking === null) return;
  const price = money(booking.amount, booking.currency);
  closePayment();
  watcher.stop();
  if (now.paymentStatus === "completed") {
    view.write("done-text", `You paid ${price} for ${remembered(booking.bookingId).toLowerCase()}.`);
    return view.show("done");
  }
  const cancelled = now.bookingStatus === "cancelled";
  const looked = now.paymentStatus === "review";
  view.write("over-title", cancelled ? "This booking is cancelled" : looked ? "We are looking at this payment" : "This payment has changed");
  view.write("over-text", looked ? "A person at the airport looks at it and will come back to you." : cancelled ? "Nothing was charged." : "See what happened for the details.");
  return view.show("over");
}

/** @param {unknown} error of a status question: the next one may go through */
function onLost(error) {
  if (error instanceof api.ApiError && [401, 404].includes(error.status)) broken(error);
  else view.announce(words(error));
}

async function cancel() {
  if (booking === null) return;
  if (!(await answerOf(view.at("cancel-dialog"), view.at("cancel-yes"), view.at("cancel-no")))) return;
  try {
    booking = await api.cancel(booking.bookingId);
    tell("You cancelled the booking.");
  } catch (error) {
    if (!(error instanceof api.ApiError) || error.status !== 409) throw error; // paid meanwhile: the status says so
  }
  onStatus(await api.status(booking.bookingId));
}

// ---- starting ---------------------------------------------------------------------------------------------------------

/** Show the booking that the address names, or the choice. */
async function restore() {
  const id = idInAddress();
  if (!id) return startOver();
  if (id === booking?.bookingId) return undefined;
  closePayment();
  booking = await api.booking(id);
  return enter();
}

function listen() {
  const on = (/** @type {string} */ id, /** @type {string} */ event, /** @type {() => Promise<void>} */ work, busy = id) =>
    view.at(id).addEventListener(event, (/** @type {Event} */ happened) => {
      happened.preventDefault();
      alone(busy, work).catch(broken);
    });
  on("booking-form", "submit", book, "book");
  on("payment-form", "submit", pay, "pay");
  on("continue-bank", "click", continueWithBank);
  on("cancel", "click", cancel);
  view.at("booking-form").addEventListener("change", (/** @type {Event} */ event) => {
    if (event.target !== view.at("amount")) suggestAmount();
  });
  view.at("check-again").addEventListener("click", () => watcher.soon());
  view.at("reload").addEventListener("click", () => location.reload());
  view.at("skip").addEventListener("click", (/** @type {Event} */ event) => {
    event.preventDefault(); // the fragment belongs to the booking
    view.at("main").focus();
  });
  for (const button of document.querySelectorAll("[data-again]")) button.addEventListener("click", startOver);
  addEventListener("hashchange", () => restore().catch(broken));
}

async function start() {
  // Stripe puts the client secret here when a bank sends the customer back.
  if (location.search) history.replaceState(null, "", `${location.pathname}${location.hash}`);
  listen();
  const loaded = await loadStripe(await api.settings());
  stripe = loaded.stripe;
  view.showBanner(loaded.banner);
  await restore();
}

start().catch(broken);
