/** What the page says, and what it sells. */

/** @typedef {{paymentStatus: string, bookingStatus: string, stripeStatus: string | null}} Status */
/** @typedef {"neutral" | "busy" | "good" | "warning" | "bad"} Tone */
/** @typedef {{text: string, tone: Tone}} Words */

/** Suggested prices in major units. A real airport's prices come from its own service. */
export const SERVICES = {
  parking: { name: "Parking", prices: { usd: "84.00", eur: "78.00", gbp: "66.00", aed: "309.00", jpy: "12500", kwd: "25.800" } },
  lounge: { name: "Lounge", prices: { usd: "45.00", eur: "42.00", gbp: "36.00", aed: "165.00", jpy: "6800", kwd: "13.900" } },
  "fast-track": { name: "Fast track", prices: { usd: "12.50", eur: "11.50", gbp: "9.90", aed: "46.00", jpy: "1900", kwd: "3.800" } },
  transfer: { name: "Transfer", prices: { usd: "450.99", eur: "415.00", gbp: "355.50", aed: "1656.00", jpy: "67500", kwd: "138.500" } },
};

/**
 * Write an amount for people.
 * @param {number} amount in major units
 * @param {string} currency
 */
export function money(amount, currency) {
  return new Intl.NumberFormat("en", { style: "currency", currency }).format(amount);
}

/**
 * How many decimals a currency has.
 * @param {string} currency
 * @returns {number}
 */
export function decimals(currency) {
  return new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits ?? 2;
}

/**
 * Read an amount that someone typed.
 * @param {string} text
 * @param {string} currency
 * @returns {{amount: number, problem: string}} the problem is empty when there is none
 */
export function readAmount(text, currency) {
  const typed = text.trim().replace(",", ".");
  const places = decimals(currency);
  if (!/^\d{1,9}(\.\d+)?$/.test(typed) || Number(typed) === 0) {
    return { amount: 0, problem: "Please enter an amount, such as 84.00." };
  }
  if ((typed.split(".")[1] ?? "").length > places) {
    const allowed = places === 0 ? "no decimals" : `at most ${places} decimals`;
    return { amount: 0, problem: `Amounts in ${currency.toUpperCase()} have ${allowed}.` };
  }
  return { amount: Number(typed), problem: "" };
}

/** @type {Record<string, Words>} */
const BOOKING = {
  pending: { text: "Awaiting payment", tone: "neutral" },
  confirmed: { text: "Confirmed", tone: "good" },
  cancelled: { text: "Cancelled", tone: "neutral" },
};

/** @type {Record<string, Words>} */
const PAYMENT = {
  completed: { text: "Paid", tone: "good" },
  failed: { text: "Declined", tone: "bad" },
  canceled: { text: "Nothing charged", tone: "neutral" },
  refunded: { text: "Refunded", tone: "neutral" },
  partially_refunded: { text: "Partly refunded", tone: "neutral" },
  disputed: { text: "Disputed", tone: "warning" },
  review: { text: "Being looked at", tone: "warning" },
};

/** @type {Record<string, Words>} */
const WAITING = {
  requires_action: { text: "Waiting for your bank", tone: "busy" },
  processing: { text: "Being processed", tone: "busy" },
  succeeded: { text: "Being confirmed", tone: "busy" },
};

/**
 * @param {string} status the booking's
 * @returns {Words}
 */
export function bookingWords(status) {
  return BOOKING[status] ?? { text: status, tone: "neutral" };
}

/**
 * @param {Status} status
 * @returns {Words}
 */
export function paymentWords({ paymentStatus, bookingStatus, stripeStatus }) {
  if (bookingStatus === "cancelled" && ["pending", "failed"].includes(paymentStatus)) return PAYMENT.canceled;
  if (paymentStatus !== "pending") return PAYMENT[paymentStatus] ?? { text: paymentStatus, tone: "neutral" };
  return WAITING[stripeStatus ?? ""] ?? { text: "Waiting for a card", tone: "neutral" };
}

/** @type {Record<string, Words>} what the airport did by itself */
const NEWS = {
  completed: { text: "The airport confirmed your booking.", tone: "good" },
  refunded: { text: "The payment was refunded.", tone: "neutral" },
  partially_refunded: { text: "A part of the payment was refunded.", tone: "neutral" },
  disputed: { text: "The payment was disputed at the bank.", tone: "warning" },
  review: { text: "The airport is looking at this payment.", tone: "warning" },
};

/**
 * What a status means for "What happened"; null if it is nothing new by itself.
 * @param {Status} status
 * @returns {Words | null}
 */
export function news({ paymentStatus }) {
  return NEWS[paymentStatus] ?? null;
}

/** @type {Record<string, string>} */
const REFUSALS = {
  unauthorized: "Your session is over. Start over to get a new one.",
  booking_not_found: "This booking does not exist, or it was made in another tab or browser.",
  booking_not_payable: "This booking can no longer be paid.",
  payment_in_review: "The airport is looking at an earlier payment for this booking.",
  amount_too_small: "This amount is smaller than Stripe takes. Please choose a larger one.",
  amount_too_large: "This amount is larger than Stripe takes. Please choose a smaller one.",
  stripe_unavailable: "Stripe cannot be reached at the moment. Nothing was charged; please try again.",
  storage_unavailable: "The airport cannot answer at the moment. Please try again.",
  busy: "An earlier attempt is still being closed. Please try again in a moment.",
  unreachable: "The airport cannot be reached. Is the demo still running?",
};

/**
 * Say an error of the airport's API in plain words.
 * @param {{code: string, message: string, reasons: string[]}} error
 */
export function refusal(error) {
  return REFUSALS[error.code] ?? [error.message, ...error.reasons].join(" ");
}
