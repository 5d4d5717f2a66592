// stripe-node plays what comes after a payment, against the fake: prints what it saw as one JSON object.
"use strict";
const Stripe = require("stripe");

const [, , url, apiKey] = process.argv;
const { hostname, port } = new URL(url);
const options = { host: hostname, port, protocol: "http", maxNetworkRetries: 0, timeout: 10000, telemetry: false };
const stripe = new Stripe(apiKey, options);
const card = { currency: "usd", payment_method_types: ["card"], confirm: true };

const pay = (method, more = {}) => stripe.paymentIntents.create({ amount: 2000, ...card, payment_method: method, ...more });

async function refusal(promise) {
  try {
    await promise;
    return null;
  } catch (error) {
    return [error.type, error.code ?? null, error.statusCode];
  }
}

async function all(list) {
  const found = [];
  for await (const item of list) {
    found.push(item);
  }
  return found;
}

async function refunds() {
  const paid = await pay("pm_card_visa");
  const parts = [];
  for (const amount of [300, 400, 500]) {
    parts.push((await stripe.refunds.create({ payment_intent: paid.id, amount, metadata: { part: String(amount) } })).id);
  }
  const listed = await all(stripe.refunds.list({ payment_intent: paid.id, limit: 1 }));
  const updated = await stripe.refunds.update(parts[0], { metadata: { part: "", checked: "yes" } });
  const pending = await stripe.refunds.create({ payment_intent: (await pay("pm_card_pendingRefund")).id });
  const held = await pay("pm_card_visa", { capture_method: "manual" });
  return {
    paged: listed.map((refund) => refund.id).reverse().join() === parts.join(),
    metadata: updated.metadata,
    pending: [pending.status, pending.pending_reason],
    tooMuch: await refusal(stripe.refunds.create({ payment_intent: paid.id, amount: 900 })),
    rest: (await stripe.refunds.create({ charge: paid.latest_charge })).amount,
    again: await refusal(stripe.refunds.create({ payment_intent: paid.id })),
    cancel: await refusal(stripe.refunds.cancel(parts[0])),
    uncaptured: await refusal(stripe.refunds.create({ payment_intent: held.id })),
  };
}

async function disputes() {
  const paid = await pay("pm_card_createDispute");
  const [dispute] = (await stripe.disputes.list({ payment_intent: paid.id })).data;
  const refused = await refusal(stripe.refunds.create({ payment_intent: paid.id }));
  const answered = await stripe.disputes.update(dispute.id, { evidence: { uncategorized_text: "It was flown." } });
  const closed = await stripe.disputes.close(dispute.id);
  await pay("pm_card_createMultipleDisputes");
  return {
    statuses: [dispute.status, answered.status, closed.status],
    money: dispute.balance_transactions.map((line) => line.amount),
    refused,
    closedTwice: await refusal(stripe.disputes.close(dispute.id)),
    paged: (await all(stripe.disputes.list({ limit: 1 }))).length,
    types: (await all(stripe.events.list({ type: "charge.dispute.*", limit: 2 }))).map((event) => event.type).reverse(),
  };
}

async function captures() {
  const held = await pay("pm_card_visa", { capture_method: "manual" });
  const tooMuch = await refusal(stripe.paymentIntents.capture(held.id, { amount_to_capture: 2001 }));
  const captured = await stripe.paymentIntents.capture(held.id, { amount_to_capture: 1500 });
  const released = await stripe.paymentIntents.cancel((await pay("pm_card_visa", { capture_method: "manual" })).id);
  return {
    held: [held.status, held.amount_capturable],
    captured: [captured.status, captured.amount_received],
    released: [released.status, released.amount_capturable],
    tooMuch,
    twice: await refusal(stripe.paymentIntents.capture(held.id)),
  };
}

async function customers() {
  const customer = await stripe.customers.create({ email: "a@example.com" });
  const method = await stripe.paymentMethods.attach("pm_card_authenticationRequired", { customer: customer.id });
  const away = { customer: customer.id, off_session: true };
  return {
    listed: (await all(stripe.customers.listPaymentMethods(customer.id))).map((found) => found.id === method.id),
    away: await refusal(pay(method.id, away)),
    deleted: (await stripe.customers.del(customer.id)).deleted,
  };
}

async function thin() {
  const events = await all(stripe.v2.core.events.list({ types: ["v1.charge.dispute.created"], limit: 1 }));
  const event = await stripe.v2.core.events.retrieve(events[0].id);
  const snapshot = await stripe.events.retrieve(event.snapshot_event);
  const related = await event.fetchRelatedObject();
  return [events.length, event.type, snapshot.type, related.id === snapshot.data.object.id];
}

async function accounts() {
  const other = new Stripe(apiKey, { ...options, stripeContext: "acct_1Other" });
  const created = await other.paymentIntents.create({ amount: 2000, currency: "usd" });
  const found = await stripe.paymentIntents.retrieve(created.id, {}, { stripeAccount: "acct_1Other" });
  return [found.id === created.id, await refusal(stripe.paymentIntents.retrieve(created.id))];
}

async function main() {
  const result = {};
  for (const part of [refunds, disputes, captures, customers, thin, accounts]) {
    result[part.name] = await part();
  }
  process.stdout.write(JSON.stringify(result));
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
