import assert from 'node:assert/strict';
import { test } from 'node:test';

import { peopleWords } from '../lib/access/peopleWords.js';
import { isOnlyMine, readPeople, UNKNOWN } from '../lib/outputs/people.js';
import {
  isPrepared,
  isSameProcess,
  prepared,
  unmarked,
  withoutForged
} from '../lib/outputs/preparedMessages.js';
import { trans } from './trans.js';

const of = (process, ...users) => ({ process, users });

test('a kernel that nobody else has used is the user’s own', () => {
  assert.ok(isOnlyMine(of(1), 'ada', null));
  assert.ok(isOnlyMine(of(1, 'ada'), 'ada', null));
  for (const users of [['ben'], ['ada', 'ben'], ['ada', null], [null]]) {
    assert.ok(!isOnlyMine(of(1, ...users), 'ada', null), users);
  }
  assert.ok(!isOnlyMine(UNKNOWN, 'ada', null));
});

test('a page that does not know its user owns nothing that anybody has used', () => {
  assert.ok(!isOnlyMine(of(1, null), null, null));
  assert.ok(!isOnlyMine(of(1, 'ada'), null, null));
});

test('trust is in these people, in this process', () => {
  const trusted = of(2, 'ada', 'ben');
  assert.ok(isOnlyMine(of(2, 'ben'), 'ada', trusted));
  assert.ok(isOnlyMine(of(2, 'ada', 'ben'), 'ada', trusted));
  assert.ok(!isOnlyMine(of(2, 'ada', 'ben', 'eve'), 'ada', trusted));
  assert.ok(!isOnlyMine(of(2, null), 'ada', trusted));
  assert.ok(!isOnlyMine(of(1, 'ben'), 'ada', trusted));
  assert.ok(!isOnlyMine(of(3, 'ben'), 'ada', trusted));
  assert.ok(isOnlyMine(UNKNOWN, 'ada', UNKNOWN));
});

test('what cannot be read is of somebody', () => {
  assert.deepEqual(readPeople(of(2, 'ada', 5, null)), of(2, 'ada', null, null));
  for (const said of [
    {},
    { process: 1 },
    { process: '1', users: [] },
    { process: 1, users: 'x' }
  ]) {
    assert.deepEqual(readPeople(said), UNKNOWN);
  }
});

test('the notice names the others, or says that nobody knows them', () => {
  const words = (...users) => peopleWords(of(1, ...users), 'ada', trans).split(' also ran')[0];
  assert.equal(words('ada', 'ben'), 'ben');
  assert.equal(words('ben', 'ada', 'eve'), 'ben and eve');
  assert.equal(words('b', 'c', 'd'), 'b, c and d');
  assert.equal(words('b', 'c', 'd', 'e'), 'b, c, d and 1 other person');
  assert.equal(words('b', 'c', 'd', 'e', 'f'), 'b, c, d and 2 others');
  assert.equal(words('ben', null), 'ben and 1 other person');
  assert.match(words(null), /^The server does not say who else ran code/);
});

const BY = { kernel: 'k', journal: 'j', people: of(1, 'ben') };
const message = (msg_type, content) => ({ header: { msg_type }, content });
const output = (type, data) => message(type, { data, metadata: { 'image/png': { width: 5 } } });

for (const type of ['display_data', 'execute_result', 'update_display_data']) {
  test(`an output that may run scripts is marked: ${type}`, () => {
    const { metadata } = prepared(output(type, { 'text/html': '<b>' }), BY).content;
    assert.deepEqual(unmarked(metadata), { metadata: { 'image/png': { width: 5 } }, by: BY });
  });
}

test('an output that is drawn alike for everybody is not', () => {
  const plain = output('display_data', { 'text/plain': '2', 'image/png': '' });
  const given = prepared(plain, BY);
  assert.deepEqual(given.content, plain.content);
  assert.ok(isPrepared(given));
  assert.ok(!isPrepared(plain));
  assert.equal(unmarked(plain.content.metadata), null);
  for (const mimeType of ['text/markdown', 'text/latex', 'image/svg+xml', 'application/x-new']) {
    const rich = prepared(output('display_data', { 'text/plain': '', [mimeType]: '' }), BY);
    assert.ok(unmarked(rich.content.metadata), mimeType);
  }
});

test('a page of a reply is text', () => {
  const next = { source: 'set_next_input', text: '1' };
  const page = { source: 'page', data: { 'text/plain': 'help', 'text/html': '<script>' } };
  const { content } = prepared(message('execute_reply', { payload: [page, next, null] }), BY);
  assert.deepEqual(content.payload, [
    { source: 'page', data: { 'text/plain': 'help' } },
    next,
    null
  ]);
});

test('a message that makes no sense is marked all the same', () => {
  for (const content of [{}, { data: 1, metadata: null }, { data: null, metadata: 'x' }]) {
    assert.ok(isPrepared(prepared(message('display_data', content), BY)));
  }
  const { by } = unmarked({ 'jupyter-fleet.prepared': 1 });
  assert.deepEqual(by, { kernel: '', journal: null, people: UNKNOWN });
});

test('code of users does not say who has prepared an output', () => {
  const forged = { 'jupyter-fleet.prepared': { ...BY, people: of(2) }, more: 1 };
  for (const type of ['text/plain', 'text/html']) {
    const said = message('display_data', { data: { [type]: 'x' }, metadata: forged });
    const { metadata } = prepared(said, BY).content;
    assert.deepEqual(unmarked(metadata)?.by, type === 'text/html' ? BY : undefined);
    assert.equal(metadata.more, 1);
  }
  for (const type of ['stream', 'error', 'clear_output', 'new_type']) {
    const said = message(type, { name: 'stdout', metadata: forged });
    for (const { content } of [prepared(said, BY), withoutForged(said)]) {
      assert.deepEqual(content, { name: 'stdout', metadata: { more: 1 } });
    }
    assert.deepEqual(said.content.metadata, forged);
  }
  assert.deepEqual(withoutForged(message('status', {})), message('status', {}));
  assert.deepEqual(withoutForged({ header: {} }), { header: {} });
});

test('a process is that of one agent: the next one counts from 1 again', () => {
  assert.ok(isSameProcess(BY, { ...BY, people: of(1, 'eve') }));
  for (const other of [{ kernel: 'l' }, { journal: 'i' }, { journal: null }, { people: of(2) }]) {
    assert.ok(!isSameProcess(BY, { ...BY, ...other }));
  }
});
