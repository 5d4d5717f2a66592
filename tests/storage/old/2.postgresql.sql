CREATE TABLE IF NOT EXISTS airport_bookings (
	id VARCHAR(128) COLLATE "C" NOT NULL, 
	owner TEXT NOT NULL, 
	amount_minor BIGINT NOT NULL, 
	currency VARCHAR(3) NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	hold_until_us BIGINT, 
	PRIMARY KEY (id)
);
CREATE INDEX IF NOT EXISTS airport_bookings_held ON airport_bookings (hold_until_us) WHERE hold_until_us IS NOT NULL;
CREATE TABLE IF NOT EXISTS airport_history (
	booking_id VARCHAR(128) COLLATE "C" NOT NULL, 
	version BIGINT NOT NULL, 
	line INTEGER NOT NULL, 
	at_us BIGINT NOT NULL, 
	fact TEXT NOT NULL, 
	decision TEXT NOT NULL, 
	event_id VARCHAR(255), 
	intent_id VARCHAR(255), 
	PRIMARY KEY (booking_id, version, line)
);
CREATE TABLE IF NOT EXISTS airport_payments (
	booking_id VARCHAR(128) COLLATE "C" NOT NULL, 
	attempt_id VARCHAR(128) NOT NULL, 
	intent_id VARCHAR(255), 
	state VARCHAR(16) NOT NULL, 
	amount_minor BIGINT NOT NULL, 
	currency VARCHAR(3) NOT NULL, 
	PRIMARY KEY (booking_id, attempt_id)
);
CREATE UNIQUE INDEX IF NOT EXISTS airport_payments_intent ON airport_payments (intent_id) WHERE intent_id IS NOT NULL;
CREATE UNIQUE INDEX IF NOT EXISTS airport_payments_one_payable ON airport_payments (booking_id) WHERE state IN ('payable', 'closing');
CREATE TABLE IF NOT EXISTS airport_ledgers (
	booking_id VARCHAR(128) COLLATE "C" NOT NULL, 
	version BIGINT NOT NULL, 
	document TEXT NOT NULL, 
	due_at_us BIGINT, 
	PRIMARY KEY (booking_id), 
	FOREIGN KEY(booking_id) REFERENCES airport_bookings (id)
);
CREATE INDEX IF NOT EXISTS airport_ledgers_due ON airport_ledgers (due_at_us, booking_id) WHERE due_at_us IS NOT NULL;
INSERT INTO airport_bookings VALUES ('BK-behind', 'cust_42', 45099, 'usd', 'pending', NULL);
INSERT INTO airport_bookings VALUES ('BK-cancelled', 'cust_42', 45099, 'usd', 'cancelled', NULL);
INSERT INTO airport_bookings VALUES ('BK-confirmed', 'cust_42', 45099, 'usd', 'confirmed', NULL);
INSERT INTO airport_bookings VALUES ('BK-disputed', 'cust_42', 45099, 'usd', 'confirmed', NULL);
INSERT INTO airport_bookings VALUES ('BK-failed', 'cust_42', 45099, 'usd', 'pending', NULL);
INSERT INTO airport_bookings VALUES ('BK-going', 'cust_42', 45099, 'usd', 'confirmed', NULL);
INSERT INTO airport_bookings VALUES ('BK-held', 'cust_42', 45099, 'usd', 'pending', 1793538540000000);
INSERT INTO airport_bookings VALUES ('BK-new', 'cust_42', 45099, 'usd', 'pending', NULL);
INSERT INTO airport_bookings VALUES ('BK-open', 'cust_42', 45099, 'usd', 'pending', NULL);
INSERT INTO airport_bookings VALUES ('BK-opening', 'cust_42', 45099, 'usd', 'pending', NULL);
INSERT INTO airport_bookings VALUES ('BK-partly', 'cust_42', 45099, 'usd', 'confirmed', NULL);
INSERT INTO airport_bookings VALUES ('BK-refunded', 'cust_42', 45099, 'usd', 'cancelled', NULL);
INSERT INTO airport_bookings VALUES ('BK-review', 'cust_42', 45099, 'usd', 'cancelled', NULL);
INSERT INTO airport_bookings VALUES ('BK-untold', 'cust_42', 45099, 'usd', 'confirmed', NULL);
INSERT INTO airport_ledgers VALUES ('BK-behind', 2, '{"format":1,"payments":[{"attempt":"attempt13","amount":45099,"currency":"usd","state":"open","intent":"pi_3ZV7F2aF4xYuexvWZIhVsE0D","status":"requires_payment_method","news":["requires_payment_method/-"],"opened_us":1793535180000000,"look_us":1793536080000000,"looks":1}],"request_keys":[["8044f970dab90e6cf00ddbec46c46a32","d937acc83bd5ce71a7f16417f0eff7ba"]]}', 1793536080000000);
INSERT INTO airport_ledgers VALUES ('BK-cancelled', 5, '{"format":1,"payments":[{"attempt":"attempt9","amount":45099,"currency":"usd","state":"canceled","intent":"pi_3GLN9wo5ZauTo9rOCNoUeRqi","status":"canceled","closing":true,"news":["requires_payment_method/-"],"opened_us":1793534940000000,"closes":1}],"announced":1,"request_keys":[["4dddd24319f5688f092628ce9c8caeda","d937acc83bd5ce71a7f16417f0eff7ba"]]}', NULL);
INSERT INTO airport_ledgers VALUES ('BK-confirmed', 4, '{"format":1,"payments":[{"attempt":"attempt1","amount":45099,"currency":"usd","state":"succeeded","intent":"pi_32PViOVufEiceD01Vox1Sd1o","status":"succeeded","place":"attached","news":["requires_payment_method/-"],"opened_us":1793534460000000,"looks":1,"received":45099}],"announced":1,"request_keys":[["1d625e49b1b4830e47621e0cd64557a4","d937acc83bd5ce71a7f16417f0eff7ba"]]}', NULL);
INSERT INTO airport_ledgers VALUES ('BK-disputed', 7, '{"format":1,"payments":[{"attempt":"attempt4","amount":45099,"currency":"usd","state":"succeeded","intent":"pi_3ZCml6WiXsS35qnaY99F4Z51","status":"succeeded","place":"attached","news":["requires_payment_method/-"],"opened_us":1793534640000000,"looks":1,"received":45099,"disputes":[{"id":"du_16IqQ1zTzSvEiNXJJfaDUEcv","amount":45099,"currency":"usd","status":"needs_response","reason":"fraudulent","due_us":1794268799000000,"withdrawn":true}]}],"announced":2,"request_keys":[["6966701cfd6d75272e5a3069a81a16f0","d937acc83bd5ce71a7f16417f0eff7ba"]]}', NULL);
INSERT INTO airport_ledgers VALUES ('BK-failed', 4, '{"format":1,"payments":[{"attempt":"attempt7","amount":45099,"currency":"usd","state":"open","intent":"pi_3GAiCXfrLh61VSuTTVJ7L4Jg","status":"requires_payment_method","failure":["card_declined","Your card was declined.","generic_decline","ch_3csDhmD9guOtWuvoJl9wcQd5"],"news":["requires_payment_method/-","failed/ch_3csDhmD9guOtWuvoJl9wcQd5"],"opened_us":1793534820000000,"look_us":1793535720000000,"looks":1}],"announced":1,"request_keys":[["c3780d40f8e487553904485153a723c5","d937acc83bd5ce71a7f16417f0eff7ba"]]}', 1793535720000000);
INSERT INTO airport_ledgers VALUES ('BK-going', 5, '{"format":1,"payments":[{"attempt":"attempt5","amount":45099,"currency":"usd","state":"succeeded","intent":"pi_37jVqwBlLRX2AC1i9HLGGksx","status":"succeeded","place":"attached","news":["requires_payment_method/-"],"opened_us":1793534700000000,"looks":1,"received":45099,"refunds":[{"ref":"attempt5.0","amount":2000,"state":"requested","request":["05a28dfea5f90feb060b3a1307ec116a","cc158a6672f657491ad79f930862a13d"],"asked_us":1793535060000000}],"refund_orders":1}],"effects":[{"do":"refund","booking":"BK-going","namespace":"airport","ref":"attempt5.0","intent":"pi_37jVqwBlLRX2AC1i9HLGGksx","amount":2000,"reason":"requested_by_customer","attempt":"attempt5","key":"airport/attempt5/refund/0","sent_us":1793535060000000,"due_us":1793535150000000,"tries":0,"server_errors":0}],"announced":1,"request_keys":[["62e777d22753219261fa5443035efc6e","d937acc83bd5ce71a7f16417f0eff7ba"]]}', 1793535150000000);
INSERT INTO airport_ledgers VALUES ('BK-held', 2, '{"format":1,"payments":[{"attempt":"attempt10","amount":45099,"currency":"usd","state":"open","intent":"pi_3w5WctDGeT979ATgNwbICG0q","status":"requires_payment_method","news":["requires_payment_method/-"],"opened_us":1793535000000000,"look_us":1793535900000000,"looks":1}],"request_keys":[["6da892542b291683c86bb9b1ee763491","d937acc83bd5ce71a7f16417f0eff7ba"]]}', 1793535900000000);
INSERT INTO airport_ledgers VALUES ('BK-open', 2, '{"format":1,"payments":[{"attempt":"attempt6","amount":45099,"currency":"usd","state":"open","intent":"pi_3gS65IG1jvKavDzLlbPaoclM","status":"requires_payment_method","news":["requires_payment_method/-"],"opened_us":1793534760000000,"look_us":1793535660000000,"looks":1}],"request_keys":[["e71a2716427e3a64aeaf4f1ab6b22591","d937acc83bd5ce71a7f16417f0eff7ba"]]}', 1793535660000000);
INSERT INTO airport_ledgers VALUES ('BK-opening', 1, '{"format":1,"payments":[{"attempt":"attempt11","amount":45099,"currency":"usd","state":"opening","opened_us":1793535060000000}],"effects":[{"do":"create","booking":"BK-opening","namespace":"airport","amount":45099,"currency":"usd","attempt":"attempt11","key":"airport/attempt11/create/0","sent_us":1793535060000000,"due_us":1793535150000000,"tries":0,"server_errors":0}]}', 1793535150000000);
INSERT INTO airport_ledgers VALUES ('BK-partly', 7, '{"format":1,"payments":[{"attempt":"attempt2","amount":45099,"currency":"usd","state":"succeeded","intent":"pi_3FYqIzkOWBaLaf3RLVgz68hV","status":"succeeded","place":"attached","news":["requires_payment_method/-"],"opened_us":1793534520000000,"looks":1,"received":45099,"refunds":[{"ref":"attempt2.0","amount":1000,"state":"succeeded","id":"re_34FcafXMYDqYhxuCkTDDBJXl","request":["ba225b9895eafb5ed01ea5320527c9d9","4667eb31096ca6699cce124160ab4bac"],"asked_us":1793535000000000}],"refund_orders":1}],"announced":2,"request_keys":[["23dc53eff1b8b7e8e1fb67907ed967d6","d937acc83bd5ce71a7f16417f0eff7ba"]]}', NULL);
INSERT INTO airport_ledgers VALUES ('BK-refunded', 8, '{"format":1,"payments":[{"attempt":"attempt3","amount":45099,"currency":"usd","state":"succeeded","intent":"pi_31e13z6UWm48MeAxpuQz0dXa","status":"succeeded","place":"refunded","news":["requires_payment_method/-"],"opened_us":1793534580000000,"looks":1,"received":45099,"refunds":[{"ref":"attempt3.0","amount":45099,"state":"succeeded","id":"re_3SsRlTn5x4zrxGL3PShUH2ab","request":["34335cf42e144aaf93d08c252d445437","7125f5a9ff9c38775cdf972f7dc75fa9"],"asked_us":1793535000000000}],"refund_orders":1}],"announced":3,"request_keys":[["1db39b0484bfbdef5285f65ad00f8778","d937acc83bd5ce71a7f16417f0eff7ba"]]}', NULL);
INSERT INTO airport_ledgers VALUES ('BK-review', 5, '{"format":1,"payments":[{"attempt":"attempt8","amount":45099,"currency":"usd","state":"succeeded","intent":"pi_3pegPXqi4I1q2O11cUEFBjHO","status":"succeeded","closing":true,"place":"review","review":"late","news":["requires_payment_method/-"],"opened_us":1793534880000000,"closes":1,"received":45099}],"announced":1,"request_keys":[["32d76011e7abac21794856e001f9e071","d937acc83bd5ce71a7f16417f0eff7ba"]]}', NULL);
INSERT INTO airport_ledgers VALUES ('BK-untold', 3, '{"format":1,"payments":[{"attempt":"attempt12","amount":45099,"currency":"usd","state":"succeeded","intent":"pi_3tNQUhk07wq4WHn0nlSNfzbD","status":"succeeded","place":"attached","news":["requires_payment_method/-"],"opened_us":1793535120000000,"looks":1,"received":45099}],"announcements":[{"kind":"booking_confirmed","booking":"BK-untold","sequence":1,"at_us":1793535120000000,"due_us":1793535120000000,"intent":"pi_3tNQUhk07wq4WHn0nlSNfzbD","amount":{"minor":45099,"currency":"usd"}}],"announced":1,"request_keys":[["f2d7bb55c5e9468cdd3e1356f604740c","d937acc83bd5ce71a7f16417f0eff7ba"]]}', 1793535120000000);
INSERT INTO airport_payments VALUES ('BK-behind', 'attempt13', 'pi_3ZV7F2aF4xYuexvWZIhVsE0D', 'payable', 45099, 'usd');
INSERT INTO airport_payments VALUES ('BK-cancelled', 'attempt9', 'pi_3GLN9wo5ZauTo9rOCNoUeRqi', 'closed', 45099, 'usd');
INSERT INTO airport_payments VALUES ('BK-confirmed', 'attempt1', 'pi_32PViOVufEiceD01Vox1Sd1o', 'closed', 45099, 'usd');
INSERT INTO airport_payments VALUES ('BK-disputed', 'attempt4', 'pi_3ZCml6WiXsS35qnaY99F4Z51', 'closed', 45099, 'usd');
INSERT INTO airport_payments VALUES ('BK-failed', 'attempt7', 'pi_3GAiCXfrLh61VSuTTVJ7L4Jg', 'payable', 45099, 'usd');
INSERT INTO airport_payments VALUES ('BK-going', 'attempt5', 'pi_37jVqwBlLRX2AC1i9HLGGksx', 'closed', 45099, 'usd');
INSERT INTO airport_payments VALUES ('BK-held', 'attempt10', 'pi_3w5WctDGeT979ATgNwbICG0q', 'payable', 45099, 'usd');
INSERT INTO airport_payments VALUES ('BK-open', 'attempt6', 'pi_3gS65IG1jvKavDzLlbPaoclM', 'payable', 45099, 'usd');
INSERT INTO airport_payments VALUES ('BK-opening', 'attempt11', NULL, 'payable', 45099, 'usd');
INSERT INTO airport_payments VALUES ('BK-partly', 'attempt2', 'pi_3FYqIzkOWBaLaf3RLVgz68hV', 'closed', 45099, 'usd');
INSERT INTO airport_payments VALUES ('BK-refunded', 'attempt3', 'pi_31e13z6UWm48MeAxpuQz0dXa', 'closed', 45099, 'usd');
INSERT INTO airport_payments VALUES ('BK-review', 'attempt8', 'pi_3pegPXqi4I1q2O11cUEFBjHO', 'closed', 45099, 'usd');
INSERT INTO airport_payments VALUES ('BK-untold', 'attempt12', 'pi_3tNQUhk07wq4WHn0nlSNfzbD', 'closed', 45099, 'usd');
INSERT INTO airport_history VALUES ('BK-behind', 1, 0, 1793535180000000, 'payment_requested', 'attempt attempt13 opened', NULL, NULL);
INSERT INTO airport_history VALUES ('BK-behind', 2, 0, 1793535180000000, 'identified', 'attempt attempt13 is this PaymentIntent', NULL, 'pi_3ZV7F2aF4xYuexvWZIhVsE0D');
INSERT INTO airport_history VALUES ('BK-cancelled', 1, 0, 1793534940000000, 'payment_requested', 'attempt attempt9 opened', NULL, NULL);
INSERT INTO airport_history VALUES ('BK-cancelled', 2, 0, 1793534940000000, 'identified', 'attempt attempt9 is this PaymentIntent', NULL, 'pi_3GLN9wo5ZauTo9rOCNoUeRqi');
INSERT INTO airport_history VALUES ('BK-cancelled', 3, 0, 1793535000000000, 'cancel', 'to be cancelled: asked', NULL, NULL);
INSERT INTO airport_history VALUES ('BK-cancelled', 3, 1, 1793535000000000, 'settled', 'no longer wanted: to be canceled', NULL, 'pi_3GLN9wo5ZauTo9rOCNoUeRqi');
INSERT INTO airport_history VALUES ('BK-cancelled', 4, 0, 1793535000000000, 'observed', 'canceled', NULL, 'pi_3GLN9wo5ZauTo9rOCNoUeRqi');
INSERT INTO airport_history VALUES ('BK-cancelled', 4, 1, 1793535000000000, 'settled', 'booking cancelled: asked', NULL, NULL);
INSERT INTO airport_history VALUES ('BK-confirmed', 1, 0, 1793534460000000, 'payment_requested', 'attempt attempt1 opened', NULL, NULL);
INSERT INTO airport_history VALUES ('BK-confirmed', 2, 0, 1793534460000000, 'identified', 'attempt attempt1 is this PaymentIntent', NULL, 'pi_32PViOVufEiceD01Vox1Sd1o');
INSERT INTO airport_history VALUES ('BK-confirmed', 3, 0, 1793535000000000, 'payment_intent.succeeded', 'paid: booking confirmed', 'evt_1XzCNF0rje0jAAyhfIdx15JG', 'pi_32PViOVufEiceD01Vox1Sd1o');
INSERT INTO airport_history VALUES ('BK-disputed', 1, 0, 1793534640000000, 'payment_requested', 'attempt attempt4 opened', NULL, NULL);
INSERT INTO airport_history VALUES ('BK-disputed', 2, 0, 1793534640000000, 'identified', 'attempt attempt4 is this PaymentIntent', NULL, 'pi_3ZCml6WiXsS35qnaY99F4Z51');
INSERT INTO airport_history VALUES ('BK-disputed', 3, 0, 1793535000000000, 'payment_intent.succeeded', 'paid: booking confirmed', 'evt_1onlG2krUYShIJ622yCDTeEn', 'pi_3ZCml6WiXsS35qnaY99F4Z51');
INSERT INTO airport_history VALUES ('BK-disputed', 4, 0, 1793535000000000, 'charge.dispute.created', 'dispute du_16IqQ1zTzSvEiNXJJfaDUEcv: needs_response', 'evt_1q39PrBXwFL9fvtc7Dgfq4g1', 'pi_3ZCml6WiXsS35qnaY99F4Z51');
INSERT INTO airport_history VALUES ('BK-disputed', 5, 0, 1793535000000000, 'charge.dispute.funds_withdrawn', 'dispute du_16IqQ1zTzSvEiNXJJfaDUEcv: needs_response', 'evt_1uhGnBYkpFnjDyelZpvlGbm8', 'pi_3ZCml6WiXsS35qnaY99F4Z51');
INSERT INTO airport_history VALUES ('BK-failed', 1, 0, 1793534820000000, 'payment_requested', 'attempt attempt7 opened', NULL, NULL);
INSERT INTO airport_history VALUES ('BK-failed', 2, 0, 1793534820000000, 'identified', 'attempt attempt7 is this PaymentIntent', NULL, 'pi_3GAiCXfrLh61VSuTTVJ7L4Jg');
INSERT INTO airport_history VALUES ('BK-failed', 3, 0, 1793535000000000, 'payment_intent.payment_failed', 'payment failed: generic_decline', 'evt_14eNb0darpZzBpIS4GJvwMCi', 'pi_3GAiCXfrLh61VSuTTVJ7L4Jg');
INSERT INTO airport_history VALUES ('BK-going', 1, 0, 1793534700000000, 'payment_requested', 'attempt attempt5 opened', NULL, NULL);
INSERT INTO airport_history VALUES ('BK-going', 2, 0, 1793534700000000, 'identified', 'attempt attempt5 is this PaymentIntent', NULL, 'pi_37jVqwBlLRX2AC1i9HLGGksx');
INSERT INTO airport_history VALUES ('BK-going', 3, 0, 1793535000000000, 'payment_intent.succeeded', 'paid: booking confirmed', 'evt_1DP99I2FRPvgOiriVFi8QLc4', 'pi_37jVqwBlLRX2AC1i9HLGGksx');
INSERT INTO airport_history VALUES ('BK-going', 5, 0, 1793535060000000, 'refund', 'refund attempt5.0 of 2000 usd commanded', NULL, 'pi_37jVqwBlLRX2AC1i9HLGGksx');
INSERT INTO airport_history VALUES ('BK-held', 1, 0, 1793535000000000, 'payment_requested', 'attempt attempt10 opened', NULL, NULL);
INSERT INTO airport_history VALUES ('BK-held', 2, 0, 1793535000000000, 'identified', 'attempt attempt10 is this PaymentIntent', NULL, 'pi_3w5WctDGeT979ATgNwbICG0q');
INSERT INTO airport_history VALUES ('BK-open', 1, 0, 1793534760000000, 'payment_requested', 'attempt attempt6 opened', NULL, NULL);
INSERT INTO airport_history VALUES ('BK-open', 2, 0, 1793534760000000, 'identified', 'attempt attempt6 is this PaymentIntent', NULL, 'pi_3gS65IG1jvKavDzLlbPaoclM');
INSERT INTO airport_history VALUES ('BK-opening', 1, 0, 1793535060000000, 'payment_requested', 'attempt attempt11 opened', NULL, NULL);
INSERT INTO airport_history VALUES ('BK-partly', 1, 0, 1793534520000000, 'payment_requested', 'attempt attempt2 opened', NULL, NULL);
INSERT INTO airport_history VALUES ('BK-partly', 2, 0, 1793534520000000, 'identified', 'attempt attempt2 is this PaymentIntent', NULL, 'pi_3FYqIzkOWBaLaf3RLVgz68hV');
INSERT INTO airport_history VALUES ('BK-partly', 3, 0, 1793535000000000, 'payment_intent.succeeded', 'paid: booking confirmed', 'evt_1yJdtjlOo0I7cEPSroDk2t0o', 'pi_3FYqIzkOWBaLaf3RLVgz68hV');
INSERT INTO airport_history VALUES ('BK-partly', 4, 0, 1793535000000000, 'refund', 'refund attempt2.0 of 1000 usd commanded', NULL, 'pi_3FYqIzkOWBaLaf3RLVgz68hV');
INSERT INTO airport_history VALUES ('BK-partly', 5, 0, 1793535000000000, 'observed', 'refund re_34FcafXMYDqYhxuCkTDDBJXl of 1000 usd: succeeded', NULL, 'pi_3FYqIzkOWBaLaf3RLVgz68hV');
INSERT INTO airport_history VALUES ('BK-refunded', 1, 0, 1793534580000000, 'payment_requested', 'attempt attempt3 opened', NULL, NULL);
INSERT INTO airport_history VALUES ('BK-refunded', 2, 0, 1793534580000000, 'identified', 'attempt attempt3 is this PaymentIntent', NULL, 'pi_31e13z6UWm48MeAxpuQz0dXa');
INSERT INTO airport_history VALUES ('BK-refunded', 3, 0, 1793535000000000, 'payment_intent.succeeded', 'paid: booking confirmed', 'evt_1rbFrjCqP3Lhp6ZOAGfGomzU', 'pi_31e13z6UWm48MeAxpuQz0dXa');
INSERT INTO airport_history VALUES ('BK-refunded', 4, 0, 1793535000000000, 'refund', 'refund attempt3.0 of 45099 usd commanded', NULL, 'pi_31e13z6UWm48MeAxpuQz0dXa');
INSERT INTO airport_history VALUES ('BK-refunded', 5, 0, 1793535000000000, 'observed', 'refund re_3SsRlTn5x4zrxGL3PShUH2ab of 45099 usd: succeeded', NULL, 'pi_31e13z6UWm48MeAxpuQz0dXa');
INSERT INTO airport_history VALUES ('BK-refunded', 5, 1, 1793535000000000, 'settled', 'booking cancelled: refunded', NULL, NULL);
INSERT INTO airport_history VALUES ('BK-review', 1, 0, 1793534880000000, 'payment_requested', 'attempt attempt8 opened', NULL, NULL);
INSERT INTO airport_history VALUES ('BK-review', 2, 0, 1793534880000000, 'identified', 'attempt attempt8 is this PaymentIntent', NULL, 'pi_3pegPXqi4I1q2O11cUEFBjHO');
INSERT INTO airport_history VALUES ('BK-review', 3, 0, 1793535000000000, 'payment_intent.created', 'no longer wanted: to be canceled', 'evt_1bc3W8UiUUBPInEgxtDeM4Hf', 'pi_3pegPXqi4I1q2O11cUEFBjHO');
INSERT INTO airport_history VALUES ('BK-review', 4, 0, 1793535000000000, 'payment_intent.succeeded', 'paid, but confirms nothing: late', 'evt_1QU55cTNrBIPmbA5IOGP1vDj', 'pi_3pegPXqi4I1q2O11cUEFBjHO');
INSERT INTO airport_history VALUES ('BK-untold', 1, 0, 1793535120000000, 'payment_requested', 'attempt attempt12 opened', NULL, NULL);
INSERT INTO airport_history VALUES ('BK-untold', 2, 0, 1793535120000000, 'identified', 'attempt attempt12 is this PaymentIntent', NULL, 'pi_3tNQUhk07wq4WHn0nlSNfzbD');
INSERT INTO airport_history VALUES ('BK-untold', 3, 0, 1793535120000000, 'payment_intent.succeeded', 'paid: booking confirmed', 'evt_1KaBj6DEU4fAsaRPAjOQCKhZ', 'pi_3tNQUhk07wq4WHn0nlSNfzbD');
