/**
 * The page's flow: book, open the payment, pay with Stripe, watch it being confirmed, and what becomes of it later.
 *
 * The booking's id stands in the URL's fragment, so that a reload finds it again. The client secret stands nowhere but in
 * this module's memory: after a reload the airport is asked for it again.
 */

import * as api from "./api.js";
import { chosen, currency, suggestAmount } from "./choose.js";
import { answerOf } from "./dialog.js";
import { Countdown } from "./hold.js";
import { askRefund } from "./refund.js";
import { loadStripe } from "./stripe.js";
import {
  cancelledHere, entries, openRefund, remember, rememberCancelled, remembered, rememberItem, rememberRefund, told,
} from "./story.js";
import * as view from "./view.js";
import { Watcher } from "./watcher.js";
import { cancellation, declined, ending, money, news, readAmount, refusal } from "./words.js";

/** @typedef {import("./words.js").Status} Status */

/** After so many answers without a confirmation the airport is told to ask Stripe itself; then the customer is told. */
const PATIENCE = { answers: 4, long: 12 };

/** @type {any} Stripe.js or its stand-in */
let stripe = null;
/** @type {api.Booking | null} */
let booking = null;
/** @type {{intentId: string, clientSecret: string, elements: any, element: any} | null} */
let payment = null;
let working = false;
let unconfirmed = 0;
/** @type {Status | null} the last that was seen of this booking */
let seen = null;
/** @type {api.Line[]} what the airport wrote down of this booking */
let lines = [];

/** @typedef {{status: Status, history: api.Line[]}} Look */

const watcher = new Watcher(look, onLook, onLost);
const hold = new Countdown(view.showHold, onHoldOver);

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
  view.showTimeline(told(booking.bookingId, lines));
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

function startOver() {
  watcher.stop();
  hold.stop();
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
    const id = await api.book(amount, currency(), Number(view.at("hold-for").value));
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
  seen = null;
  lines = [];
  view.showBooking(booking, remembered(booking.bookingId));
  view.problem("refund-problem", "");
  hold.start(booking.holdUntil, booking.status === "pending");
  await see();
  if (booking.status === "pending" && !ended() && !hold.over) await openPayment();
  watcher.soon();
  const refund = openRefund(booking.bookingId);
  if (refund !== null) alone("refund", () => giveBack(refund)).catch(broken);
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
    await see(); // it was paid, cancelled or taken into review meanwhile
    if (ended()) return;
    if (!hold.over) throw error;
    onHoldOver();
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
  view.write("finishing-title", "Confirming your booking");
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
  if (ended()) return watcher.soon(); // it was cancelled or paid elsewhere while the bank was asked
  const now = error.payment_intent?.status ?? "requires_payment_method";
  if (error.code === "payment_intent_unexpected_state") return follow(now); // another tab was faster
  if (error.type !== "api_connection_error") tell(`${declined(error)} Nothing was charged.`, "bad");
  view.show("pay");
  view.problem(place, `${error.message} ${error.type === "api_connection_error" ? "" : "You can try again, with this card or another one."}`.trim());
  return watcher.soon();
}

// ---- watching ---------------------------------------------------------------------------------------------------------

/** @returns {Promise<Look>} what the airport's database says */
async function look() {
  const id = booking?.bookingId ?? "";
  const [status, history] = await Promise.all([api.status(id), api.history(id)]);
  return { status, history };
}

/** Look now. */
async function see() {
  const before = booking;
  const found = await look();
  if (booking?.bookingId === before?.bookingId) onLook(found);
}

/** @param {Look} found */
function onLook({ status, history }) {
  if (booking === null) return;
  lines = history;
  view.showTimeline(told(booking.bookingId, lines));
  view.showStatus(status);
  if (seen !== null && seen.paymentStatus !== status.paymentStatus && news(status)) view.announce(news(status));
  seen = status;
  if (status.bookingStatus !== "pending") hold.stop();
  const { bookingId, amount, currency: code } = booking;
  const facts = {
    price: money(amount, code), item: remembered(bookingId).toLowerCase(), expired: hold.over && !cancelledHere(bookingId),
  };
  const end = ending(status, facts);
  if (end !== null) showEnd(end);
  else if (view.shown() === "finishing" && payment !== null) hurry();
}

/** The webhook is late: let the airport ask Stripe, and then tell the customer. */
function hurry() {
  unconfirmed += 1;
  if (unconfirmed === PATIENCE.answers && booking && payment) api.confirm(booking.bookingId, payment.intentId).catch(() => {});
  if (unconfirmed < PATIENCE.long) return;
  view.write("finishing-text", "This takes longer than usual. Your payment is safe: you can close this page and come back.");
  view.at("check-again").hidden = false;
}

/**
 * It goes on being watched: money may go back, or a bank may ask for it, long after.
 * @param {import("./words.js").Ending} end
 */
function showEnd(end) {
  closePayment();
  view.write(`${end.view}-title`, end.title);
  view.write(`${end.view}-text`, end.text);
  view.show(end.view);
}

/** The time is up: nothing more is paid here, and the airport's worker cancels the booking in a moment. */
function onHoldOver() {
  watcher.soon();
  if (working || ended()) return; // a payment that was begun comes to its own end
  closePayment();
  view.at("check-again").hidden = true;
  view.write("finishing-title", "Your hold is over");
  view.write("finishing-text", "It was not paid in time. The airport is cancelling the booking; nothing was charged.");
  view.show("finishing");
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
    rememberCancelled(booking.bookingId);
    tell(cancellation(booking));
  } catch (error) {
    if (!(error instanceof api.ApiError) || error.status !== 409) throw error; // paid meanwhile: the status says so
  }
  await see();
}

// ---- giving money back ------------------------------------------------------------------------------------------------

async function refund() {
  if (booking === null) return;
  const { bookingId, currency: code } = booking;
  view.problem("refund-problem", "");
  const asked = await askRefund(code);
  if (asked === null) return;
  rememberRefund(bookingId, asked); // so that a reload in the middle does not lose it, and does not double it
  tell(`You asked for ${asked.amount === undefined ? "all that is left" : money(asked.amount, code)} back.`);
  await giveBack(asked);
}

/** @param {import("./refund.js").Refund} asked */
async function giveBack(asked) {
  if (booking === null) return;
  const { bookingId } = booking;
  view.at("refunding").hidden = false;
  try {
    await api.refund(bookingId, asked);
    rememberRefund(bookingId, null);
  } catch (error) {
    if (!(error instanceof api.ApiError) || error.status === 401) throw error;
    if (error.status >= 400 && error.status < 500) rememberRefund(bookingId, null); // anything else: a reload asks again
    if (booking?.bookingId === bookingId) view.problem("refund-problem", words(error));
  } finally {
    view.at("refunding").hidden = true;
  }
  if (booking?.bookingId !== bookingId) return;
  await see();
  watcher.soon();
}

// ---- starting ---------------------------------------------------------------------------------------------------------

/** Show the booking that the address names, or the choice. */
async function restore() {
  const id = idInAddress();
  if (!id) return startOver();
  if (id === booking?.bookingId) return undefined;
  watcher.stop();
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
  on("refund", "click", refund);
  view.at("booking-form").addEventListener("change", (/** @type {Event} */ event) => {
    const { name } = /** @type {HTMLInputElement} */ (event.target);
    if (["service", "currency"].includes(name)) suggestAmount();
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
