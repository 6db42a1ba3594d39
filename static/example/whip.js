/**
 * Publishing by WHIP (RFC 9725) and playing by WHEP: an offer by POST, an answer, DELETE at the end.
 * Who plays all asks the server for an offer, with what there is at that moment.
 */

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
    if ([...document.querySelectorAll('video')].some((video) => video.srcObject === stream))
        return;
    const video = document.createElement('video');
    video.autoplay = video.playsInline = true;
    // A page that plays without having been asked to may not make a sound.
    video.muted = own;
    video.controls = !own;
    video.srcObject = stream;
    find('#videos').append(video);
}

/** @param {RTCPeerConnection} peer Until all of its addresses are in its description. */
async function gathered(peer) {
    while (peer.iceGatheringState !== 'complete')
        await new Promise((done) =>
            peer.addEventListener('icegatheringstatechange', done, {once: true}));
}

/** @param {string} text @param {Response} response */
function check(text, {ok}) {
    if (!ok)
        throw new Error(text);
    return text;
}

/** @param {string} group @param {'whip' | 'whep' | 'all'} door @param {string} token */
async function begin(group, door, token) {
    const peer = new RTCPeerConnection();
    if (door === 'whip') {
        const media = await navigator.mediaDevices.getUserMedia({audio: true, video: true});
        for (const track of media.getTracks())
            peer.addTransceiver(track, {direction: 'sendonly', streams: [media]});
        show(media, true);
    } else {
        if (door === 'whep')
            for (const kind of ['audio', 'video'])
                peer.addTransceiver(kind, {direction: 'recvonly'});
        peer.ontrack = ({streams: [stream]}) => stream && show(stream, false);
    }
    peer.onconnectionstatechange = () => tell(peer.connectionState);
    /** @type {Record<string, string>} */
    const headers = token ? {authorization: `Bearer ${token}`} : {};
    const typed = {...headers, 'content-type': 'application/sdp'};
    const ours = async () => {
        await peer.setLocalDescription();
        await gathered(peer);
        return peer.localDescription?.sdp ?? '';
    };
    try {
        const [url, asked] = door === 'all' ? [`/group/${group}/.whep`, {headers}]
            : [`/group/${group}/.${door}`, {headers: typed, body: await ours()}];
        const response = await fetch(url, {method: 'POST', ...asked});
        const sdp = check(await response.text(), response);
        session = {peer, url: response.headers.get('location') ?? '', headers};
        await peer.setRemoteDescription({type: door === 'all' ? 'offer' : 'answer', sdp});
        if (door === 'all') {
            const answered = await fetch(session.url,
                {method: 'PATCH', headers: typed, body: await ours()});
            check(await answered.text(), answered);
        }
    } catch (error) {
        peer.close();
        throw error;
    }
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
        if (door === 'whip' || door === 'whep' || door === 'all')
            await begin(String(form.get('group')), door, String(form.get('token')));
    } catch (error) {
        tell(error instanceof Error ? error.message : String(error));
    }
});
