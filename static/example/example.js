/** The smallest client that is of use: joins, sends the camera, shows the others, chats. */

import {ServerConnection} from '../protocol.js';

/** @import {Stream} from '../protocol.js' */

/** @template {Element} T @param {string} selector @returns {T} */
const find = (selector) => /** @type {T} */ (document.querySelector(selector));

/** @type {ServerConnection | null} */
let connection = null;

/** @param {string} words */
function tell(words) {
    find('#state').textContent = words;
}

/** @param {MediaStream} stream @param {boolean} own */
function show(stream, own) {
    const video = document.createElement('video');
    video.autoplay = video.playsInline = true;
    video.muted = own;
    video.srcObject = stream;
    find('#videos').append(video);
    return video;
}

/** @param {string} who @param {string} words */
function write(who, words) {
    const line = document.createElement('li');
    line.textContent = `${who}: ${words}`;
    find('#chat').append(line);
}

/** @param {ServerConnection} sc */
async function sendCamera(sc) {
    const media = await navigator.mediaDevices.getUserMedia({audio: true, video: true});
    const stream = sc.newUpStream();
    stream.label = 'camera';
    for (const track of media.getTracks())
        stream.addTrack(track);
    const video = show(media, true);
    stream.onclose = () => video.remove();
}

/** @param {Stream} stream Somebody's. */
function receive(stream) {
    /** @type {HTMLVideoElement | null} */
    let video = null;
    stream.ondowntrack = () => video ??= show(stream.stream, false);
    stream.onclose = () => video?.remove();
}

/** @param {string} group @param {string} username @param {string} password */
async function join(group, username, password) {
    const response = await fetch(`/group/${group}/.status`);
    if (!response.ok)
        throw new Error(`${response.status} ${response.statusText}`);
    const status = await response.json();

    const sc = connection = new ServerConnection();
    sc.reconnect = true;
    sc.onconnected = () => sc.join(status.name, username, {type: 'password', password});
    sc.onreconnecting = () => tell('Connection lost, trying again…');
    sc.onclose = (_code, reason) => {
        tell(`Closed. ${reason}`);
        find('#say').toggleAttribute('hidden', true);
    };
    sc.ondownstream = receive;
    sc.onchat = (_id, _source, _dest, who, _time, _privileged, _history, _kind, message) =>
        write(who, String(message));
    sc.onjoined = (kind, _group, permissions, _status, _data, _error, message) => {
        if (kind === 'fail') {
            tell(`Refused: ${message}`);
        } else if (kind === 'join') {
            tell(`In ${status.displayName || status.name} as ${sc.username}.`);
            find('#say').removeAttribute('hidden');
            sc.request({'': ['audio', 'video']});
            if (permissions.includes('present') && Object.keys(sc.up).length === 0)
                sendCamera(sc).catch((error) => tell(String(error)));
        }
    };
    sc.connect(status.endpoint);
}

find('#join').addEventListener('submit', (event) => {
    event.preventDefault();
    const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
    connection?.close();
    join(String(form.get('group')), String(form.get('username')), String(form.get('password')))
        .catch((error) => tell(String(error)));
});

find('#say').addEventListener('submit', (event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    connection?.chat('', '', String(new FormData(form).get('message')));
    form.reset();
});
