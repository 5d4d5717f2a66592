// stripe-node plays a merchant against the fake: prints what it saw as one JSON object.
"use strict";
const http = require("node:http");
const Stripe = require("stripe");

const [, , url, apiKey] = process.argv;
const { hostname, port } = new URL(url);
const stripe = new Stripe(apiKey, {
  host: hostname, port, protocol: "http", maxNetworkRetries: 0, timeout: 10000, telemetry: false,
});
const DEADLINE_MS = 10000;
const card = { payment_method_types: ["card"] };

/** Receives webhooks and believes only what stripe-node verifies. */
function receiver() {
  const seen = { types: [], refused: [], secret: null };
  const server = http.createServer((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      try {
        const body = Buffer.concat(parts);
        const event = stripe.webhooks.constructEvent(body, request.headers["stripe-signature"], seen.secret);
        seen.types.push(event.type);
        response.writeHead(200).end();
      } catch (error) {
        seen.refused.push(String(error));
        response.writeHead(400).end();
      }
    });
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve({ server, seen })));
}

async function waitFor(types, wanted) {
  const end = Date.now() + DEADLINE_MS;
  while (!wanted.every((type) => types.includes(type)) && Date.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function refusal(promise) {
  try {
    await promise;
    return null;
  } catch (error) {
    return {
      type: error.type, code: error.code ?? null, decline_code: error.decline_code ?? null, status: error.statusCode,
      intent_status: error.payment_intent ? error.payment_intent.status : null,
    };
  }
}

async function main() {
  const result = {};
  const { server, seen } = await receiver();
  const endpoint = await stripe.webhookEndpoints.create({
    url: `http://127.0.0.1:${server.address().port}/hook`, enabled_events: ["*"],
  });
  seen.secret = endpoint.secret;

  const created = await stripe.paymentIntents.create({ amount: 2000, currency: "usd", ...card, metadata: { booking: "b" } });
  const confirmed = await stripe.paymentIntents.confirm(created.id, { payment_method: "pm_card_visa" });
  result.paid = [created.status, confirmed.status, confirmed.metadata.booking];

  const held = await stripe.paymentIntents.create({
    amount: 5000, currency: "eur", ...card, capture_method: "manual", confirm: true, payment_method: "pm_card_mastercard",
  });
  const captured = await stripe.paymentIntents.capture(held.id, { amount_to_capture: 3000 }, { idempotencyKey: "capture-1" });
  const again = await stripe.paymentIntents.capture(held.id, { amount_to_capture: 3000 }, { idempotencyKey: "capture-1" });
  result.captured = [held.status, captured.status, captured.amount_received, again.id === captured.id];
  result.replayed = again.lastResponse.headers["idempotent-replayed"];

  const refund = await stripe.refunds.create({ payment_intent: held.id, amount: 1000, reason: "requested_by_customer" });
  const charge = await stripe.charges.retrieve(refund.charge, { expand: ["balance_transaction", "refunds"] });
  result.refunded = [refund.status, charge.amount_refunded, charge.balance_transaction.amount, charge.refunds.data.length];

  result.declined = await refusal(stripe.paymentIntents.create({
    amount: 2000, currency: "usd", ...card, confirm: true, payment_method: "pm_card_chargeDeclinedInsufficientFunds",
  }));
  result.unexpected = await refusal(stripe.paymentIntents.cancel(held.id));
  result.unknown = await refusal(stripe.paymentIntents.create({ amount: 2000, currency: "usd", colour: "red" }));
  result.mismatch = await refusal(stripe.paymentIntents.capture(held.id, { amount_to_capture: 1 }, { idempotencyKey: "capture-1" }));

  const ids = [];
  for await (const intent of stripe.paymentIntents.list({ limit: 2 })) {
    ids.push(intent.id);
  }
  result.paged = [ids.length, new Set(ids).size, ids.includes(created.id)];
  const found = await stripe.paymentIntents.search({ query: "metadata['booking']:'b'" });
  result.searched = found.data.map((intent) => intent.id === created.id);

  const wanted = ["payment_intent.succeeded", "charge.refunded", "payment_intent.payment_failed", "charge.captured"];
  await waitFor(seen.types, wanted);
  result.webhooks = wanted.map((type) => seen.types.includes(type));
  result.refused = seen.refused;

  const payload = JSON.stringify({ id: "evt_1", object: "event" });
  const header = stripe.webhooks.generateTestHeaderString({ payload, secret: "whsec_shared", timestamp: 1700000000 });
  result.header = { payload, header };
  await stripe.webhookEndpoints.del(endpoint.id);
  server.close();
  server.closeAllConnections();
  process.stdout.write(JSON.stringify(result));
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
