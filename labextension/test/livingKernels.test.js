import assert from 'node:assert/strict';
import { test } from 'node:test';

import { livingOnly } from '../lib/kernels/livingKernels.js';

/** A session context as far as the choice of a kernel uses it. */
class Context {
  session = { kernel: { id: 'own' } };
  kernelManager = {
    specs: 'all',
    running: () => [{ id: 'own' }, { id: 'other' }, { id: 'ended' }].values()
  };
  ended = [];
  get hasNoKernel() {
    return !this.session;
  }
  shutdown() {
    this.ended.push(this.session.kernel.id);
  }
}

const offered = context => [...context.kernelManager.running()].map(({ id }) => id);

test('kernels that have ended are not offered', () => {
  const choice = livingOnly(new Context(), ({ id }) => id === 'ended');
  assert.deepEqual(offered(choice), ['own', 'other']);
  assert.equal(choice.session.kernel.id, 'own');
  assert.equal(choice.kernelManager.specs, 'all');
});

test('of a document whose own kernel has ended the list begins with its kernelspec', () => {
  const context = new Context();
  const choice = livingOnly(context, ({ id }) => id !== 'other');
  assert.deepEqual(offered(choice), ['other']);
  assert.equal(choice.session, null);
  // What is done acts on the document as it is.
  assert.equal(choice.hasNoKernel, false);
  choice.shutdown();
  assert.deepEqual(context.ended, ['own']);
  choice.kernelPreference = 'another';
  assert.equal(context.kernelPreference, 'another');
});

test('where JupyterLab has no list of kernels there is nothing to leave out', () => {
  const context = new Context();
  context.kernelManager = undefined;
  assert.equal(livingOnly(context, () => true).kernelManager, undefined);
});
