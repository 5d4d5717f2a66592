/** Talks to the airport's API: the guide's endpoints, the stand-in for bookings, and the demo's own two. */

/** @typedef {import("./words.js").Status} Status */
/** @typedef {{bookingId: string, amount: number, currency: string, status: string, holdUntil?: string, outcome?: string}} Booking */
/** @typedef {{at: string, text: string, tone: import("./words.js").Tone, event: string | null}} Line */

const TOKEN = "airport-token";
const TRIES = 4;
const LONGEST_PAUSE_S = 5;

/** The API said no. `reasons` are those of single fields. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} message
   * @param {string[]} reasons
   */
  constructor(status, code, message, reasons = []) {
    super(message);
    this.status = status;
    this.code = code;
    this.reasons = reasons;
  }
}

/** @param {number} seconds */
const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/**
 * Send one request.
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @param {string | null} [token]
 * @returns {Promise<Response>}
 */
async function send(method, path, body, token) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  try {
    return await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new ApiError(0, "unreachable", "The airport cannot be reached.");
  }
}

/**
 * Return the document of an answer, or throw what it says.
 * @param {Response} response
 */
async function read(response) {
  const document = await response.json().catch(() => null);
  if (document === null) throw new ApiError(response.status, "unreadable", "The airport's answer was not JSON.");
  if (response.ok) return document;
  const data = document.data ?? {};
  const reasons = (data.errors ?? []).map((/** @type {{reason: string}} */ error) => error.reason);
  throw new ApiError(response.status, data.error_code ?? "unknown", document.message ?? "It did not work.", reasons);
}

/**
 * Ask, and ask again after the time that a 503 names.
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @param {string | null} [token]
 */
async function ask(method, path, body, token) {
  for (let attempt = 1; ; attempt += 1) {
    const response = await send(method, path, body, token);
    if (response.status !== 503 || attempt === TRIES) return read(response);
    const wanted = Number(response.headers.get("Retry-After")) || 1;
    await pause(Math.min(wanted, LONGEST_PAUSE_S));
  }
}

/** What the page needs to know before it loads Stripe. */
export async function settings() {
  const [page, demo] = await Promise.all([ask("GET", "/config"), ask("GET", "/demo/config")]);
  return { ...page.data, ...demo.data };
}

/** Forget who we are; the next call is another customer's. */
export function forgetCustomer() {
  sessionStorage.removeItem(TOKEN);
}

async function token() {
  const kept = sessionStorage.getItem(TOKEN);
  if (kept) return kept;
  const made = await ask("POST", "/demo/session");
  sessionStorage.setItem(TOKEN, made.data.token);
  return made.data.token;
}

/**
 * Call as the customer of this tab.
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 */
async function call(method, path, body) {
  try {
    return await ask(method, path, body, await token());
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) forgetCustomer();
    throw error;
  }
}

/** @param {string} id */
const named = (id) => encodeURIComponent(id);

/**
 * Book. Returns the booking's id.
 * @param {number} amount
 * @param {string} currency
 * @param {number} holdSeconds how long it is held; 0 for ever
 * @returns {Promise<string>}
 */
export async function book(amount, currency, holdSeconds) {
  const held = holdSeconds ? { holdSeconds } : {};
  return (await call("POST", "/bookings", { amount, currency, ...held })).data.bookingId;
}

/**
 * @param {string} id
 * @returns {Promise<Booking>}
 */
export async function booking(id) {
  return (await call("GET", `/bookings/${named(id)}`)).data;
}

/**
 * @param {string} id
 * @returns {Promise<Booking>}
 */
export async function cancel(id) {
  return (await call("POST", `/bookings/${named(id)}/cancel`)).data;
}

/**
 * Give money back, as the airport's staff. The same request again is the same refund.
 * @param {string} id
 * @param {import("./refund.js").Refund} refund
 */
export async function refund(id, refund) {
  return (await call("POST", `/bookings/${named(id)}/refund`, refund)).data;
}

/**
 * @param {string} id
 * @returns {Promise<Line[]>} what the airport wrote down, oldest first
 */
export async function history(id) {
  return (await call("GET", `/bookings/${named(id)}/history`)).data.history;
}

/**
 * Open the payment of a booking, or find it again.
 * @param {Booking} booked
 * @returns {Promise<{paymentIntentId: string, clientSecret: string, status: string}>}
 */
export async function openPayment({ bookingId, amount, currency }) {
  return (await call("POST", "/payment/create-payment-intent", { bookingId, amount, currency })).data;
}

/**
 * Let the airport ask Stripe now, should the webhook be late. Its answer is seen in the status.
 * @param {string} bookingId
 * @param {string} paymentIntentId
 */
export async function confirm(bookingId, paymentIntentId) {
  await call("POST", "/payment/confirm-payment", { bookingId, paymentIntentId });
}

/**
 * @param {string} id
 * @returns {Promise<Status>}
 */
export async function status(id) {
  return (await call("GET", `/payment/status/${named(id)}`)).data;
}
