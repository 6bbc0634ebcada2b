'use strict';
// Reads the public status API and nothing else; text only ever enters the page as text nodes.
const $ = id => document.getElementById(id);
const period = 2000;
let previous = null, shownAt = 0;

const bytes = n => {
  if (n === null || n === undefined) return 'unknown';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let i = 0;
  while (n >= 1024 && i < units.length - 1) { n /= 1024; i++; }
  return (i === 0 ? n : n.toFixed(n < 10 ? 2 : 1)) + ' ' + units[i];
};
const count = (n, unit) => n.toLocaleString('en') + ' ' + unit;
const share = (part, whole) => whole > 0 ? (100 * part / whole).toFixed(1) + ' %' : '–';
const sum = (rows, name) => rows.reduce((total, row) => total + (row[name] || 0), 0);
const cell = (text, kind) => ({ text, kind });

function element(name, text, kind) {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  if (kind) node.className = kind;
  return node;
}

function table(target, heads, rows) {
  const head = element('tr');
  heads.forEach(h => head.append(element('th', h.text, h.kind)));
  const body = rows.map(cells => {
    const row = element('tr');
    cells.forEach(c => {
      const data = element('td', c.text, c.kind);
      if (c.meter !== undefined) {
        const meter = element('meter');
        meter.value = c.meter;
        data.append(' ', meter);
      }
      row.append(data);
    });
    return row;
  });
  target.replaceChildren(head, ...body);
}

function show(status) {
  const now = performance.now(), mounts = status.mountPoints, hit = sum(mounts, 'hitBytes'), miss = sum(mounts, 'missBytes');
  const source = sum(mounts, 'underStoreBytesRead');
  const seconds = previous ? (now - previous.now) / 1000 : 0;
  const rate = (value, before) => previous && seconds > 0 ? bytes(Math.max(0, value - before) / seconds) + '/s' : '…';
  const tiles = [
    ['Served', rate(hit + miss, previous && previous.served)], ['From sources', rate(source, previous && previous.source)],
    ['Hit ratio by bytes', share(hit, hit + miss)], ['Served since start', bytes(hit + miss)],
    ['Cached', bytes(sum(status.tiers, 'usedBytes')) + ' of ' + bytes(sum(status.tiers, 'quotaBytes'))],
    ['Memory', bytes(status.residentBytes) + ' of ' + bytes(status.memoryLimitBytes)],
  ];
  previous = { now, served: hit + miss, source };
  shownAt = now;
  $('tiles').replaceChildren(...tiles.map(([name, value]) => {
    const tile = element('div', undefined, 'tile');
    tile.append(element('span', name), element('strong', value));
    return tile;
  }));
  const up = Math.max(0, Math.round((Date.now() - Date.parse(status.startedAt)) / 1000));
  $('summary').textContent = 'version ' + status.version + ', up ' + Math.floor(up / 3600) + ' h ' + Math.floor(up / 60) % 60 + ' min ' + up % 60 + ' s';
  table($('mounts'), [cell('Name'), cell('Source', 'text'), cell('Hit ratio'), cell('From cache'), cell('From source'), cell('Requests to source'),
    cell('Errors'), cell('Cached'), cell('Of total'), cell('Last error', 'text')],
    mounts.map(m => [cell(m.name), cell(m.source, 'text'), cell(share(m.hitBytes, m.hitBytes + m.missBytes)), cell(bytes(m.hitBytes)),
      cell(bytes(m.underStoreBytesRead)), cell(count(m.underStoreRequests, 'req')), cell(count(m.underStoreErrors, 'req')), cell(bytes(m.cachedBytes)),
      cell(m.totalBytes === null ? 'not listed yet' : share(m.cachedBytes, m.totalBytes) + ' of ' + bytes(m.totalBytes)), cell(m.lastError || '', 'text bad')]));
  table($('tiers'), [cell('Directory'), cell('Medium', 'text'), cell('Used'), cell('Objects'), cell('Evicted'), cell('Promoted'), cell('Demoted'), cell('Served through'),
    cell('Corrupt'), cell('I/O errors'), cell('State', 'text')],
    status.tiers.map(t => [cell(t.directory), cell(t.medium, 'text'),
      { text: bytes(t.usedBytes) + ' of ' + bytes(t.quotaBytes), meter: t.quotaBytes > 0 ? t.usedBytes / t.quotaBytes : 0 },
      cell(count(t.objects, 'obj')), cell(bytes(t.evictedBytes)), cell(bytes(t.promotedBytes)), cell(bytes(t.demotedBytes)),
      cell(bytes(t.bypassedBytes)), cell(count(t.corruptPages, 'pages')),
      cell(count(t.ioErrors, 'errors')), cell(t.state, t.state === 'ok' ? 'text' : 'text bad')]));
  $('signin').hidden = true;
  $('status').hidden = false;
}

const hex = buffer => Array.from(new Uint8Array(buffer), b => b.toString(16).padStart(2, '0')).join('');
const utf8 = text => new TextEncoder().encode(text);
const sha256 = async text => hex(await crypto.subtle.digest('SHA-256', utf8(text)));
async function hmac(key, text) {
  const imported = await crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  return crypto.subtle.sign('HMAC', imported, utf8(text));
}

// AWS Signature Version 4 of a GET without query, as the command line signs.
async function sign(url, id, secret) {
  if (!globalThis.crypto || !crypto.subtle) throw new Error('this browser signs only on 127.0.0.1, localhost or https; use the admin token here');
  const date = new Date().toISOString().replace(/[-:]|\.\d+/g, ''), empty = await sha256('');
  const scope = date.slice(0, 8) + '/local/forebay/aws4_request', names = 'host;x-amz-content-sha256;x-amz-date';
  const canonical = ['GET', url.pathname, '', 'host:' + url.host, 'x-amz-content-sha256:' + empty, 'x-amz-date:' + date, '', names, empty].join('\n');
  let key = utf8('AWS4' + secret);
  for (const part of scope.split('/')) key = await hmac(key, part);
  const signature = hex(await hmac(key, ['AWS4-HMAC-SHA256', date, scope, await sha256(canonical)].join('\n')));
  return { 'x-amz-date': date, 'x-amz-content-sha256': empty,
    authorization: 'AWS4-HMAC-SHA256 Credential=' + id + '/' + scope + ',SignedHeaders=' + names + ',Signature=' + signature };
}

async function poll() {
  const token = sessionStorage.getItem('forebay-token'), id = sessionStorage.getItem('forebay-key');
  try {
    const url = new URL('api/v1/status', location.href);
    const headers = !token ? {} : id ? await sign(url, id, token) : { authorization: 'Bearer ' + token };
    const answer = await fetch(url, { headers, cache: 'no-store' });
    if (answer.status === 401) {
      $('signin').hidden = false;
      $('status').hidden = true;
      $('summary').textContent = token ? (id ? 'the key pair is not this node’s' : 'the token is not this node’s') : 'sign in to see the status';
      sessionStorage.removeItem('forebay-token');
      sessionStorage.removeItem('forebay-key');
      return;
    }
    const body = await answer.json();
    if (!answer.ok) throw new Error(body.error.message);
    show(body);
  } catch (error) {
    $('summary').textContent = 'no answer from the node: ' + error.message;
  }
  setTimeout(poll, period);
}

setInterval(() => { if (shownAt) $('age').textContent = 'figures ' + ((performance.now() - shownAt) / 1000).toFixed(0) + ' s old'; }, 1000);
$('signin').addEventListener('submit', event => {
  event.preventDefault();
  sessionStorage.setItem('forebay-key', $('key').value.trim());
  sessionStorage.setItem('forebay-token', $('token').value);
  $('token').value = '';
  poll();
});
poll();
