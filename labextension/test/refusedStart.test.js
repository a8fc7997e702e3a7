import assert from 'node:assert/strict';
import { test } from 'node:test';

import { startOrTell, tellRefusal } from '../lib/kernels/refusedStart.js';
import { silenceDialogs } from '../lib/kernels/silentDialogs.js';

/** A document of JupyterLab's whose kernel the server refuses, if it has words for that. */
function refusedDocument(words) {
  const context = {
    session: null,
    _displayKernelError: () => assert.fail('a dialog'),
    startKernel: async () => {
      if (words !== null) {
        await context._displayKernelError(words, '');
      }
      return true;
    }
  };
  return context;
}

test('a document that says why it has no kernel does not ask for another one as well', async () => {
  const context = refusedDocument('the limit for each user is 1');
  const said = [];
  silenceDialogs({}, context, message => said.push(message));
  assert.equal(await startOrTell(context, context.startKernel), false);
  assert.deepEqual(said, ['the limit for each user is 1']);
});

test('a document that has no preferred kernel asks for one, also if one was refused before', async () => {
  const context = refusedDocument(null);
  silenceDialogs({}, context, () => assert.fail('a refusal'));
  tellRefusal(context);
  assert.equal(await startOrTell(context, context.startKernel), true);
});

test('a document whose kernel starts asks nothing', async () => {
  assert.equal(await startOrTell({}, async () => false), false);
});
