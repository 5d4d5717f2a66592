/** The stand-in's "Payment Element": a card form with the test cards to choose from. */

const CARDS = [
  { name: "Success", number: "4242424242424242" },
  { name: "Declined", number: "4000000000000002" },
  { name: "Insufficient funds", number: "4000000000009995" },
  { name: "3D Secure", number: "4000002760003184" },
  { name: "Paid, then disputed", number: "4000000000000259" },
];

/** @typedef {{code: string, message: string, input: HTMLInputElement}} Problem */

/**
 * Make an element. Texts are texts: nothing is read as HTML.
 * @param {string} tag
 * @param {Record<string, string>} attributes
 * @param {...(Node | string)} children
 * @returns {any}
 */
export function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** @param {string} text */
const digits = (text) => text.replace(/\D/g, "");

/** @param {string} number */
const grouped = (number) => digits(number).slice(0, 19).replace(/(\d{4})(?=\d)/g, "$1 ");

/**
 * The check digit of card numbers (ISO/IEC 7812).
 * @param {string} number
 */
function adds(number) {
  const sum = [...number].reverse().reduce((total, digit, at) => {
    const value = Number(digit) * (at % 2 ? 2 : 1);
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return sum % 10 === 0;
}

export class CardForm {
  constructor() {
    this.number = this.#input("fake-number", { placeholder: "1234 1234 1234 1234", maxlength: "23" });
    this.expiry = this.#input("fake-expiry", { placeholder: "MM / YY", maxlength: "7" });
    this.cvc = this.#input("fake-cvc", { placeholder: "123", maxlength: "4" });
    this.choices = CARDS.map((card) => this.#choice(card));
    this.root = make("div", { class: "card-form" },
      make("fieldset", { class: "test-cards" }, make("legend", {}, "Test cards"), ...this.choices),
      this.#field("Card number", this.number),
      make("div", { class: "row" }, this.#field("Expiry date", this.expiry), this.#field("Security code", this.cvc)),
    );
    this.number.addEventListener("input", () => this.#typed());
    this.expiry.addEventListener("input", (/** @type {InputEvent} */ event) => this.#typedExpiry(event));
  }

  /**
   * What the API is sent.
   * @returns {Record<string, string>}
   */
  card() {
    const [month, year] = this.#monthAndYear();
    return { number: digits(this.number.value), exp_month: month, exp_year: `20${year}`, cvc: digits(this.cvc.value) };
  }

  /**
   * Show what is missing, and return the first of it.
   * @returns {Problem | null}
   */
  check() {
    const found = [this.#checkNumber(), this.#checkExpiry(), this.#checkCvc()];
    const inputs = [this.number, this.expiry, this.cvc];
    inputs.forEach((input, at) => this.#show(input, found[at]?.message ?? ""));
    return found.find((problem) => problem !== null) ?? null;
  }

  /** @returns {Problem | null} */
  #checkNumber() {
    const number = digits(this.number.value);
    if (number.length < 13) return { code: "incomplete_number", message: "Your card number is incomplete.", input: this.number };
    if (!adds(number)) return { code: "invalid_number", message: "Your card number is invalid.", input: this.number };
    return null;
  }

  /** @returns {Problem | null} */
  #checkExpiry() {
    const [month, year] = this.#monthAndYear();
    const now = new Date();
    if (!(Number(month) >= 1 && Number(month) <= 12) || year.length !== 2) {
      return { code: "incomplete_expiry", message: "Your card’s expiry date is incomplete.", input: this.expiry };
    }
    if (new Date(2000 + Number(year), Number(month), 1) <= now) {
      return { code: "invalid_expiry_year_past", message: "Your card’s expiry date is in the past.", input: this.expiry };
    }
    return null;
  }

  /** @returns {Problem | null} */
  #checkCvc() {
    if (digits(this.cvc.value).length >= 3) return null;
    return { code: "incomplete_cvc", message: "Your card’s security code is incomplete.", input: this.cvc };
  }

  #monthAndYear() {
    const typed = digits(this.expiry.value);
    return [typed.slice(0, 2), typed.slice(2)];
  }

  #typed() {
    const atEnd = this.number.selectionStart === this.number.value.length;
    if (atEnd) this.number.value = grouped(this.number.value);
    this.#mark(digits(this.number.value));
  }

  /** @param {InputEvent} event */
  #typedExpiry(event) {
    if (event.inputType?.startsWith("delete")) return;
    const typed = digits(this.expiry.value);
    if (typed.length >= 2) this.expiry.value = `${typed.slice(0, 2)} / ${typed.slice(2, 4)}`;
  }

  /** @param {{name: string, number: string}} card */
  #choice({ name, number }) {
    const button = make("button", { type: "button", class: "test-card", "aria-pressed": "false", "data-number": number },
      make("span", { class: "test-card-name" }, name),
      make("span", { class: "test-card-number" }, make("span", { class: "test-card-front" }, number.slice(0, 12).replace(/(.{4})/g, "$1 ")), number.slice(-4)));
    button.addEventListener("click", () => this.#choose(number));
    return button;
  }

  /** @param {string} number */
  #choose(number) {
    this.number.value = grouped(number);
    this.expiry.value = "12 / 34";
    this.cvc.value = "123";
    this.#mark(number);
    this.check();
  }

  /** @param {string} number */
  #mark(number) {
    for (const choice of this.choices) choice.setAttribute("aria-pressed", String(choice.dataset.number === number));
  }

  /**
   * @param {string} id
   * @param {Record<string, string>} attributes
   * @returns {HTMLInputElement}
   */
  #input(id, attributes) {
    // Browsers offer to fill in a real card where they know the field: here they must not.
    const common = { id, type: "text", inputmode: "numeric", autocomplete: "off", "aria-describedby": `${id}-problem` };
    return make("input", { ...common, ...attributes });
  }

  /**
   * @param {string} label
   * @param {HTMLInputElement} input
   */
  #field(label, input) {
    const problem = make("p", { id: `${input.id}-problem`, class: "field-problem" });
    return make("div", { class: "field" }, make("label", { for: input.id }, label), input, problem);
  }

  /**
   * @param {HTMLInputElement} input
   * @param {string} message
   */
  #show(input, message) {
    input.setAttribute("aria-invalid", String(message !== ""));
    const place = input.parentElement?.querySelector(".field-problem");
    if (place) place.textContent = message;
  }
}
