import assert from 'node:assert/strict';
import { test } from 'node:test';

import { durationWords, launchWords, phaseWords, sentence } from '../lib/launches/launchWords.js';
import { trans } from './trans.js';

const words = launch => launchWords(launch, trans);

test('each phase has its words, with those of the cluster', () => {
  assert.equal(words({ phase: 'pulling', message: '40 %' }), 'Pulling the image … 40 %');
  assert.equal(words({ phase: 'pulling', message: 'kernel:1' }), 'Pulling the image: kernel:1');
  assert.equal(
    words({ phase: 'scheduling', message: '0/3 nodes are available: insufficient memory' }),
    'Waiting for room: 0/3 nodes are available: insufficient memory'
  );
  assert.equal(words({ phase: 'starting', message: '' }), 'Starting the kernel');
  assert.equal(words({ phase: 'connecting' }), 'Connecting to the kernel');
  assert.equal(words({ phase: 'warming', message: 'soon' }), 'Starting the kernel: soon');
});

test('a cluster that does not answer is what a launch waits for, in any phase', () => {
  const message = 'the API server does not answer';
  for (const phase of ['queued', 'scheduling', 'starting']) {
    assert.equal(
      words({ phase, message }),
      'Waiting for the cluster: its API server does not answer'
    );
    assert.equal(phaseWords({ phase, message }, trans), 'Waiting for the cluster');
    assert.equal(
      words({ phase, message: 'the ResourceManager has not answered for 3 s' }),
      'Waiting for the cluster: its ResourceManager has not answered for 3 s'
    );
  }
});

test('a place in a queue is counted as people count', () => {
  const place = position => words({ phase: 'queued', position });
  const places = [1, 2, 3, 4, 11, 12, 13, 21, 22, 103, 111].map(place);
  assert.deepEqual(
    places.map(text => text.split(' ')[0]),
    ['Next', '2nd', '3rd', '4th', '11th', '12th', '13th', '21st', '22nd', '103rd', '111th']
  );
  assert.equal(place(null), 'In the queue');
  assert.equal(
    words({ phase: 'queued', position: 2, message: 'root.ml is full' }),
    '2nd in the queue: root.ml is full'
  );
});

test('the toolbar gets the phase alone', () => {
  assert.equal(phaseWords({ phase: 'scheduling', message: 'no room' }, trans), 'Waiting for room');
});

test('how long it lasts is said in two units at most', () => {
  const since = '2026-01-01T00:00:00Z';
  const after = seconds => durationWords(since, Date.parse(since) + seconds * 1000, trans);
  assert.deepEqual([0, 59, 60, 125, 3599, 3840].map(after), [
    '0 s',
    '59 s',
    '1 min 0 s',
    '2 min 5 s',
    '59 min 59 s',
    '1 h 4 min'
  ]);
  assert.equal(after(-5), '0 s');
  assert.equal(durationWords(undefined, 0, trans), '');
});

test('a reason becomes the beginning of a sentence', () => {
  assert.equal(sentence(' the kernel ended. '), 'The kernel ended');
});
