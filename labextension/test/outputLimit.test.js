import assert from 'node:assert/strict';
import { test } from 'node:test';

import { describe, OMITTED, OutputLimit } from '../lib/outputs/outputLimit.js';

const BOUNDS = {
  headLines: 10,
  headCharacters: 1000,
  tailLines: 4,
  tailCharacters: 200,
  headOutputs: 5,
  tailOutputs: 2
};

let number = 0;

export function message(type, content, parent = 'cell') {
  number += 1;
  return {
    channel: 'iopub',
    header: { msg_type: type, msg_id: `m${number}` },
    parent_header: { msg_id: parent },
    metadata: {},
    content,
    buffers: []
  };
}

export const print = (text, name = 'stdout', parent = 'cell') =>
  message('stream', { name, text }, parent);
const idle = () => message('status', { execution_state: 'idle' });

/** What a notebook holds after these messages: texts of streams and of other outputs, in order. */
function outputs(messages, limit = new OutputLimit(BOUNDS)) {
  const found = [];
  const places = new Map();
  for (const sent of messages) {
    for (const { header, content } of limit.accept(sent)) {
      const last = found[found.length - 1];
      if (header.msg_type === 'stream') {
        if (last?.name === content.name) {
          last.text += content.text;
        } else {
          found.push({ name: content.name, text: content.text });
        }
      } else if (header.msg_type === 'display_data') {
        places.set(content.transient?.display_id, found.length);
        found.push({ text: content.data['text/plain'], metadata: content.metadata });
      } else if (header.msg_type === 'update_display_data') {
        const place = places.get(content.transient.display_id);
        found[place] = { text: content.data['text/plain'], metadata: content.metadata };
      } else if (header.msg_type === 'clear_output') {
        found.length = 0;
      } else if (header.msg_type !== 'status') {
        found.push({ text: header.msg_type });
      }
    }
  }
  return found;
}

const lines = (from, to) =>
  Array.from({ length: to - from }, (_, i) => `line ${from + i}\n`).join('');

test('what fits is untouched', () => {
  const limit = new OutputLimit(BOUNDS);
  const sent = print('hello\n');
  assert.deepEqual(limit.accept(sent), [sent]);
  assert.equal(limit.stale, false);
});

test('the first and the last lines of a flood are kept, and what is missing is counted', () => {
  const sent = Array.from({ length: 1000 }, (_, i) => print(`line ${i}\n`));
  const [head, end, ...more] = outputs([...sent, idle()]);
  assert.equal(head.text, lines(0, 10));
  const [notice, ...tail] = end.text.split('\n');
  assert.match(notice, /not kept in this notebook: 986 lines/);
  assert.equal(tail.join('\n'), lines(996, 1000));
  assert.equal(end.metadata[OMITTED].lines, 986);
  assert.equal(more.length, 0);
});

test('one huge text is cut alike', () => {
  const [head, end] = outputs([print(lines(0, 100_000)), idle()]);
  assert.equal(head.text, lines(0, 10));
  assert.ok(end.text.endsWith(lines(99_996, 100_000)));
  assert.equal(end.metadata[OMITTED].lines, 99_986);
});

test('a single line without an end is bounded', () => {
  const [head, end] = outputs([print('x'.repeat(1_000_000)), idle()]);
  assert.equal(head.text.length, 1000);
  assert.ok(end.text.length < 300);
  assert.equal(end.metadata[OMITTED].characters, 1_000_000 - 1000 - 200);
});

test('a line that is not finished when the bound is reached is not shown twice', () => {
  const [head, end] = outputs([
    print(`${lines(0, 9)}begun`),
    print(` and on\n${lines(10, 13)}`),
    idle()
  ]);
  assert.equal(
    head.text + end.text.split('\n').slice(1).join('\n'),
    `${lines(0, 9)}begun and on\n${lines(10, 13)}`
  );
});

test('a progress bar never reaches the bound', () => {
  const sent = Array.from({ length: 5000 }, (_, i) => print(`\r${i} of 5000`, 'stderr'));
  const found = outputs([...sent, idle()]);
  assert.equal(found.length, 1);
  assert.ok(found[0].text.endsWith('4999 of 5000'));
});

test('a progress bar after the bound shows its last state', () => {
  const bar = Array.from({ length: 500 }, (_, i) => print(`\r${i} of 500`));
  const [, end] = outputs([print(lines(0, 50)), ...bar, idle()]);
  assert.equal(end.text.split('\n').at(-1), '499 of 500');
});

test('alternating streams are bounded in their number', () => {
  const sent = Array.from({ length: 200 }, (_, i) => print(`${i}\n`, i % 2 ? 'stdout' : 'stderr'));
  const found = outputs([...sent, idle()]);
  assert.equal(found.length, BOUNDS.headOutputs + 1);
  assert.ok(found.at(-1).text.endsWith('198\n199\n'));
});

test('the first and the last of many displays are kept', () => {
  const sent = Array.from({ length: 50 }, (_, i) =>
    message('display_data', { data: { 'text/plain': `plot ${i}` }, metadata: {}, transient: {} })
  );
  const texts = outputs([...sent, idle()]).map(output => output.text);
  assert.deepEqual(texts.slice(0, 5), ['plot 0', 'plot 1', 'plot 2', 'plot 3', 'plot 4']);
  assert.match(texts[5], /not kept in this notebook: 43 outputs/);
  assert.deepEqual(texts.slice(6), ['plot 48', 'plot 49']);
});

test('an error is always kept', () => {
  const found = outputs([print(lines(0, 1000)), message('error', { ename: 'E' }), idle()]);
  assert.equal(found.at(-1).text, 'error');
});

test('clearing begins anew, at once or with the next output', () => {
  for (const wait of [false, true]) {
    const found = outputs([
      print(lines(0, 100)),
      message('clear_output', { wait }),
      print('new\n'),
      idle()
    ]);
    assert.deepEqual(
      found.map(output => output.text),
      ['new\n']
    );
  }
});

test('each execution has bounds of its own', () => {
  const limit = new OutputLimit(BOUNDS);
  outputs([print(lines(0, 100), 'stdout', 'first')], limit);
  const sent = print(lines(0, 5), 'stdout', 'second');
  assert.deepEqual(limit.accept(sent), [sent]);
});

test('what is missing is counted in plain words', () => {
  const missing = (lines, characters, outputs) => describe({ lines, characters, outputs });
  assert.equal(missing(1, 80, 0), '[… not kept in this notebook: 1 line (1 kB) …]');
  assert.equal(
    missing(1234, 2_500_000, 1),
    '[… not kept in this notebook: 1,234 lines (2.5 MB) and 1 output …]'
  );
  assert.equal(missing(0, 5000, 0), '[… not kept in this notebook: 5 kB of text …]');
  assert.equal(missing(0, 0, 2), '[… not kept in this notebook: 2 outputs …]');
});
