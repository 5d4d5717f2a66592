/**
 * A stand-in for Stripe.js that talks to a fake Stripe: the calls that this page makes, with the same names, arguments
 * and answers. Its card form and its "bank" are its own.
 */

import { answerOf } from "./dialog.js";
import { CardForm, make } from "./fake-card-form.js";

/** @typedef {{id: string, status: string, amount: number, currency: string, next_action: any, last_payment_error: any}} Intent */
/** @typedef {{paymentIntent?: Intent, error?: any}} Result */

const NOT_AUTHENTICATED = "We are unable to authenticate your payment method. Please choose a different payment method and try again.";

/** @type {WeakMap<object, {clientSecret: string, form: CardForm | null}>} what `elements` holds, unseen by the page */
const inside = new WeakMap();

/**
 * Write nested values as Stripe's forms want them: `card[number]=…`.
 * @param {Record<string, any>} values
 * @param {string} [prefix]
 * @returns {[string, string][]}
 */
function pairs(values, prefix = "") {
  return Object.entries(values).flatMap(([name, value]) => {
    const key = prefix ? `${prefix}[${name}]` : name;
    return value !== null && typeof value === "object" ? pairs(value, key) : [[key, String(value)]];
  });
}

/** @param {string} clientSecret */
const idOf = (clientSecret) => clientSecret.split("_secret_")[0];

/** @param {Intent} intent */
function price({ amount, currency }) {
  const format = new Intl.NumberFormat("en", { style: "currency", currency });
  return format.format(amount / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2));
}

/** The fake's HTTP API, as a browser may use it. */
class Client {
  /**
   * @param {string} base
   * @param {string} key the publishable key
   */
  constructor(base, key) {
    this.base = base;
    this.key = key;
  }

  /**
   * @param {string} path
   * @param {RequestInit} [options]
   * @returns {Promise<{error?: any} & Partial<Intent>>}
   */
  async send(path, options = {}) {
    try {
      const headers = { Authorization: `Bearer ${this.key}` };
      const response = await fetch(`${this.base}${path}`, { ...options, headers, cache: "no-store" });
      return await response.json();
    } catch {
      return { error: { type: "api_connection_error", message: "We could not reach Stripe. Please try again." } };
    }
  }

  /**
   * @param {string} path
   * @param {Record<string, any>} values
   */
  post(path, values) {
    return this.send(path, { method: "POST", body: new URLSearchParams(pairs(values)) });
  }

  /** @param {string} clientSecret */
  retrieve(clientSecret) {
    const query = new URLSearchParams({ client_secret: clientSecret });
    return this.send(`/v1/payment_intents/${idOf(clientSecret)}?${query}`);
  }
}

/**
 * @param {{error?: any} & Partial<Intent>} answer
 * @returns {Result}
 */
function result(answer) {
  return answer.error ? { error: answer.error } : { paymentIntent: /** @type {Intent} */ (answer) };
}

/**
 * Play the bank: ask in a dialog.
 * @param {Intent} intent
 * @returns {Promise<boolean>}
 */
async function askBank(intent) {
  const yes = make("button", { type: "button", class: "primary", id: "bank-complete" }, "Complete");
  const no = make("button", { type: "button", class: "secondary", id: "bank-fail" }, "Fail");
  const dialog = make("dialog", { id: "bank-dialog", "aria-labelledby": "bank-dialog-title", "aria-describedby": "bank-dialog-text" },
    make("p", { class: "eyebrow" }, "3D Secure, played by the fake Stripe"),
    make("h2", { id: "bank-dialog-title" }, "Your bank asks: is it you?"),
    make("p", { id: "bank-dialog-text" }, `Smart Airport wants to charge ${price(intent)} to your card. Complete the check, or let it fail.`),
    make("p", { class: "actions" }, yes, no));
  document.body.append(dialog);
  const answer = await answerOf(dialog, yes, no);
  dialog.remove();
  return answer;
}

/**
 * Do what an intent waits for, and return how it then stands.
 * @param {Client} client
 * @param {string} clientSecret
 * @param {Intent} intent
 * @returns {Promise<Result>}
 */
async function act(client, clientSecret, intent) {
  if (intent.status !== "requires_action") return { paymentIntent: intent };
  const succeed = await askBank(intent);
  const told = await client.post("/_fake/3ds", { payment_intent: intent.id, client_secret: clientSecret, succeed });
  if (told.error) return { error: told.error };
  const after = result(await client.retrieve(clientSecret));
  const failure = after.paymentIntent?.last_payment_error;
  if (after.paymentIntent?.status !== "requires_payment_method" || !failure) return after;
  const unknown = failure.code === "payment_intent_authentication_failure";
  return { error: { ...failure, message: unknown ? NOT_AUTHENTICATED : failure.message } };
}

/**
 * `stripe.elements()`.
 * @param {{clientSecret: string}} options
 */
function newElements({ clientSecret }) {
  /** @type {{clientSecret: string, form: CardForm | null}} */
  const own = { clientSecret, form: null };
  const elements = {
    /** @param {string} type */
    create(type) {
      if (type !== "payment") throw new Error(`The stand-in has no "${type}" element.`);
      const form = new CardForm();
      own.form = form;
      return {
        /** @param {HTMLElement} place */
        mount(place) {
          place.replaceChildren(form.root);
        },
        destroy() {
          form.root.remove();
        },
      };
    },
    async submit() {
      const problem = own.form?.check() ?? null;
      if (problem === null) return {};
      problem.input.focus();
      return { error: { type: "validation_error", code: problem.code, message: problem.message } };
    },
  };
  inside.set(elements, own);
  return elements;
}

/**
 * `stripe.confirmPayment()`.
 * @param {Client} client
 * @param {{elements: object, confirmParams?: {return_url?: string}}} options
 * @returns {Promise<Result>}
 */
async function confirmPayment(client, { elements, confirmParams }) {
  const { clientSecret, form } = inside.get(elements) ?? { clientSecret: "", form: null };
  if (form === null) throw new Error("Mount a payment element first.");
  const answer = result(await client.post(`/v1/payment_intents/${idOf(clientSecret)}/confirm`, {
    client_secret: clientSecret,
    use_stripe_sdk: true,
    payment_method_data: { type: "card", card: form.card() },
    ...(confirmParams?.return_url ? { return_url: confirmParams.return_url } : {}),
  }));
  return answer.paymentIntent ? act(client, clientSecret, answer.paymentIntent) : answer;
}

/**
 * Return a `Stripe` function that talks to the fake at an address.
 * @param {string} base
 */
export function fakeStripe(base) {
  return (/** @type {string} */ publishableKey) => {
    const client = new Client(base, publishableKey);
    return {
      elements: newElements,
      confirmPayment: (/** @type {any} */ options) => confirmPayment(client, options),
      retrievePaymentIntent: async (/** @type {string} */ clientSecret) => result(await client.retrieve(clientSecret)),
      handleNextAction: async (/** @type {{clientSecret: string}} */ { clientSecret }) => {
        const now = result(await client.retrieve(clientSecret));
        return now.paymentIntent ? act(client, clientSecret, now.paymentIntent) : now;
      },
    };
  };
}
