/** @import {Stream} from './stream.js' */

/** Offers, answers and candidates of one stream, in their order. */
export class Negotiation {
    /** @param {Stream} stream */
    constructor(stream) {
        this.stream = stream;
        /** Candidates that came before the description. @type {RTCIceCandidateInit[]} */
        this.early = [];
        /** One step after the other. @type {Promise<void>} */
        this.queue = Promise.resolve();
    }

    /**
     * Runs `step` after those before it; a failure is told and ends the stream.
     *
     * @private
     * @param {() => Promise<void>} step
     * @returns {Promise<void>}
     */
    next(step) {
        const {stream} = this;
        this.queue = this.queue.then(async () => {
            // Another peer connection has taken over, or will.
            if (stream.isClosed || stream.negotiation !== this || stream.isSuspended)
                return;
            try {
                await step();
            } catch (error) {
                if (stream.isClosed || stream.negotiation !== this || stream.isSuspended)
                    return;
                try {
                    stream.onerror?.call(stream, error);
                } finally {
                    stream.abort();
                    stream.close();
                }
            }
        });
        return this.queue;
    }

    /** Offers what there is to send, anew if it was offered before. */
    offer() {
        const {stream} = this;
        const {sc, pc, id} = stream;
        return this.next(async () => {
            // Asked again by the peer connection once the answer is there.
            if (pc.signalingState !== 'stable')
                return;
            await pc.setLocalDescription();
            if (stream.isClosed)
                return;
            stream.offered = sc.send({
                type: 'offer', id, label: stream.label, source: sc.id,
                username: sc.username ?? undefined,
                replace: stream.offered ? undefined : stream.replaces,
                sdp: pc.localDescription?.sdp,
            }) || stream.offered;
        });
    }

    /**
     * The server answered our offer.
     *
     * @param {string} sdp
     */
    answered(sdp) {
        const {stream} = this;
        return this.next(async () => {
            await stream.pc.setRemoteDescription({type: 'answer', sdp});
            await this.addEarly();
            void stream.watched.apply();
            stream.onnegotiationcompleted?.call(stream);
        });
    }

    /**
     * Answers an offer of the server.
     *
     * @param {string} sdp
     */
    accept(sdp) {
        const {stream} = this;
        const {sc, pc, id} = stream;
        return this.next(async () => {
            await pc.setRemoteDescription({type: 'offer', sdp});
            await this.addEarly();
            await pc.setLocalDescription();
            if (stream.isClosed)
                return;
            sc.send({type: 'answer', id, sdp: pc.localDescription?.sdp});
            stream.onnegotiationcompleted?.call(stream);
        });
    }

    /** @param {RTCIceCandidateInit} candidate One of the server's. */
    async addCandidate(candidate) {
        const {stream} = this;
        if (!stream.pc.remoteDescription) {
            this.early.push(candidate);
            return;
        }
        try {
            await stream.pc.addIceCandidate(candidate);
        } catch (error) {
            // One bad candidate is no reason to lose the others, nor is one of an old generation.
            if (!stream.isClosed)
                console.warn('Candidate refused', candidate.candidate, error);
        }
    }

    /** @private */
    async addEarly() {
        for (const candidate of this.early.splice(0))
            await this.addCandidate(candidate);
    }
}
