/** The dialog in which staff say how much goes back. */

import { answerOf } from "./dialog.js";
import * as view from "./view.js";
import { readAmount } from "./words.js";

/** @typedef {{requestId: string, amount?: number}} Refund without an amount it is all that is left */

const ID_BYTES = 16;

/** A name for one refund: asked for again with the same one, it is the same refund. */
function newRequestId() {
  const bytes = crypto.getRandomValues(new Uint8Array(ID_BYTES));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const isPart = () => view.at("refund-part").checked;

/**
 * Read what was typed, and say what is wrong with it.
 * @param {string} currency
 */
function typed(currency) {
  const { amount, problem } = isPart() ? readAmount(view.at("refund-amount").value, currency) : { amount: null, problem: "" };
  view.problem("refund-error", problem);
  view.at("refund-amount").setAttribute("aria-invalid", String(problem !== ""));
  if (problem) view.at("refund-amount").focus();
  return { amount, good: problem === "" };
}

function choose() {
  view.at("refund-field").hidden = !isPart();
  view.problem("refund-error", "");
}

/**
 * Ask how much goes back.
 * @param {string} currency
 * @returns {Promise<Refund | null>} null for nothing
 */
export async function askRefund(currency) {
  view.at("refund-all").checked = true;
  view.at("refund-amount").value = "";
  view.write("refund-currency", currency.toUpperCase());
  for (const choice of ["refund-all", "refund-part"]) view.at(choice).onchange = choose;
  choose();
  const check = () => typed(currency).good;
  if (!(await answerOf(view.at("refund-dialog"), view.at("refund-yes"), view.at("refund-no"), check))) return null;
  const { amount } = typed(currency);
  return amount === null ? { requestId: newRequestId() } : { requestId: newRequestId(), amount };
}
