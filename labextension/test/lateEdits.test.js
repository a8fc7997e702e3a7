import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';

import { Signal } from '@lumino/signaling';

import { keepLateEdits } from '../lib/contents/lateEdits.js';
import { quietly } from '../lib/contents/quietly.js';

/** A document as JupyterLab's `Context` saves it. */
class FakeContext {
  file = '';
  saveState = new Signal(this);

  constructor() {
    this.model = { dirty: false, text: '' };
    this.model.contentChanged = new Signal(this.model);
  }

  write(text) {
    this.model.text = text;
    this.model.contentChanged.emit();
    this.model.dirty = true;
  }

  /** @returns what ends the save: with an error, if there is one. */
  save() {
    let end;
    const answered = new Promise((resolve, reject) => {
      end = error => (error ? reject(error) : resolve());
    });
    this.saveState.emit('started');
    const read = this.model.text;
    const saved = answered.then(
      () => {
        this.file = read;
        this.model.dirty = false;
        this.saveState.emit('completed');
      },
      () => this.saveState.emit('failed')
    );
    return async error => {
      // Nobody answers at once.
      await setImmediate();
      end(error);
      await saved;
    };
  }
}

let context;
let edits;

beforeEach(() => {
  context = new FakeContext();
  edits = keepLateEdits(context);
  context.write('a');
});

test('what is written while a save is under way stays to be saved', async () => {
  const end = context.save();
  await setImmediate();
  context.write('ab');
  await end();
  assert.deepEqual([context.file, context.model.dirty], ['a', true]);
  await context.save()();
  assert.deepEqual([context.file, context.model.dirty], ['ab', false]);
});

test('a document that nobody edits while it is saved is saved', async () => {
  await context.save()();
  assert.equal(context.model.dirty, false);
});

test('what other pages save is no edit, also in a document that has some', async () => {
  const end = context.save();
  await setImmediate();
  quietly(context.model, () => {
    quietly(context.model, () => context.write('a, and an output'));
    context.write('a, and two outputs');
  });
  assert.equal(context.model.dirty, true);
  await end();
  assert.equal(context.model.dirty, false);
});

test('what is put in order when a save starts is in the file', async () => {
  context.saveState.connect((_, state) => {
    if (state === 'started') {
      context.write('a, formatted');
    }
  });
  await context.save()();
  assert.deepEqual([context.file, context.model.dirty], ['a, formatted', false]);
});

test('of two saves at a time the first one saves nothing that was written after it', async () => {
  const first = context.save();
  await setImmediate();
  context.write('ab');
  const second = context.save();
  await first();
  assert.deepEqual([context.file, context.model.dirty], ['a', true]);
  await second(new Error('no answer'));
  assert.equal(context.model.dirty, true);
  await context.save()();
  assert.deepEqual([context.file, context.model.dirty], ['ab', false]);
});

test('a save that nobody hears the end of leaves no mark behind', async () => {
  const first = context.save();
  context.save();
  await setImmediate();
  // As the drive tells.
  edits.failed();
  context.write('ab');
  await first();
  assert.equal(context.model.dirty, true);
  await context.save()();
  assert.equal(context.model.dirty, false);
});

test('a save that shows the file of the server leaves nothing to save but what follows', async () => {
  for (const more of [false, true]) {
    context.write('mine');
    const end = context.save();
    await setImmediate();
    context.write('theirs');
    edits.reverted();
    if (more) {
      context.write('theirs, and mine');
    }
    await end();
    assert.equal(context.model.dirty, more);
  }
});
