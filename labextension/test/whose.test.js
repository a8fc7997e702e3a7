import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  isMyKernel,
  isMySession,
  isOfAnotherAlone,
  nameOfKernel,
  nameOfSession,
  startedByOther
} from '../lib/kernels/whose.js';

const kernel = { id: 'k', username: 'ann', project: 'demo', path: 'demo/dir/plot.ipynb' };
const session = {
  id: 's',
  path: 'demo/dir/plot.ipynb',
  name: 'plot.ipynb',
  username: 'bob',
  project: 'demo',
  kernel
};

test('a kernel is of the person who started it', () => {
  assert.equal(isMyKernel(kernel, 'ann'), true);
  assert.equal(isMyKernel(kernel, 'bob'), false);
});

test('a session is of the person who made it, and of the one who started its kernel', () => {
  assert.equal(isMySession(session, 'bob'), true);
  assert.equal(isMySession(session, 'ann'), true);
  assert.equal(isMySession(session, 'eve'), false);
});

test('where the server does not say who made a session, its kernel decides', () => {
  const older = { ...session, username: undefined, project: undefined };
  assert.equal(isMySession(older, 'ann'), true);
  assert.equal(isMySession(older, 'bob'), false);
  assert.deepEqual(nameOfSession(older), {
    notebook: 'plot.ipynb',
    project: 'demo',
    person: 'ann'
  });
});

test('nothing is of a page that does not know its user', () => {
  const nobodys = { ...kernel, username: '' };
  assert.equal(isMyKernel(nobodys, ''), false);
  assert.equal(isMySession({ ...session, username: '', kernel: nobodys }, ''), false);
});

test('a kernel is named by the notebook that uses it, else by the one it was started for', () => {
  const renamed = { ...session, name: 'new.ipynb', path: 'demo/new.ipynb' };
  assert.deepEqual(nameOfKernel(kernel, [renamed]), {
    notebook: 'new.ipynb',
    project: 'demo',
    person: 'ann'
  });
  assert.equal(nameOfKernel(kernel, []).notebook, 'plot.ipynb');
});

test('a kernel that a page did not start is restarted after a question, whoever made the session', () => {
  const session = { id: 's', path: 'demo/a.ipynb', name: 'a.ipynb' };
  assert.equal(
    startedByOther({ ...session, username: 'me', kernel: { id: 'k', username: 'ann' } }, 'me'),
    true
  );
  assert.equal(
    startedByOther({ ...session, username: 'ann', kernel: { id: 'k', username: 'me' } }, 'me'),
    false
  );
  assert.equal(startedByOther({ ...session, username: 'ann', kernel: null }, 'me'), true);
  assert.equal(startedByOther({ ...session, kernel: { id: 'k' } }, 'me'), false);
});

test('a kernel that somebody has alone is for nobody else', () => {
  assert.equal(isOfAnotherAlone({ id: 'k', only_for: 'ann' }, 'bob'), true);
  assert.equal(isOfAnotherAlone({ id: 'k', only_for: 'ann' }, 'ann'), false);
  assert.equal(isOfAnotherAlone({ id: 'k', only_for: null }, 'bob'), false);
  assert.equal(isOfAnotherAlone({ id: 'k' }, 'bob'), false);
});
