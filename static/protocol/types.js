/**
 * The shapes that travel on the wire, and those that callbacks are given. Types only.
 *
 * @typedef {object} User Somebody in the group.
 * @property {string} username
 * @property {string[]} permissions
 * @property {Record<string, any>} data What the user says about itself, such as a raised hand.
 * @property {Record<string, {audio: boolean, video: boolean}>} streams What is received from the
 *     user, by the label of the stream.
 *
 * @typedef {object} GroupStatus What `.status` and `joined` say about a group.
 * @property {string} name
 * @property {string} [location] The URL of its page.
 * @property {string} [endpoint] The URL of its WebSocket.
 * @property {string} [displayName]
 * @property {string} [description]
 * @property {string} [redirect]
 * @property {string} [authServer]
 * @property {string} [authPortal]
 * @property {boolean} [locked]
 * @property {number} [clientCount]
 * @property {boolean} [canChangePassword]
 *
 * @typedef {string | {type: 'password', password: string} | {type: 'token', token: string}}
 *     Credentials A bare string is a password.
 *
 * @typedef {'audio' | 'video' | 'video-low'} MediaRequest
 *
 * @typedef {object} Message Any message of the protocol.
 * @property {string} type
 * @property {string} [kind]
 * @property {string} [error]
 * @property {string} [id]
 * @property {string} [replace]
 * @property {string} [source]
 * @property {string} [dest]
 * @property {string} [username]
 * @property {string} [password]
 * @property {string} [token]
 * @property {boolean} [privileged]
 * @property {boolean} [noecho]
 * @property {string[]} [permissions]
 * @property {string} [group]
 * @property {any} [value]
 * @property {any} [data]
 * @property {any} [status]
 * @property {string | number} [time]
 * @property {string} [sdp]
 * @property {string} [label]
 * @property {RTCIceCandidateInit} [candidate]
 * @property {Record<string, MediaRequest[]> | MediaRequest[]} [request]
 * @property {RTCConfiguration} [rtcConfiguration]
 * @property {string[]} [version]
 * @property {string[]} [features]
 * @property {boolean} [operators]
 * @property {number} [width]
 * @property {number} [height]
 * @property {boolean} [priority]
 * @property {WatchedEncoding[]} [encodings]
 *
 * @typedef {object} WatchedEncoding An encoding that we send, and what of it can be made use of.
 * @property {string} mid Of its section.
 * @property {string} [rid] With simulcast.
 * @property {boolean} active Somebody watches it.
 * @property {number} [maxBitrate] Nobody who does has use for more, bit/s.
 *
 * @typedef {object} TrackStats The figures of one track, in {@link Stream#stats} by track id.
 * @property {'audio' | 'video'} kind
 * @property {number} timestamp When they were taken, ms.
 * @property {number} bytes Sent or received so far.
 * @property {number} rate Since the last time, bit/s.
 * @property {number} [packets] Sent or received so far.
 * @property {number} [packetsLost] So far.
 * @property {number} [loss] Since the last time, 0 to 1.
 * @property {number} [jitter] s
 * @property {number} [rtt] To the server and back, s.
 * @property {number} [width] Of the picture, px.
 * @property {number} [height]
 * @property {number} [framesPerSecond]
 * @property {number} [frames] Decoded so far.
 * @property {string} [codec] Such as `VP8`.
 * @property {number} [encodings] How many there are of the picture, of those sent.
 * @property {number} [paused] How many of them are paused, as nobody watches them.
 * @property {number} [totalAudioEnergy] Received so far.
 * @property {number} [totalSamplesDuration] Seconds of sound received so far.
 * @property {number} [audioEnergy] Average since the last time, the square of the volume.
 */

export {};
