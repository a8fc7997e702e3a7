import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TextDecoder, TextEncoder } from 'node:util';

import { readHeld } from '../lib/contents/heldMetadata.js';
import {
  endReason,
  failedWithoutCell,
  hasEnded,
  heldOf,
  newsOf,
  outputsOf,
  parseKept,
  sameOutputs,
  withEnd,
  withHoles
} from '../lib/kernels/keptJournal.js';
import { died } from '../lib/outputs/kernelDied.js';

const message = (type, content, parent = 'r') => ({
  header: { msg_type: type },
  parent_header: { msg_id: parent },
  content
});
const printed = (text, parent, name = 'stdout') => message('stream', { name, text }, parent);
const record = (cell, changes = {}) => ({
  request: `r-${cell}`,
  cell,
  count: 3,
  last: 9,
  state: 'done',
  sent: null,
  ...changes
});
const kept = changes => ({
  journal: 'j2',
  journals: ['j2', 'j1'],
  process: 'running',
  reason: '',
  end: null,
  ...changes
});
const cell = (id, changes = {}) => ({ id, count: null, outputs: [], held: null, ...changes });

test('an answer has a head and messages', () => {
  const pieces = ['{"kernel": "k"}', 'one', ''].map(text => new TextEncoder().encode(text));
  const bytes = pieces.flatMap(piece => [0, 0, 0, piece.length, ...piece]);
  const { head, messages } = parseKept(new Uint8Array(bytes).buffer);
  assert.equal(head.kernel, 'k');
  assert.deepEqual(
    messages.map(one => new TextDecoder().decode(one)),
    ['one', '']
  );
  assert.throws(() => parseKept(new Uint8Array([0, 0]).buffer), RangeError);
});

test('what a cell printed is one output until another one comes', () => {
  const outputs = outputsOf(
    [
      printed('a'),
      printed('b'),
      printed('other', 'r2'),
      printed('c', 'r', 'stderr'),
      message('error', { ename: 'E', evalue: 'v', traceback: [] }),
      message('status', { execution_state: 'idle' })
    ],
    'r'
  );
  assert.deepEqual(outputs, [
    { output_type: 'stream', name: 'stdout', text: 'ab' },
    { output_type: 'stream', name: 'stderr', text: 'c' },
    { output_type: 'error', ename: 'E', evalue: 'v', traceback: [] }
  ]);
});

test('a display that a later cell changes shows the change', () => {
  const transient = { display_id: 'd' };
  const outputs = outputsOf(
    [
      message('display_data', { data: { 'text/plain': '1' }, metadata: {}, transient }),
      message('update_display_data', { data: { 'text/plain': '2' }, metadata: {}, transient }, 'r2')
    ],
    'r'
  );
  assert.deepEqual(
    outputs.map(one => one.data),
    [{ 'text/plain': '2' }]
  );
});

test('cleared outputs are gone, at once or with the next one', () => {
  const clear = wait => message('clear_output', { wait });
  assert.deepEqual(outputsOf([printed('a'), clear(false)], 'r'), []);
  assert.equal(outputsOf([printed('a'), clear(true)], 'r').length, 1);
  assert.deepEqual(
    outputsOf([printed('a'), clear(true), printed('b')], 'r').map(one => one.text),
    ['b']
  );
});

test('what was too long for the store is named where it is missing', () => {
  const holes = [
    { count: 1, last: 12 },
    { count: 2, last: 16 }
  ];
  const messages = [printed('a'), printed('other', 'r2'), printed('b')];
  const text = count => `${count} missing`;
  const outputs = outputsOf(withHoles(messages, [11, 13, 14], 'r', holes, text), 'r');
  assert.deepEqual(
    outputs.map(one => one.text ?? one.data['text/plain']),
    ['a', '1 missing', 'b', '2 missing']
  );
  assert.equal(outputsOf(withHoles(messages, [11, 13, 14], 'r2', [], text), 'r2').length, 1);
  // With nothing but another cell's output between them.
  const between = [
    { count: 3, last: 9 },
    { count: 1, last: 12 }
  ];
  const [missing] = outputsOf(withHoles(messages.slice(1), [10, 14], 'r', between, text), 'r');
  assert.equal(missing.data['text/plain'], '4 missing');
  // A cell that said nothing else.
  assert.equal(outputsOf(withHoles([], [], 'r', [{ count: 1, last: 12 }], text), 'r').length, 1);
});

test('only what a cell does not show is news', () => {
  const requests = [record('a', { request: 'old' }), record('a'), record('gone'), record(null)];
  const news = changes => newsOf(requests, [cell('a', changes)]).map(one => one.request);
  const outputs = [{ output_type: 'stream' }];
  assert.deepEqual(news({}), ['r-a']);
  assert.deepEqual(news({ held: { request: 'r-a', number: 9 } }), []);
  assert.deepEqual(news({ held: { request: 'r-a', number: 8 } }), ['r-a']);
  assert.deepEqual(news({ held: { request: 'old', number: 9 }, count: 3, outputs }), ['r-a']);
  // A file that does not say what it holds.
  assert.deepEqual(news({ count: 3, outputs }), []);
  assert.deepEqual(news({ count: 2, outputs }), ['r-a']);
  assert.deepEqual(newsOf([record('a', { last: 0 })], [cell('a')]), []);
});

test('a cell into which all of a request is put holds it, and is no news any more', () => {
  const [sent, source] = ['2026-01-01T10:00:00Z', 'ab'.repeat(32)];
  const one = record('a', { sent, source });
  const held = heldOf(one, 'j1');
  assert.deepEqual(held, {
    request: 'r-a',
    number: 9,
    journal: 'j1',
    sent,
    source: source.slice(0, 16)
  });
  assert.deepEqual(readHeld({ ...held }), held);
  assert.deepEqual(newsOf([one], [cell('a', { held })]), []);
  assert.deepEqual(Object.keys(heldOf(record('a'), 'j1')), ['request', 'number', 'journal']);
});

test('outputs are the same however the file has them', () => {
  const some = [{ output_type: 'stream', name: 'stdout', text: ['a\n', 'b'] }];
  const others = [{ output_type: 'stream', name: 'stdout', text: 'a\nb' }];
  assert.ok(sameOutputs(some, others));
  assert.ok(!sameOutputs(some, []));
  assert.ok(!sameOutputs(some, [{ output_type: 'stream', name: 'stdout', text: 'a' }]));
});

test('a cell that says how its kernel ended has no news, in whichever words', () => {
  const ended = why => [...outputsOf([printed('a')], 'r'), died(why)];
  assert.ok(sameOutputs(ended('out of memory'), ended('')));
  assert.ok(!sameOutputs(ended(''), outputsOf([printed('a')], 'r')));
});

test('a kernel that gateways do not know any more has ended', () => {
  assert.ok(hasEnded({ end: null }));
  assert.ok(hasEnded({ end: { state: 'dead' } }));
  assert.ok(!hasEnded({ end: { state: 'unreachable' } }));
});

test('a kernel has ended for the reason of its last process', () => {
  const end = { state: 'dead', reason: 'evicted' };
  assert.equal(endReason(kept({ end })), 'evicted');
  assert.equal(endReason(kept({})), '');
  const dead = { process: 'dead', reason: 'exit code 7' };
  assert.equal(endReason(kept({ ...dead, end })), 'exit code 7');
  assert.equal(endReason(kept(dead)), 'exit code 7');
  assert.equal(endReason(kept({ process: 'dead', end })), 'evicted');
  // Another process ran after the one that this is about, and its agent was killed without a word.
  for (const process of ['running', 'restarting']) {
    const before = { process, reason: 'exit code 7' };
    assert.equal(endReason(kept({ ...before, end })), 'evicted');
    assert.equal(endReason(kept(before)), '');
  }
  // A later launch was evicted.
  assert.equal(endReason(kept({ journal: 'j1', end })), '');
  assert.equal(endReason(kept({ journal: 'j1', ...dead, end })), 'exit code 7');
});

test('a cell that never ended says so, whatever the notebook holds of it', () => {
  const cut = record('a', { state: 'running', last: 0 });
  const head = kept({ end: { state: 'dead', reason: "the kernel's process has ended" } });
  const held = { request: 'r-a', number: 9 };
  assert.deepEqual(newsOf([cut], [cell('a', { held })]), [cut]);
  const said = [{ output_type: 'stream', name: 'stdout', text: 'a' }];
  const [first, death] = withEnd(said, cut, [], head);
  assert.deepEqual(first, said[0]);
  assert.deepEqual([death.ename, death.evalue], ['KernelDied', "the kernel's process has ended"]);
  assert.equal(withEnd([], cut, [], kept({}))[0].evalue, 'the kernel ended while it ran this cell');
  assert.deepEqual(withEnd(said, record('a'), [], head), said);
});

const death = (evalue, status = 'error', parent = 'r-null') =>
  message('execute_reply', { status, ename: 'KernelDied', evalue }, parent);

test('a cell in which its kernel died says what the agent said of it', () => {
  const said = [{ output_type: 'stream', name: 'stdout', text: 'a' }];
  const shown = reply => withEnd(said, record('a'), [reply], kept({})).slice(1);
  assert.equal(shown(death('out of memory', 'error', 'r-a'))[0].evalue, 'out of memory');
  assert.equal(shown(death('the kernel was shut down', 'error', 'r-a'))[0].output_type, 'stream');
  assert.deepEqual(shown(death('out of memory', 'aborted', 'r-a')), []);
  assert.deepEqual(shown(death('out of memory', 'error', 'r-b')), []);
});

test('of programs that name no cells the last request is news if its kernel died in it', () => {
  const fine = record(null, { request: 'r0', reply: 'ok' });
  const bad = record(null, { reply: 'error' });
  const cut = record(null, { state: 'running', reply: null });
  const never = record(null, { request: 'r2', reply: 'aborted' });
  assert.deepEqual(failedWithoutCell([fine, bad, never]), [bad]);
  assert.deepEqual(failedWithoutCell([fine, cut, record(null, { state: 'queued' })]), [cut]);
  assert.deepEqual(failedWithoutCell([bad, fine]), []);
  assert.deepEqual(failedWithoutCell([bad, record('a', { reply: 'error' })]), []);
  assert.deepEqual(failedWithoutCell([]), []);
  const said = [{ output_type: 'stream', name: 'stdout', text: 'last line' }];
  const ends = (one, reply) => withEnd(said, one, reply, kept({ end: { reason: 'evicted' } }));
  assert.deepEqual(ends(bad, [death('out of memory')]), [...said, died('out of memory')]);
  assert.deepEqual(ends(cut, []), [...said, died('evicted')]);
  // It failed by itself, or the program has ended it.
  assert.deepEqual(ends(bad, [message('execute_reply', { status: 'error' }, 'r-null')]), []);
  assert.deepEqual(ends(bad, [death('the kernel was shut down')]), []);
});
