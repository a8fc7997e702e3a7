import assert from 'node:assert/strict';
import { test } from 'node:test';

import { barredText } from '../lib/user/barredText.js';
import {
  createInProjectText,
  isBesideProjects,
  mayCreateSomewhere
} from '../lib/user/besideProjects.js';
import { whyNotChange, whyNotCreate } from '../lib/contents/contentsRefusals.js';
import {
  hasNoAccess,
  isBarred,
  isViewer,
  mayEdit,
  readFleetUser,
  withRolesOf
} from '../lib/user/fleetUser.js';
import { startingPlace } from '../lib/user/startingPlace.js';

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

test('who has no role in a project is barred there, and not beside the projects', () => {
  const ann = read({ demo: 'editor', other: 'viewer' });
  assert.equal(isBarred(ann, 'demo/a.ipynb'), false);
  assert.equal(hasNoAccess(ann, 'other/a.ipynb'), false);
  assert.equal(isBarred(ann, 'other/a.ipynb'), true);
  assert.equal(hasNoAccess(ann, 'lost/a.ipynb'), true);
  assert.equal(isBarred(ann, '/lost/dir/a.ipynb'), true);
  assert.equal(isBarred(ann, 'console-1'), false);
  assert.equal(isBarred(null, 'lost/a.ipynb'), false);
});

test('who is barred reads why and what to do', () => {
  const ann = read({ demo: 'editor', other: 'viewer' });
  const trans = { __: (text, ...values) => text.replace('%1', values[0]) };
  assert.equal(barredText(ann, 'demo/a.ipynb', trans), null);
  assert.match(barredText(ann, 'other/a.ipynb', trans), /a viewer of the project "other"/);
  assert.match(
    barredText(ann, 'lost/a.ipynb', trans),
    /no longer have access to the project "lost".* Ask an owner .* Unsaved changes stay/
  );
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

test('projects and what would be beside them are told from what is inside', () => {
  for (const path of ['', '/', 'demo', '/demo/', '/untitled']) {
    assert.equal(isBesideProjects(path), true, path);
  }
  for (const path of ['demo/a.ipynb', '/demo/dir/']) {
    assert.equal(isBesideProjects(path), false, path);
  }
});

test('viewers read no words for those who create', () => {
  const trans = { __: text => text };
  const viewer = read({ demo: 'viewer' });
  const editor = read({ demo: 'viewer', other: 'editor' });
  assert.equal(mayCreateSomewhere(viewer), false);
  assert.equal(mayCreateSomewhere(editor), true);
  assert.match(
    createInProjectText(viewer, trans),
    /^You can look at files but not create.*Ask an owner/
  );
  assert.match(createInProjectText(editor, trans), /open one of your projects first/);
  assert.match(createInProjectText(read({}), trans), /in no project yet/);
});

test('a page learns new roles of its own user, and of nobody else', () => {
  const ann = read({ demo: 'viewer', other: 'editor' });
  const told = projects => withRolesOf(ann, { username: 'ann', display_name: 'Ann', projects });
  assert.equal(told({ other: 'editor', demo: 'viewer' }), ann);
  assert.equal(isViewer(told({ demo: 'editor', other: 'editor' }), 'demo/a'), false);
  assert.equal(mayEdit(told({ demo: 'viewer' }), 'other/a'), false);
  assert.equal(mayEdit(told({ demo: 'viewer', third: 'owner' }), 'third/a'), true);
  // A lab of an earlier version tells no roles.
  assert.equal(told(undefined), ann);
  const bob = { username: 'bob', display_name: 'Bob', projects: { demo: 'owner' } };
  assert.equal(withRolesOf(ann, bob), ann);
  assert.equal(withRolesOf(null, bob), null);
});

test('a viewer reads why nothing can be changed, and an editor asks the server', () => {
  const trans = { __: (text, ...values) => text.replace('%1', values[0]) };
  const ann = read({ demo: 'editor', other: 'viewer' });
  for (const why of [whyNotCreate, whyNotChange]) {
    assert.match(
      why(ann, 'other/dir/a.txt', trans),
      /not run or change them: you are a viewer of the project "other"/
    );
    assert.equal(why(ann, 'demo/a.txt', trans), null);
    assert.equal(why(null, 'other/a.txt', trans), null);
    assert.equal(why(null, 'a.txt', trans), null);
  }
  assert.match(whyNotCreate(ann, 'a.txt', trans), /open one of your projects first/);
  assert.match(whyNotChange(ann, 'demo', trans), /not renamed or deleted here/);
});
