import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { OpenPage } from './openPage.js';
import { VersionedServer } from './versionedServer.js';

let server;
let page;

beforeEach(() => {
  server = new VersionedServer();
  page = new OpenPage(server);
});

/** Resolves when the promises and timers that are due have run. */
const soon = () => new Promise(resolve => setTimeout(resolve, 5));

/** The renames that the page is told of, each as "from > to". */
function toldRenames() {
  const told = [];
  page.drive.fileChanged.connect((_, { type, oldValue, newValue }) => {
    if (type === 'rename') {
      const named = newValue.path.endsWith(`/${newValue.name}`);
      told.push(`${oldValue.path} > ${named ? newValue.path : 'a path of another name'}`);
    }
  });
  return told;
}

async function openFile(path = 'demo/a.txt') {
  server.save(path, 'start');
  return page.open(path);
}

// --- by this page

test('a renamed document goes on from the version that it holds', async () => {
  const document = await openFile();
  server.asked();
  await page.drive.rename('demo/a.txt', 'demo/b.txt');
  await document.save('one');
  assert.deepEqual(server.asked(), ['PATCH demo/a.txt', 'PUT demo/b.txt']);
  assert.deepEqual(server.saves, [['demo/b.txt', 'v1', 'one']]);
});

test('a rename shows no edit: one that came before it is a conflict still', async () => {
  const document = await openFile();
  server.save('demo/a.txt', 'of bob');
  await page.drive.rename('demo/a.txt', 'demo/b.txt');
  page.answers = ['cancel'];
  await assert.rejects(document.save('mine'), { name: 'ModalCancelError' });
  assert.equal(page.questions[0].path, 'demo/b.txt');
});

test('the documents in a renamed folder follow it, whatever it is called', async () => {
  const document = await openFile('demo/Data (2)/a.txt');
  const deeper = await openFile('demo/Data (2)/sub/b.txt');
  const beside = await openFile('demo/Data (2)b.txt');
  const told = toldRenames();
  await page.drive.rename('demo/Data (2)', 'demo/Runs');
  assert.deepEqual(
    [document, deeper, beside].map(open => open.path),
    ['demo/Runs/a.txt', 'demo/Runs/sub/b.txt', 'demo/Data (2)b.txt']
  );
  assert.deepEqual(told, [
    'demo/Data (2)/a.txt > demo/Runs/a.txt',
    'demo/Data (2)/sub/b.txt > demo/Runs/sub/b.txt',
    'demo/Data (2) > demo/Runs'
  ]);
  await deeper.save('one');
  await beside.save('two');
  assert.deepEqual(server.saves, [
    ['demo/Runs/sub/b.txt', 'v2', 'one'],
    ['demo/Data (2)b.txt', 'v3', 'two']
  ]);
});

test('a rename waits for the saves of what it moves, and for no others', async () => {
  const document = await openFile('demo/sub/a.txt');
  const other = await openFile('demo/b.txt');
  const held = [];
  server.before = ({ method, path }) =>
    method === 'PUT' ? new Promise(resolve => held.push([path, resolve])) : undefined;
  const saves = [document.save('one'), other.save('two')];
  await soon();
  const renamed = page.drive.rename('demo/sub', 'demo/moved');
  await soon();
  assert.deepEqual(
    server.requests.filter(({ method }) => method === 'PATCH'),
    []
  );
  assert.deepEqual(
    held.map(([path]) => path),
    ['demo/sub/a.txt', 'demo/b.txt']
  );
  held[0][1]();
  await renamed;
  held[1][1]();
  await Promise.all(saves);
  server.before = async () => undefined;
  await document.save('three');
  assert.deepEqual(server.saves[2], ['demo/moved/a.txt', 'v3', 'three']);
});

// --- by another page

test('a save follows a document that another page has moved, with its version', async () => {
  const document = await openFile();
  server.rename('demo/a.txt', 'demo/b.txt');
  document.sessionPath = 'demo/b.txt';
  const told = toldRenames();
  await document.save('one');
  assert.deepEqual(told, ['demo/a.txt > demo/b.txt']);
  assert.deepEqual(server.saves, [
    ['demo/a.txt', 'v1', 'one'],
    ['demo/b.txt', 'v1', 'one']
  ]);
  assert.deepEqual(page.questions, []);
  assert.deepEqual([...server.files.keys()], ['demo/b.txt']);
  await document.save('two');
  assert.deepEqual(server.saves[2], ['demo/b.txt', 'v2', 'two']);
});

test('an edit of the moved document is asked about where it is now', async () => {
  const document = await openFile();
  server.rename('demo/a.txt', 'demo/b.txt');
  server.save('demo/b.txt', 'of bob');
  document.sessionPath = 'demo/b.txt';
  page.answers = ['revert'];
  await document.save('mine');
  assert.equal(page.questions[0].path, 'demo/b.txt');
  assert.equal(document.content, 'of bob');
});

test('a document that has heard of its move holds its version there', async () => {
  const document = await openFile('demo/Data/a.txt');
  server.rename('demo/Data', 'demo/Runs');
  server.save('demo/Runs/a.txt', 'of bob');
  document.path = 'demo/Runs/a.txt';
  await page.drive.documentMoved('demo/Data/a.txt', 'demo/Runs/a.txt');
  page.answers = ['cancel'];
  // JupyterLab would ask a question of its own, if it could tell the two versions apart.
  await assert.rejects(document.save('mine'), { name: 'ModalCancelError' });
  assert.equal(page.questions[0].conflict.saved_by, 'bob');
  assert.deepEqual(server.saves, [['demo/Runs/a.txt', 'v1', 'mine']]);
});

test('the other documents of a moved file follow it too', async () => {
  await openFile();
  const binary = await page.open('demo/a.txt', { type: 'file', format: 'base64' });
  await page.drive.documentMoved('demo/a.txt', 'demo/b.txt');
  assert.equal(binary.path, 'demo/b.txt');
});

test('of a rename by this page nobody is told twice', async () => {
  await openFile();
  const told = toldRenames();
  await page.drive.rename('demo/a.txt', 'demo/b.txt');
  await page.drive.documentMoved('demo/a.txt', 'demo/b.txt');
  assert.deepEqual(told, ['demo/a.txt > demo/b.txt']);
});

test('a move that is heard of during a save takes along the version that it made', async () => {
  const document = await openFile();
  let end;
  server.before = ({ method }) =>
    method === 'PUT' ? new Promise(resolve => (end = resolve)) : undefined;
  const saved = document.save('one');
  await soon();
  const moved = page.drive.documentMoved('demo/a.txt', 'demo/b.txt');
  end();
  await saved;
  server.rename('demo/a.txt', 'demo/b.txt');
  await moved;
  server.before = async () => undefined;
  await document.save('two');
  assert.deepEqual(server.saves[1], ['demo/b.txt', 'v2', 'two']);
});
