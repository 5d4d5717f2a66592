/** Loads Stripe.js, or the stand-in for it. Nothing else on the page knows which of the two it is. */

const STRIPE_JS = "https://js.stripe.com/v3/";

/** @typedef {{title: string, text: string}} Banner */
/** @typedef {{publishableKey: string, isFake: boolean, stripeApi: string | null}} Settings */

/** @type {Banner} */
const FAKE = {
  title: "This is a fake Stripe.",
  text: "No real money moves. Never enter a real card.",
};
/** @type {Banner} */
const TEST = {
  title: "Stripe’s test mode.",
  text: "No real money moves. Pay with 4242 4242 4242 4242; see a decline with 4000 0000 0000 0002, insufficient funds "
    + "with 4000 0000 0000 9995, 3D Secure with 4000 0027 6000 3184, a dispute with 4000 0000 0000 0259. Any future date, any CVC.",
};

/** @param {string} address */
function loadScript(address) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = address;
    script.addEventListener("load", resolve);
    script.addEventListener("error", () => reject(new Error("Stripe.js could not be loaded from js.stripe.com.")));
    document.head.append(script);
  });
}

/**
 * Return Stripe, and what the page should say about it.
 * @param {Settings} settings
 * @returns {Promise<{stripe: any, banner: Banner | null}>}
 */
export async function loadStripe({ publishableKey, isFake, stripeApi }) {
  if (!publishableKey) throw new Error("There is no publishable key: set STRIPE_PUBLISHABLE_KEY and start again.");
  if (isFake) {
    const { fakeStripe } = await import("./fake-stripe.js");
    return { stripe: fakeStripe(stripeApi ?? "")(publishableKey), banner: FAKE };
  }
  await loadScript(STRIPE_JS);
  const { Stripe } = /** @type {any} */ (window);
  return { stripe: Stripe(publishableKey), banner: publishableKey.startsWith("pk_test_") ? TEST : null };
}
