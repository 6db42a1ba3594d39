/** Publishing by WHIP (RFC 9725) and playing by WHEP: an offer by POST, an answer, DELETE at the end. */

/** @typedef {{peer: RTCPeerConnection, url: string, headers: Record<string, string>}} Session */

/** @template {Element} T @param {string} selector @returns {T} */
const find = (selector) => /** @type {T} */ (document.querySelector(selector));

/** @type {Session | null} */
let session = null;

/** @param {string} words */
function tell(words) {
    find('#state').textContent = words;
}

/** @param {MediaStream} stream @param {boolean} own */
function show(stream, own) {
    const video = document.createElement('video');
    video.autoplay = video.playsInline = true;
    // A page that plays without having been asked to may not make a sound.
    video.muted = own;
    video.controls = !own;
    video.srcObject = stream;
    find('#videos').replaceChildren(video);
}

/** @param {RTCPeerConnection} peer Until all of its addresses are in its description. */
async function gathered(peer) {
    while (peer.iceGatheringState !== 'complete')
        await new Promise((done) =>
            peer.addEventListener('icegatheringstatechange', done, {once: true}));
}

/** @param {string} group @param {'whip' | 'whep'} door @param {string} token */
async function begin(group, door, token) {
    const peer = new RTCPeerConnection();
    if (door === 'whip') {
        const media = await navigator.mediaDevices.getUserMedia({audio: true, video: true});
        for (const track of media.getTracks())
            peer.addTransceiver(track, {direction: 'sendonly', streams: [media]});
        show(media, true);
    } else {
        peer.addTransceiver('audio', {direction: 'recvonly'});
        peer.addTransceiver('video', {direction: 'recvonly'});
        peer.ontrack = ({streams: [stream]}) => stream && show(stream, false);
    }
    peer.onconnectionstatechange = () => tell(peer.connectionState);
    await peer.setLocalDescription();
    await gathered(peer);
    /** @type {Record<string, string>} */
    const headers = token ? {authorization: `Bearer ${token}`} : {};
    const response = await fetch(`/group/${group}/.${door}`, {
        method: 'POST', headers: {...headers, 'content-type': 'application/sdp'},
        body: peer.localDescription?.sdp ?? '',
    });
    const answer = await response.text();
    if (response.status !== 201) {
        peer.close();
        throw new Error(answer);
    }
    session = {peer, url: response.headers.get('location') ?? '', headers};
    await peer.setRemoteDescription({type: 'answer', sdp: answer});
}

async function end() {
    const old = session;
    session = null;
    find('#videos').replaceChildren();
    for (const {track} of old?.peer.getSenders() ?? [])
        track?.stop();
    old?.peer.close();
    if (old)
        await fetch(old.url, {method: 'DELETE', headers: old.headers});
}

find('#ask').addEventListener('submit', async (event) => {
    event.preventDefault();
    const {submitter, target} = /** @type {SubmitEvent} */ (event);
    const form = new FormData(/** @type {HTMLFormElement} */ (target), submitter);
    const door = form.get('door');
    try {
        await end();
        tell('Nothing yet.');
        if (door === 'whip' || door === 'whep')
            await begin(String(form.get('group')), door, String(form.get('token')));
    } catch (error) {
        tell(error instanceof Error ? error.message : String(error));
    }
});
