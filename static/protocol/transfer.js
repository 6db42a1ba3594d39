/** @import {ServerConnection} from './connection.js' */

import {FileReceiver, FileSender} from './filechannel.js';
import {randomId} from './id.js';

/** The version of the transfer protocol that we speak. */
export const VERSION = '1';

/** @typedef {'' | 'inviting' | 'connecting' | 'connected' | 'done' | 'cancelled' | 'closed'}
 *     TransferState */

/**
 * A file on its way between two people, directly from browser to browser.
 *
 * `'' → inviting → connecting → connected → done → closed`; from any state `→ cancelled → closed`.
 */
export class TransferredFile {
    /**
     * Made by `sendFile` and by the invitations of others only.
     *
     * @param {ServerConnection} sc
     * @param {string} userid The client id of the other.
     * @param {string} id
     * @param {boolean} up We send it.
     * @param {{name: string, size: number, mimetype: string, username: string}} what
     */
    constructor(sc, userid, id, up, {name, size, mimetype, username}) {
        this.sc = sc;
        this.userid = userid;
        this.id = id;
        this.up = up;
        /** Who the other is. */
        this.username = username;
        this.name = name;
        this.size = size;
        this.mimetype = mimetype;
        /** @type {TransferState} */
        this.state = '';
        /** Bytes that have gone over. */
        this.datalen = 0;
        /** What is sent. @type {File | null} */
        this.file = null;
        /** Why it was cancelled. @type {string} */
        this.error = '';
        /** @type {RTCPeerConnection | null} */
        this.pc = null;
        /** The state changed, or something arrived; `data` is the file, when it is `done` and was
         * received without a sink of its own.
         * @type {null | ((state: TransferState, data?: any) => void)} */
        this.onevent = null;
        /** @private @type {RTCIceCandidateInit[]} */
        this.early = [];
        /** @private @type {FileReceiver | FileSender | null} */
        this.channel = null;
        sc.transferredFiles[this.fullId()] = this;
    }

    /** Names it among all of a connection. */
    fullId() {
        return `${this.userid}-${this.id}`;
    }

    /**
     * Offers a file.
     *
     * @param {ServerConnection} sc
     * @param {string} userid
     * @param {File} file
     */
    static offer(sc, userid, file) {
        const transfer = new TransferredFile(sc, userid, randomId(), true, {
            name: file.name, size: file.size, mimetype: file.type,
            username: sc.users[userid]?.username ?? '',
        });
        transfer.file = file;
        try {
            sc.onfiletransfer?.call(sc, transfer);
        } catch (error) {
            transfer.cancel(String(error));
            return transfer;
        }
        if (transfer.state !== '')
            return transfer;
        transfer.tell({type: 'invite', version: [VERSION], name: transfer.name,
            size: transfer.size, mimetype: transfer.mimetype});
        transfer.event('inviting');
        return transfer;
    }

    /**
     * Accepts the file. Give a sink for what may be larger than memory; it is closed when the file
     * is whole, and aborted when it is cancelled.
     *
     * @param {WritableStream<Uint8Array>} [sink]
     */
    async receive(sink) {
        if (this.up || this.state !== 'inviting')
            throw new Error(`cannot receive a file that is ${this.state || 'sent'}`);
        const pc = this.connect();
        this.event('connecting');
        const channel = pc.createDataChannel('file');
        this.channel = new FileReceiver(this, channel, sink ?? null);
        try {
            await pc.setLocalDescription();
            this.tell({type: 'offer', version: [VERSION], sdp: pc.localDescription?.sdp});
        } catch (error) {
            this.cancel(String(error));
        }
    }

    /**
     * Ends it before it is done, here and at the other side.
     *
     * @param {string} [reason]
     */
    cancel(reason = '') {
        if (this.ended)
            return;
        this.tell({type: 'cancel', message: reason || undefined});
        this.cancelled(reason);
    }

    /** @param {string} reason */
    cancelled(reason) {
        if (this.ended)
            return;
        this.error = reason;
        this.event('cancelled', reason);
        this.close();
    }

    /** It is done, cancelled or closed. */
    get ended() {
        return ['done', 'cancelled', 'closed'].includes(this.state);
    }

    /** Lets go of everything. */
    close() {
        if (this.state === 'closed')
            return;
        const whole = this.state === 'done';
        this.channel?.close(whole);
        this.pc?.close();
        this.pc = null;
        delete this.sc.transferredFiles[this.fullId()];
        if (!whole && this.state !== 'cancelled')
            this.event('cancelled', this.error);
        this.event('closed');
    }

    /** @param {TransferState} state @param {any} [data] */
    event(state, data) {
        this.state = state;
        this.onevent?.call(this, state, data);
    }

    /** @private @param {Record<string, any>} value */
    tell(value) {
        this.sc.userMessage('filetransfer', this.userid, {...value, id: this.id});
    }

    /** @private */
    connect() {
        const pc = this.pc = new RTCPeerConnection(this.sc.rtcConfiguration ?? {});
        pc.onicecandidate = ({candidate}) => {
            if (candidate)
                this.tell({type: 'ice', candidate: candidate.toJSON()});
        };
        pc.onconnectionstatechange = () => {
            if (pc.connectionState === 'failed')
                this.cancel('connection failed');
        };
        return pc;
    }

    /**
     * The other side said something about it.
     *
     * @param {Record<string, any>} value
     */
    async heard(value) {
        switch (value['type']) {
        case 'offer': {
            if (!this.up || this.state !== 'inviting' || !this.file)
                return;
            const pc = this.connect();
            this.event('connecting');
            pc.ondatachannel = ({channel}) => {
                if (this.file)
                    this.channel = new FileSender(this, channel, this.file);
            };
            await pc.setRemoteDescription({type: 'offer', sdp: value['sdp']});
            await this.addEarly();
            await pc.setLocalDescription();
            this.tell({type: 'answer', sdp: pc.localDescription?.sdp});
            break;
        }
        case 'answer':
            await this.pc?.setRemoteDescription({type: 'answer', sdp: value['sdp']});
            await this.addEarly();
            break;
        case 'ice':
            if (this.pc?.remoteDescription)
                await this.pc.addIceCandidate(value['candidate']);
            else
                this.early.push(value['candidate']);
            break;
        case 'cancel':
            this.cancelled(String(value['message'] ?? ''));
            break;
        }
    }

    /** @private */
    async addEarly() {
        for (const candidate of this.early.splice(0))
            await this.pc?.addIceCandidate(candidate);
    }
}
