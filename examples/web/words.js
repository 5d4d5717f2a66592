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
  requires_capture: { text: "Held on your card", tone: "busy" },
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

/** @type {Record<string, string>} what is read out when the airport did something by itself */
const NEWS = {
  completed: "The airport confirmed your booking.",
  refunded: "The payment was refunded.",
  partially_refunded: "A part of the payment was refunded.",
  disputed: "The payment was disputed at the bank.",
  review: "The airport is looking at this payment.",
};

/**
 * What a new status means, for those who hear the page; empty if it is nothing new by itself.
 * @param {Status} status
 * @returns {string}
 */
export function news({ paymentStatus }) {
  return NEWS[paymentStatus] ?? "";
}

/**
 * Say in few words why a try to pay failed.
 * @param {{code?: string, message: string}} error Stripe's
 */
export function declined({ code, message }) {
  return code === "payment_intent_authentication_failure" ? "Your bank’s check failed." : message;
}

/** @type {Record<string, string>} what the payment did when it was faster than a cancellation */
const FASTER = {
  paid: "You cancelled the booking, but the payment was faster.",
  processing: "You cancelled the booking. It ends when your bank has answered.",
};

/** @param {{outcome?: string}} booking that the customer cancelled */
export function cancellation({ outcome }) {
  return FASTER[outcome ?? ""] ?? "You cancelled the booking.";
}

/** @typedef {{view: "done" | "over", title: string, text: string}} Ending */

/**
 * How a booking ended, so far; null while it may still be paid.
 * @param {Status} status
 * @param {{price: string, item: string, expired: boolean}} booking
 * @returns {Ending | null}
 */
export function ending({ paymentStatus, bookingStatus }, { price, item, expired }) {
  const cancelled = bookingStatus === "cancelled";
  switch (paymentStatus) {
    case "completed":
      if (cancelled) return { view: "over", title: "This booking is cancelled", text: `You paid ${price} before that. Ask the airport about it.` };
      return { view: "done", title: "Your booking is confirmed", text: `You paid ${price} for ${item}.` };
    case "partially_refunded":
      if (cancelled) return { view: "over", title: "This booking is cancelled", text: `A part of the ${price} that you paid goes back to you.` };
      return { view: "done", title: "Your booking is confirmed", text: `You paid ${price} for ${item}, and a part of it goes back to you.` };
    case "refunded":
      return { view: "over", title: "Your money goes back to you", text: `${price} for ${item}.${cancelled ? " The booking is cancelled." : ""}` };
    case "disputed":
      return { view: "over", title: "The payment is disputed", text: `Your bank has taken up the ${price} that you paid for ${item}, and decides about the money.` };
    case "review":
      return { view: "over", title: "We are looking at this payment", text: "A person at the airport looks at it and will come back to you." };
    default:
      if (!cancelled) return null;
      return { view: "over", title: "This booking is cancelled", text: expired ? "Its hold was over before it was paid. Nothing was charged." : "Nothing was charged." };
  }
}

/** @type {Record<string, string>} */
const REFUSALS = {
  unauthorized: "Your session is over. Start over to get a new one.",
  booking_not_found: "This booking does not exist, or it was made in another tab or browser.",
  booking_not_payable: "This booking can no longer be paid.",
  payment_in_review: "The airport is looking at an earlier payment for this booking.",
  nothing_to_refund: "There is nothing left to give back.",
  refund_too_large: "This is more than is left of the payment.",
  refund_refused: "Stripe does not refund this payment.",
  payment_disputed: "The payment is disputed: the bank decides about the money.",
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
