import assert from 'node:assert/strict';
import { test } from 'node:test';

import { prepared } from '../lib/outputs/preparedMessages.js';
import { OwnComms } from '../lib/stream/ownComms.js';

const message = (msg_type, content, request) => ({
  header: { msg_id: 'x', msg_type },
  parent_header: { msg_id: request },
  content
});
const open = (comm_id, request) => message('comm_open', { comm_id, data: {} }, request);
const update = (comm_id, request) => message('comm_msg', { comm_id, data: { n: 1 } }, request);
const marked = message =>
  prepared(message, { kernel: 'k', journal: null, people: { process: 1, users: ['ben'] } });
const sent = (comms, msg_id, msg_type, content = {}) => comms.sent({ msg_id, msg_type }, content);

function ofAPage() {
  const comms = new OwnComms();
  sent(comms, 'mine', 'execute_request');
  return comms;
}

test('a page hears of comms that its own code opens, and of no others', () => {
  const comms = ofAPage();
  const own = open('a', 'mine');
  assert.equal(comms.given(own), own);
  for (const request of ['others', '', undefined]) {
    assert.equal(comms.given(open('b', request)), null);
  }
});

test('what others have the kernel say to one of its comms stays away', () => {
  const comms = ofAPage();
  comms.given(open('a', 'mine'));
  const own = update('a', 'mine');
  assert.equal(comms.given(own), own);
  assert.equal(comms.given(update('a', 'others')), null);
  assert.equal(comms.given(update('b', 'mine')), null);
});

test('what its widgets ask for is its own, also the widgets that follow', () => {
  const comms = ofAPage();
  comms.given(open('a', 'mine'));
  sent(comms, 'moved', 'comm_msg', { comm_id: 'a' });
  assert.notEqual(comms.given(update('a', 'moved')), null);
  assert.notEqual(comms.given(open('c', 'moved')), null);
});

test('what JupyterLab asks by itself makes nothing its own', () => {
  const comms = ofAPage();
  sent(comms, 'info', 'comm_info_request', {});
  sent(comms, 'control', 'comm_open', { comm_id: 'c', target_name: 'jupyter.widget.control' });
  sent(comms, 'states', 'comm_msg', { comm_id: 'c' });
  for (const request of ['info', 'control', 'states']) {
    assert.equal(comms.given(open('evil', request)), null);
    assert.equal(comms.given(update('evil', request)), null);
  }
});

test('of all comms and widgets of the kernel, it is told its own', () => {
  const comms = ofAPage();
  comms.given(open('a', 'mine'));
  const reply = message('comm_info_reply', { status: 'ok', comms: { a: {}, b: {} } }, 'info');
  assert.deepEqual(comms.given(reply).content, { status: 'ok', comms: { a: {} } });
  assert.deepEqual(reply.content.comms, { a: {}, b: {} }, 'the message is what it was');

  sent(comms, 'control', 'comm_open', { comm_id: 'c', target_name: 'jupyter.widget.control' });
  const data = { method: 'update_states', states: { a: { x: 1 }, b: { x: 2 } }, buffer_paths: [] };
  const states = message('comm_msg', { comm_id: 'c', data }, 'states');
  assert.deepEqual(comms.given(states).content, {
    comm_id: 'c',
    data: { method: 'update_states', states: { a: { x: 1 } }, buffer_paths: [] }
  });
});

test('answers without what they should hold do no harm', () => {
  const comms = ofAPage();
  sent(comms, 'control', 'comm_open', { comm_id: 'c', target_name: 'jupyter.widget.control' });
  for (const content of [{}, { comms: null }, { comms: 5 }]) {
    assert.deepEqual(comms.given(message('comm_info_reply', content, 'i')).content.comms, {});
  }
  assert.deepEqual(comms.given(message('comm_msg', { comm_id: 'c' }, 's')).content.data, {
    states: {}
  });
});

test('comms that the page opens itself are its own', () => {
  const comms = ofAPage();
  sent(comms, 'open', 'comm_open', { comm_id: 'p', target_name: 'jupyter.widget' });
  sent(comms, 'ask', 'comm_msg', { comm_id: 'p' });
  assert.notEqual(comms.given(update('p', 'ask')), null);
});

test('a page that is loaded again knows the comms that its cells have opened', () => {
  const kept = new Set();
  const before = ofAPage();
  before.keep(kept);
  before.given(open('a', 'mine'));
  before.given(open('b', 'others'));
  assert.deepEqual([...kept], ['a']);

  const comms = new OwnComms();
  comms.keep(kept);
  const reply = message('comm_info_reply', { status: 'ok', comms: { a: {}, b: {} } }, 'info');
  assert.deepEqual(comms.given(reply).content.comms, { a: {} });
  sent(comms, 'moved', 'comm_msg', { comm_id: 'a' });
  assert.notEqual(comms.given(update('a', 'moved')), null);
});

test('a request of an earlier page counts if its person has sent it', () => {
  const comms = ofAPage();
  comms.isEarlier = request => request === 'before';
  assert.notEqual(comms.given(open('a', 'before')), null);
  assert.equal(comms.given(open('b', 'others')), null);
});

test('once they are trusted, all pass', () => {
  const comms = ofAPage();
  comms.isTrusted = true;
  for (const one of [open('b', 'others'), update('b', 'others')]) {
    assert.equal(comms.given(one), one);
  }
});

test('who has waited for the list hears when it comes', () => {
  const comms = ofAPage();
  let told = 0;
  comms.told.connect(() => {
    told += 1;
  });
  comms.given(open('a', 'mine'));
  assert.equal(told, 0);
  const reply = message('comm_info_reply', { status: 'ok', comms: { b: {} } }, 'info');
  comms.given(marked(reply));
  assert.equal(told, 0);
  comms.given(reply);
  assert.equal(told, 1);
  comms.isTrusted = true;
  assert.equal(comms.given(reply), reply);
  assert.equal(told, 2);
});

test('while others may have prepared the kernel, a page hears not even of its own', () => {
  const comms = ofAPage();
  let heldBack = 0;
  comms.heldBack.connect(() => {
    heldBack += 1;
  });
  comms.given(open('a', 'mine'));
  sent(comms, 'control', 'comm_open', { comm_id: 'c', target_name: 'jupyter.widget.control' });
  const states = { method: 'update_states', states: { a: { state: {} } }, buffer_paths: [] };
  const info = marked(message('comm_info_reply', { status: 'ok', comms: { a: {} } }, 'info'));
  assert.equal(comms.given(marked(open('b', 'mine'))), null);
  assert.equal(comms.given(marked(update('a', 'mine'))), null);
  assert.deepEqual(comms.given(info).content, { status: 'ok', comms: {} });
  const told = marked(message('comm_msg', { comm_id: 'c', data: states }, 'control'));
  assert.deepEqual(comms.given(told).content.data.states, {});
  assert.equal(heldBack, 4);
  // Nothing of the user's own was in these.
  comms.given(marked(open('d', 'others')));
  comms.given(marked(update('b', 'mine')));
  assert.equal(heldBack, 4);
});

test('what was held back is the page’s own once its user trusts the others', () => {
  const comms = ofAPage();
  comms.given(marked(open('b', 'mine')));
  comms.given(marked(open('d', 'others')));
  assert.equal(comms.given(update('b', 'mine')), null);
  comms.admitHeldBack();
  assert.notEqual(comms.given(update('b', 'mine')), null);
  const reply = message('comm_info_reply', { comms: { b: {}, d: {} } }, 'info');
  assert.deepEqual(comms.given(reply).content.comms, { b: {} });
});

test('trust in a notebook ends when another person uses its kernel', () => {
  const comms = ofAPage();
  comms.isTrusted = true;
  comms.trustOnly(true);
  assert.ok(comms.isTrusted);
  comms.trustOnly(false);
  assert.ok(!comms.isTrusted);
});

test('where no output may act as the user, no widget does', () => {
  const comms = ofAPage();
  comms.isShut = true;
  comms.isTrusted = true;
  for (const request of ['mine', 'others']) {
    assert.equal(comms.given(open('a', request)), null);
    assert.equal(comms.given(update('a', request)), null);
  }
  const reply = message('comm_info_reply', { status: 'ok', comms: { a: {} } }, 'info');
  assert.deepEqual(comms.given(reply).content.comms, {});
});

test('a request that goes on stays known, however many others follow', () => {
  const comms = ofAPage();
  comms.given(open('a', 'mine'));
  for (let number = 0; number < 15_000; number += 1) {
    sent(comms, `moved-${number}`, 'comm_msg', { comm_id: 'a' });
    if (number % 5_000 === 0) {
      assert.notEqual(comms.given(update('a', 'mine')), null);
    }
  }
  assert.notEqual(comms.given(update('a', 'mine')), null);
  assert.equal(comms.given(update('a', 'moved-0')), null);
});

test('all other messages pass', () => {
  const comms = new OwnComms();
  for (const type of ['stream', 'display_data', 'status', 'execute_reply', 'comm_close']) {
    const one = message(type, {}, 'others');
    assert.equal(comms.given(one), one);
  }
});
