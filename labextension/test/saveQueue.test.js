import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SaveQueue } from '../lib/contents/saveQueue.js';

/** Saves that end when the test says so, and what was done in which order. */
function heldSaves() {
  const queue = new SaveQueue();
  const done = [];
  const saves = {};
  const run = (name, path = 'demo/a', kind = 'file/text') =>
    queue.run(path, kind, ask => {
      done.push(name);
      return new Promise((resolve, reject) => (saves[name] = { resolve, reject, ask }));
    });
  return { queue, done, saves, run };
}

const soon = () => new Promise(resolve => setTimeout(resolve, 2));

test('a save begins when the one before it has ended, well or badly', async () => {
  const { done, saves, run } = heldSaves();
  const turns = [run('one'), run('two'), run('three')];
  await soon();
  assert.deepEqual(done, ['one']);
  saves.one.reject(new Error('no'));
  await assert.rejects(turns[0], { message: 'no' });
  await soon();
  assert.deepEqual(done, ['one', 'two']);
  saves.two.resolve('saved');
  assert.equal(await turns[1], 'saved');
  await soon();
  assert.deepEqual(done, ['one', 'two', 'three']);
});

test('a save that comes during the second waits for it, though the first has ended', async () => {
  const { done, saves, run } = heldSaves();
  run('one');
  const second = run('two');
  await soon();
  saves.one.resolve();
  await soon();
  const third = run('three');
  await soon();
  assert.deepEqual(done, ['one', 'two']);
  saves.two.resolve();
  await second;
  await soon();
  saves.three.resolve();
  await third;
});

test('other paths and kinds do not wait', async () => {
  const { done, run } = heldSaves();
  run('one');
  run('other path', 'demo/b');
  run('other kind', 'demo/a', 'notebook');
  await soon();
  assert.deepEqual(done, ['one', 'other path', 'other kind']);
});

test('a save that a person gives up takes along those that wait, not those that follow', async () => {
  for (const choice of ['cancel', 'revert']) {
    const { done, saves, run } = heldSaves();
    const first = run('one');
    const waiting = run('two');
    await soon();
    assert.equal(await saves.one.ask(async () => choice), choice);
    const later = run('three');
    saves.one.resolve();
    await first;
    await assert.rejects(waiting, { name: 'ModalDuplicateError' });
    await soon();
    saves.three.resolve();
    await later;
    assert.deepEqual(done, ['one', 'three']);
  }
});

test('a save that overwrites takes along no other', async () => {
  const { done, saves, run } = heldSaves();
  const first = run('one');
  const waiting = run('two');
  await soon();
  await saves.one.ask(async () => 'overwrite');
  saves.one.resolve();
  await first;
  await soon();
  saves.two.resolve();
  await waiting;
  assert.deepEqual(done, ['one', 'two']);
});

test('while a person is asked nothing is queued, even if the question fails', async () => {
  const { saves, run } = heldSaves();
  const first = run('one');
  await soon();
  let fail;
  const asked = saves.one.ask(() => new Promise((_, reject) => (fail = reject)));
  await assert.rejects(run('two'), { name: 'ModalDuplicateError' });
  fail(new Error('no dialog'));
  await assert.rejects(asked, { message: 'no dialog' });
  const next = run('three');
  saves.one.resolve();
  await first;
  await soon();
  saves.three.resolve();
  await next;
});

test('a rename waits for what is at or below its path, and for no other', async () => {
  const { queue, saves, run } = heldSaves();
  run('at', 'demo');
  run('below', 'demo/a').catch(() => undefined);
  run('beside', 'demo2');
  let ended = false;
  const waiting = queue.ended('demo').then(() => (ended = true));
  await soon();
  saves.at.resolve();
  await soon();
  assert.equal(ended, false);
  saves.below.reject(new Error('no'));
  await waiting;
  await queue.ended('nothing');
});
