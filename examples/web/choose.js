/** What the customer chooses before booking. */

import * as view from "./view.js";
import { SERVICES, decimals, money } from "./words.js";

/** What is chosen to be booked. */
export const chosen = () => {
  const radio = /** @type {HTMLInputElement} */ (document.querySelector("input[name=service]:checked"));
  return SERVICES[/** @type {keyof typeof SERVICES} */ (radio.value)];
};

/** @returns {"usd" | "eur" | "gbp" | "aed" | "jpy" | "kwd"} */
export const currency = () => view.at("currency").value;

/** Show what everything costs in the chosen currency, and suggest the chosen one's price. */
export function suggestAmount() {
  view.at("amount").value = chosen().prices[currency()];
  view.at("amount").inputMode = decimals(currency()) ? "decimal" : "numeric";
  view.problem("amount-error", "");
  for (const place of document.querySelectorAll("[data-price]")) {
    const service = SERVICES[/** @type {keyof typeof SERVICES} */ (place.getAttribute("data-price"))];
    place.textContent = money(Number(service.prices[currency()]), currency());
  }
}
