// A server's serial console in a browser: xterm.js on one side, the serial proxy's WebSocket on the other.
//
// Why a handshake was refused is hidden from pages, so the proxy is asked before every connection who the token's
// server is; its answer says what is wrong with the token. While the server does not run, the console log is shown.

import { Terminal } from './xterm.mjs';
import { FitAddon } from './addon-fit.mjs';

const GOING_AWAY = 1001, EXPIRED = 1008, TRY_LATER = 1013;  // as in proxy.py
const RETRY_AFTER = [1, 2, 4, 8, 15];  // seconds; the last one again and again
const LARGEST_MESSAGE = 16384;  // bytes; the proxy takes no more than 65536 at once

const base = new URL('.', location.href);
const token = new URLSearchParams(location.search).get('token') ?? '';
const [server, status, reconnect, size] = ['server', 'status', 'reconnect', 'size'].map((id) => document.getElementById(id));

// Nothing that a guest writes is made into a link: who follows one should have typed it.
const terminal = new Terminal({ cursorBlink: true, scrollback: 10000, linkHandler: { activate() {} }, theme: { background: '#14161a' } });
const fit = new FitAddon();
terminal.loadAddon(fit);
terminal.open(document.getElementById('terminal'));
new ResizeObserver(() => fit.fit()).observe(document.getElementById('terminal'));

let socket = null, timer = 0, failures = 0;

function say(state, text, { again = false } = {}) {
  status.dataset.state = state;
  status.textContent = text;
  reconnect.hidden = !again;
  size.disabled = terminal.options.disableStdin = state !== 'open';
}

function ask(what) {
  return fetch(new URL(`console/${what}?token=${encodeURIComponent(token)}`, base), { cache: 'no-store' });
}

function retry() {
  const seconds = RETRY_AFTER[Math.min(failures++, RETRY_AFTER.length - 1)];
  say('waiting', `The connection is lost. Trying again in ${seconds} s`, { again: true });
  timer = setTimeout(connect, seconds * 1000);
}

async function showPast(why) {
  const answer = await ask('log').catch(() => null);
  if (!answer?.ok) return retry();
  terminal.reset();
  terminal.write(new Uint8Array(await answer.arrayBuffer()));
  say('closed', `${why} This is what it wrote; Enter or Reconnect looks again.`, { again: true });
}

async function connect() {
  clearTimeout(timer);
  timer = 0;
  say('waiting', 'Connecting');
  const answer = await ask('server').catch(() => null);
  if (!answer) return retry();
  if (!answer.ok) return say('closed', (await answer.text()).trim(), { again: answer.status !== 403 });
  const found = await answer.json();
  server.textContent = found.name;
  document.title = `${found.name} – console`;

  const target = new URL(`?token=${encodeURIComponent(token)}`, base);
  target.protocol = base.protocol === 'https:' ? 'wss:' : 'ws:';
  socket = new WebSocket(target, 'binary');
  socket.binaryType = 'arraybuffer';
  socket.onopen = () => {
    failures = 0;
    terminal.reset();  // the proxy begins with the last lines again
    say('open', 'Connected');
    terminal.focus();
  };
  socket.onmessage = (message) => terminal.write(new Uint8Array(message.data));
  socket.onclose = ({ code, reason }) => {
    socket = null;
    if (code === TRY_LATER) return showPast(`${capital(reason)}.`);
    if (code === EXPIRED) return say('closed', `${capital(reason)}; ask for a new console URL.`);
    if (code === GOING_AWAY && reason) return say('closed', `${capital(reason)}. Enter or Reconnect looks again.`, { again: true });
    retry();
  };
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function send(bytes) {
  if (socket?.readyState !== WebSocket.OPEN) return;
  for (let start = 0; start < bytes.length; start += LARGEST_MESSAGE) socket.send(bytes.subarray(start, start + LARGEST_MESSAGE));
}

const encoder = new TextEncoder();
terminal.onData((text) => send(encoder.encode(text)));
terminal.onBinary((text) => send(Uint8Array.from(text, (character) => character.charCodeAt(0))));
terminal.attachCustomKeyEventHandler((event) => {
  if (event.type === 'keydown' && event.key === 'Enter' && !reconnect.hidden) {
    reconnect.click();
    return false;
  }
  return true;
});
size.onclick = () => {
  send(encoder.encode(`stty rows ${terminal.rows} cols ${terminal.cols}\r`));
  terminal.focus();
};
reconnect.onclick = () => {
  terminal.focus();
  connect();
};
connect();
