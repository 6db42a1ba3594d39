/** Sums over the tracks that the server's API lists. */

/**
 * @typedef {{streams: number, bitrate: number, loss: number}} Sum bit/s; the worst loss, 0 to 1.
 * @typedef {{name: string, clients: {id: string, up: Sum, down: Sum}[]}} GroupFigures
 */

/**
 * @param {any} group One of `.stats`.
 * @returns {GroupFigures}
 */
export function figuresOf(group) {
    return {
        name: String(group?.name ?? ''),
        clients: (group?.clients ?? []).map((/** @type {any} */ client) => ({
            id: String(client?.id ?? ''), up: sum(client?.up), down: sum(client?.down),
        })),
    };
}

/** @param {any[] | undefined} streams @returns {Sum} */
function sum(streams = []) {
    const tracks = streams.flatMap((stream) => stream?.tracks ?? []);
    return {
        streams: streams.length,
        bitrate: tracks.reduce((all, {bitrate}) => all + (bitrate ?? 0), 0),
        loss: tracks.reduce((worst, {loss}) => Math.max(worst, loss ?? 0), 0),
    };
}
