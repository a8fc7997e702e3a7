import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isViewer, mayEdit, readFleetUser } from '../lib/fleetUser.js';
import { startingPlace } from '../lib/startingPlace.js';

const read = projects =>
  readFleetUser(JSON.stringify({ username: 'ann', display_name: 'Ann', projects }));

test('roles are those of the first folder of a path', () => {
  const ann = read({ demo: 'editor', other: 'viewer' });
  assert.equal(mayEdit(ann, 'demo/dir/a.ipynb'), true);
  assert.equal(mayEdit(ann, 'other/a.ipynb'), false);
  assert.equal(isViewer(ann, 'other/a.ipynb'), true);
  assert.equal(isViewer(ann, 'demo/a.ipynb'), false);
  assert.equal(mayEdit(ann, 'elsewhere/a.ipynb'), false);
});

test('a page that does not know its user leaves all to the server', () => {
  assert.equal(readFleetUser(''), null);
  assert.equal(mayEdit(null, 'demo/a.ipynb'), true);
  assert.equal(isViewer(null, 'demo/a.ipynb'), false);
  assert.equal(startingPlace(null, ''), 'here');
});

test('beside the projects nothing can be begun, whoever one is', () => {
  assert.equal(startingPlace(read({ demo: 'owner' }), ''), 'projects');
  assert.equal(startingPlace(read({ demo: 'owner', other: 'viewer' }), '/'), 'projects');
  assert.equal(startingPlace(read({}), ''), 'nowhere');
});

test('inside a project an editor begins, and a viewer looks', () => {
  const ann = read({ demo: 'editor', other: 'viewer' });
  assert.equal(startingPlace(ann, 'demo/dir'), 'here');
  assert.equal(startingPlace(ann, 'other'), 'view only');
  assert.equal(startingPlace(ann, 'strange'), 'projects');
});
