import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';

import { UNKNOWN } from '../lib/outputs/people.js';
import { isPrepared, unmarked } from '../lib/outputs/preparedMessages.js';
import { KernelPeople } from '../lib/stream/kernelPeople.js';
import { TrustedPeople } from '../lib/stream/trustedPeople.js';
import { FakeFleet, FakePage, FakeStorage, message, until } from './fakeFleet.js';

const pages = [];

async function connected(fleet, options) {
  const page = new FakePage(fleet, options);
  pages.push(page);
  await until(() => page.stream.state.is === 'connected');
  page.stream.release();
  return page;
}

afterEach(() => pages.splice(0).forEach(page => page.leave()));

const of = (process, ...users) => ({ process, users });
const people = (process, ...users) => message('people', of(process, ...users), {}, 'fleet', '');

/** A fleet whose agent says who has used the kernel. */
function fleetOf(...users) {
  return Object.assign(new FakeFleet(), { people: of(1, ...users) });
}

let shown = 0;

/** Have the kernel show something in a cell, and return whose it is. */
async function show(fleet, page, request = {}) {
  shown += 1;
  const text = String(shown);
  fleet.say(message('display_data', { data: { 'text/html': text }, metadata: {} }, request));
  return whose(page, text);
}

/** Null if an output is the user's own, else who may have prepared it. */
async function whose(page, text) {
  const isIt = ({ content }) => content?.data?.['text/html'] === text;
  await until(() => page.heard.some(isIt), `output ${text}`);
  const heard = page.heard.find(isIt);
  const by = unmarked(heard.content.metadata)?.by ?? null;
  assert.equal(isPrepared(heard), by !== null);
  return by?.people ?? null;
}

test('what a kernel says is the user’s own until another person comes', async () => {
  const fleet = fleetOf('ann');
  const page = await connected(fleet);
  assert.equal(await show(fleet, page), null);
  fleet.say(people(1, 'ann', 'ben'));
  assert.deepEqual(await show(fleet, page), of(1, 'ann', 'ben'));
  fleet.say(people(2));
  assert.equal(await show(fleet, page), null);
});

test('a page that comes later knows who was there before', async () => {
  const fleet = fleetOf('ben');
  const page = await connected(fleet);
  assert.deepEqual(await show(fleet, page), of(1, 'ben'));
});

test('where nobody says who has used a kernel, it may have been anybody', async () => {
  const fleet = new FakeFleet();
  const page = await connected(fleet);
  assert.deepEqual(await show(fleet, page), of(0, null));
  page.stream.people.trust();
  assert.equal(await show(fleet, page), null);
  page.stream.people.restarted();
  assert.deepEqual(await show(fleet, page), of(0, null));
});

test('without a cursor, too', async () => {
  const fleet = new FakeFleet();
  fleet.answers = 'v1.kernel.websocket.jupyter.org';
  const page = await connected(fleet);
  assert.deepEqual(await show(fleet, page), of(0, null));
});

test('trust in people whom nobody names ends when they are named', () => {
  const trusted = new TrustedPeople(null, 'ann');
  const kernel = new KernelPeople('kernel', trusted);
  trusted.trust('other', null, UNKNOWN);
  kernel.lost();
  kernel.trust();
  assert.ok(kernel.isMine);
  kernel.taken(people(1, 'ann', 'ben'), 5);
  assert.ok(!kernel.isMine);
  kernel.taken(people(1, 'ann', 'ben', 'eve'), 6);
  // Messages are missing again: eve is one of those whom nobody names now.
  kernel.lost();
  assert.ok(!kernel.isMine);
  assert.deepEqual(trusted.of('other', null), UNKNOWN);
});

test('trust in people who are named outlasts what is missing', () => {
  const kernel = new KernelPeople('kernel', new TrustedPeople(null, 'ann'));
  kernel.taken(people(1, 'ben'), 5);
  kernel.trust();
  kernel.lost();
  assert.ok(!kernel.isMine);
  kernel.taken(people(1, 'ben'), 9);
  assert.ok(kernel.isMine);
});

test('trust lasts until the process ends or another person comes', async () => {
  const fleet = fleetOf('ann', 'ben');
  const page = await connected(fleet);
  page.stream.people.trust();
  page.stream.people.restarted();
  assert.equal(await show(fleet, page), null);
  fleet.say(people(1, 'ann', 'ben', 'eve'));
  assert.deepEqual(await show(fleet, page), of(1, 'ann', 'ben', 'eve'));
  page.stream.people.trust();
  fleet.say(people(2));
  assert.equal(await show(fleet, page), null);
  fleet.say(people(2, 'ben'));
  assert.deepEqual(await show(fleet, page), of(2, 'ben'));
});

test('trust is of this tab, also after a reload, and of this kernel’s journal', async () => {
  const fleet = fleetOf('ben');
  const storage = new FakeStorage();
  const page = await connected(fleet, { storage });
  page.stream.people.trust();
  page.leave();
  const again = await connected(fleet, { storage, session: 'again' });
  assert.equal(await show(fleet, again), null);
  const other = await connected(fleet, { session: 'other' });
  assert.deepEqual(await show(fleet, other), of(1, 'ben'));
  fleet.renew();
  await until(() => again.stream.journal === fleet.journal);
  assert.deepEqual(await show(fleet, again), of(1, 'ben'));
});

test('what comes late is judged by who was there when the kernel said it', async () => {
  const fleet = fleetOf('ann');
  const page = await connected(fleet);
  assert.equal(await show(fleet, page), null);
  fleet.answers = 1006;
  fleet.cut();
  fleet.say(people(1, 'ann', 'ben'));
  fleet.say(message('display_data', { data: { 'text/html': 'prepared' }, metadata: {} }));
  fleet.say(people(2));
  fleet.people = of(2);
  fleet.say(message('display_data', { data: { 'text/html': 'later' }, metadata: {} }));
  fleet.answers = 'fleet.v1';
  assert.deepEqual(await whose(page, 'prepared'), of(1, 'ann', 'ben'));
  assert.equal(await whose(page, 'later'), null);
});

test('where messages are missing, somebody may have come, until the page has what it missed', async () => {
  const fleet = fleetOf('ann');
  const page = await connected(fleet);
  assert.equal(await show(fleet, page), null);
  fleet.answers = 1006;
  fleet.cut();
  fleet.say(message('display_data', { data: { 'text/html': 'missed' }, metadata: {} }));
  fleet.answers = 'fleet.v1';
  fleet.afterBegin = { type: 'gap', from: 1, to: 1, limit: 100 };
  assert.deepEqual(await whose(page, 'missed'), of(0, null));
  assert.equal(await show(fleet, page), null);
});

test('an answer is judged by the process that said it, whichever request it names', async () => {
  const fleet = fleetOf('ann', 'ben');
  const html = text => ({ data: { 'text/html': text }, metadata: {} });
  const say = (text, id) => fleet.say(message('display_data', html(text), { msg_id: id }));
  const numbers = [say('unsaid', 'first')];
  const processes = [];
  const begin = process => processes.push([numbers.at(-1), process]);
  begin(1);
  numbers.push(say('first', 'first'));
  begin(2);
  numbers.push(say('second', 'second'));
  begin(3);
  numbers.push(say('forgotten', 'third'), say('late', 'second'));
  fleet.people = of(4);
  const page = await connected(fleet);
  const adopt = index => index.forEach(({ request }) => page.stream.adopt(request));
  const answered = page.stream.replay(
    () => ({}),
    adopt,
    () => undefined
  );
  await until(() => fleet.asked.length);
  const index = ['first', 'second', 'third'].map((request, at) => ({ request, process: at + 1 }));
  fleet.answer({ index, processes, people: { 1: ['ann', 'ben'], 2: ['ann'] } }, numbers);
  await answered;
  assert.deepEqual(await whose(page, 'unsaid'), of(0, null));
  assert.deepEqual(await whose(page, 'first'), of(1, 'ann', 'ben'));
  assert.equal(await whose(page, 'second'), null);
  assert.deepEqual(await whose(page, 'forgotten'), of(0, null));
  assert.deepEqual(await whose(page, 'late'), of(0, null));
  assert.equal(await show(fleet, page), null);
});
