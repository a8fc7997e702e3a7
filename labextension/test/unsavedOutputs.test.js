import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';

import { quietly } from '../lib/contents/quietly.js';
import { UnsavedOutputs } from '../lib/replay/unsavedOutputs.js';

const PATIENCE = 1_000;

let model;
let alone;
let asked;
/** What the file has, or an error. */
let file;
let unsaved;
const write = () => {
  model.dirty = true;
};
/** Until nothing is looked at any more. */
const looked = () => setImmediate();

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ['setTimeout'] });
  model = { dirty: false };
  alone = false;
  asked = async () => undefined;
  file = { version: 'v1', lacksOutputs: true };
  unsaved = new UnsavedOutputs(model, {
    isAlone: () => alone,
    refresh: () => asked(),
    file: async () => {
      if (file instanceof Error) {
        throw file;
      }
      return file;
    },
    patience: PATIENCE
  });
});

async function wait() {
  mock.timers.tick(PATIENCE);
  await looked();
}

test('what another page saves does not count as a change here', async () => {
  unsaved.change(write);
  unsaved.settle();
  await looked();
  assert.equal(model.dirty, false);
});

test('a page that is left alone saves what the other one has not', async () => {
  unsaved.change(write);
  alone = true;
  unsaved.settle();
  await looked();
  assert.equal(model.dirty, true);
  model.dirty = false;
  unsaved.settle();
  await looked();
  assert.equal(model.dirty, false);
});

test('a page that is left alone has nothing to save if the file has it, or somebody has edited it', async () => {
  unsaved.change(write);
  alone = true;
  file = { version: 'v2', lacksOutputs: false };
  unsaved.settle();
  await looked();
  assert.equal(model.dirty, false);
});

test('what an earlier load of this page has run is for this one to save', async () => {
  unsaved.change(write, true);
  assert.equal(model.dirty, false);
  await unsaved.ask();
  await looked();
  assert.equal(model.dirty, true);
});

test('of several pages none waits for one that does not save', async () => {
  unsaved.change(write);
  await wait();
  // Somebody may have saved just before.
  assert.equal(model.dirty, false);
  await wait();
  assert.equal(model.dirty, true);
});

test('as long as another page saves, this one does not', async () => {
  unsaved.change(write);
  for (let turn = 0; turn < 5; turn += 1) {
    file = { version: `v${turn}`, lacksOutputs: true };
    await wait();
  }
  file = { version: 'v4', lacksOutputs: false };
  await wait();
  assert.equal(model.dirty, false);
  // Nothing is looked at any more.
  file = { version: 'v4', lacksOutputs: true };
  await wait();
  assert.equal(model.dirty, false);
});

test('a file that cannot be read now is read later', async () => {
  unsaved.change(write);
  await wait();
  file = new Error('no answer');
  await wait();
  assert.equal(model.dirty, false);
  file = { version: 'v1', lacksOutputs: true };
  await wait();
  await wait();
  assert.equal(model.dirty, true);
});

test('there is nothing to save where nothing has changed, or somebody has saved', async () => {
  unsaved.change(() => undefined);
  alone = true;
  unsaved.settle();
  await looked();
  assert.equal(model.dirty, false);
  unsaved.change(write);
  assert.equal(model.dirty, false);
  const settled = unsaved.ask();
  unsaved.saving();
  unsaved.saved(true);
  await settled;
  await looked();
  assert.equal(model.dirty, false);
});

test('what is said during a save is not in the file', async () => {
  model.dirty = true;
  unsaved.saving();
  unsaved.change(write);
  model.dirty = false;
  unsaved.saved(true);
  assert.equal(model.dirty, false);
  alone = true;
  unsaved.settle();
  await looked();
  assert.equal(model.dirty, true);
});

test('a save that has failed has saved nothing', async () => {
  unsaved.change(write);
  unsaved.saving();
  unsaved.saved(false);
  alone = true;
  unsaved.settle();
  await looked();
  assert.equal(model.dirty, true);
});

test('a notebook that is closed is not looked after', async () => {
  unsaved.change(write);
  await wait();
  unsaved.end();
  await wait();
  assert.equal(model.dirty, false);
});

test('what the server says decides', async () => {
  asked = async () => {
    alone = true;
  };
  await unsaved.ask();
  assert.equal(alone, false);
  unsaved.change(write);
  await unsaved.ask();
  await looked();
  assert.equal(model.dirty, true);
});

test('while nobody can tell, nothing is saved', async () => {
  asked = async () => {
    throw new Error('no answer');
  };
  alone = true;
  unsaved.change(write);
  await unsaved.ask();
  await looked();
  assert.equal(model.dirty, false);
});

test("a person's own changes stay to be saved", () => {
  model.dirty = true;
  unsaved.change(write);
  quietly(model, write);
  assert.equal(model.dirty, true);
});

test('a change that fails is quiet all the same', () => {
  const fail = () => {
    write();
    throw new Error('no');
  };
  assert.throws(() => quietly(model, fail), /no/);
  assert.equal(model.dirty, false);
});
