/**
 * Runs in the page before its own scripts: keeps what the page does not show, the peer
 * connections, the times of answers and first pictures, and what was shown for a while. It changes
 * nothing.
 */
export function observe() {
    /** @type {any} */
    const w = window;
    w.observed = {peers: [], offers: {}, answers: {}, pictures: [], gone: [],
        seen: new Set()};
    const Peer = w.RTCPeerConnection;
    w.RTCPeerConnection = class extends Peer {
        /** @param {any[]} args */
        constructor(...args) {
            super(...args);
            w.observed.peers.push(this);
        }
    };
    const Socket = w.WebSocket;
    w.WebSocket = class extends Socket {
        /** @param {any[]} args */
        constructor(...args) {
            super(...args);
            this.addEventListener('message', (/** @type {MessageEvent} */ event) => {
                const message = JSON.parse(event.data);
                if (message.type === 'offer')
                    w.observed.offers[message.id] = message.username;
            });
        }
    };
    const {send} = WebSocket.prototype;
    WebSocket.prototype.send = function(/** @type {any} */ data) {
        const message = JSON.parse(String(data));
        if (message.type === 'answer')
            w.observed.answers[message.id] ??= performance.now();
        return send.call(this, data);
    };
    // The first decoded picture of each video; media events reach a capturing listener only.
    document.addEventListener('loadeddata', (event) => {
        const video = event.target;
        if (video instanceof HTMLVideoElement && video.videoWidth > 0)
            w.observed.pictures.push({at: performance.now(),
                label: video.closest('.tile')?.getAttribute('aria-label')});
    }, true);
    document.addEventListener('resize', (event) => {
        const video = event.target;
        if (video instanceof HTMLVideoElement && video.videoWidth > 0)
            w.observed.pictures.push({at: performance.now(),
                label: video.closest('.tile')?.getAttribute('aria-label')});
    }, true);
    // What goes away by itself, before a slow machine has looked.
    new MutationObserver((records) => {
        for (const {target, removedNodes} of records) {
            if (target instanceof Element && ['notices', 'transfers', 'captions'].includes(target.id))
                w.observed.gone.push(...removedNodes);
        }
    }).observe(document, {childList: true, subtree: true});
}
