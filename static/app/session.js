/** @import {Credentials, GroupStatus, MediaRequest} from '../protocol/types.js' */
/** @import {Stream, TransferredFile} from '../protocol.js' */
/** @import {ChatMessage} from './logic/chatlog.js' */
/** @import {Ban, Speaker, Token, Waiting} from './hear.js' */
/** @import {Kick, Refusal} from './logic/refusal.js' */

import {ServerConnection} from '../protocol.js';
import {hear, hearChat} from './hear.js';
import {ChatLog} from './logic/chatlog.js';
import {Emitter} from './logic/emitter.js';
import {LoginError} from './logic/login.js';
import {displayName} from './logic/names.js';
import {ending, passes, refusal} from './logic/refusal.js';
import {Roster} from './roster.js';
import {text} from './text/text.js';

/** @typedef {'idle' | 'joining' | 'joined' | 'reconnecting'} State */
/** @typedef {'info' | 'warning' | 'error'} Level */

/**
 * Being in a meeting, from joining to the end of it; knows nothing of the page.
 *
 * @extends {Emitter<{
 *     state: [State],
 *     reconnected: [],
 *     refused: [Refusal],
 *     waiting: [message: string],
 *     lobby: [Waiting[]],
 *     speakers: [Speaker[]],
 *     token: [message: any, error: string],
 *     tokens: [Token[], error: string],
 *     ban: [Ban],
 *     bans: [Ban[]],
 *     caption: [name: string, words: string],
 *     ended: [message: string, wanted: boolean],
 *     redirect: [url: string],
 *     status: [GroupStatus],
 *     permissions: [now: string[], before: string[] | null],
 *     people: [],
 *     came: [name: string],
 *     went: [name: string],
 *     hand: [name: string],
 *     chat: [ChatMessage],
 *     chatcleared: [],
 *     stream: [Stream],
 *     transfer: [TransferredFile],
 *     mute: [by: string],
 *     notice: [message: string, level: Level],
 * }>}
 */
export class Session extends Emitter {
    /** @param {GroupStatus} status Of the group to join. */
    constructor(status) {
        super();
        this.status = status;
        /** @type {State} */
        this.state = 'idle';
        this.connection = new ServerConnection();
        this.chatLog = new ChatLog();
        /** Why we are about to be sent away. @type {Kick | null} */
        this.kick = null;
        /** @private The end is our doing. */
        this.leaving = false;
        this.roster = new Roster(this);
        /** Who waits to come in. @type {Waiting[]} */
        this.lobby = [];
        /** Every id that was ours: it is another after coming back. @type {Set<string>} */
        this.ownIds = new Set();
    }

    /** We are in, or about to be again. */
    get isIn() {
        return this.state === 'joined' || this.state === 'reconnecting';
    }

    get permissions() {
        // While the connection is lost nobody has taken them away.
        return this.state === 'reconnecting' ? this.lastPermissions : this.connection.permissions;
    }

    /**
     * Answered by `state: joined`, `refused` or `ended`.
     *
     * @param {string} username
     * @param {Credentials | (() => Promise<Credentials>)} credentials A function is asked each
     *     time anew, for what does not last.
     */
    join(username, credentials) {
        const sc = this.connection = new ServerConnection();
        this.kick = null;
        this.leaving = false;
        this.setState('joining');
        sc.reconnect = true;
        sc.features = ['lobby', 'ban', 'speakers', 'window', 'encodings'];
        let withToken = false;

        sc.onconnected = async () => {
            try {
                const given = typeof credentials === 'function' ? await credentials() : credentials;
                withToken = typeof given === 'object' && given.type === 'token';
                this.ownIds.add(sc.id);
                sc.join(this.status.name, username, given);
            } catch (error) {
                this.refuse({message: error instanceof Error ? error.message : String(error),
                    field: error instanceof LoginError ? 'password' : null});
            }
        };
        sc.onreconnecting = () => this.setState('reconnecting');
        sc.onreconnected = () => this.emit('reconnected');
        sc.onfiletransfer = (transfer) => this.emit('transfer', transfer);
        sc.onerror = (error) => this.emit('notice', String(error), 'error');
        sc.onclose = (code, reason) => this.closed(code, reason);
        sc.onuser = (id, kind) => this.roster.changed(id, kind);
        sc.ondownstream = (stream) => this.emit('stream', stream);
        sc.onjoined = (kind, _group, permissions, status, _data, error, message) => {
            if (kind === 'fail' && this.state === 'reconnecting' && passes(error, message)) {
                sc.retry();
            } else if (kind === 'fail') {
                this.refuse(refusal(error, message, withToken));
            } else if (kind === 'wait') {
                this.emit('waiting', text(sc.operatorsPresent ? 'lobby.waiting'
                    : 'lobby.waiting.alone'));
            } else if (kind === 'redirect') {
                this.leaving = true;
                sc.close();
                this.emit('redirect', message);
            } else if (kind === 'join' || kind === 'change') {
                this.joined(kind, permissions, status);
            }
        };
        sc.onchat = (id, source, dest, username, time, privileged, history, kind, message) =>
            hearChat(this, {id, source, dest, username, time, privileged, history, kind, message});
        sc.onclearchat = (id, userId) => {
            this.chatLog.clear(id, userId);
            this.emit('chatcleared');
        };
        sc.onusermessage = (source, _dest, name, _time, privileged, kind, error, message) => {
            // Anybody can send these kinds; only the server and operators are believed.
            if (privileged)
                hear(this, {source, username: name, kind, error, message});
        };
        sc.connect(this.status.endpoint ?? '');
    }

    /** @private @param {Refusal} refusal */
    refuse(refusal) {
        this.leaving = true;
        const was = this.state;
        this.setState('idle');
        if (was === 'reconnecting')
            this.emit('ended', refusal.message, false);
        else
            this.emit('refused', refusal);
        this.connection.close();
    }

    /** @private @param {State} state */
    setState(state) {
        if (this.state !== state) {
            this.state = state;
            this.emit('state', state);
        }
    }

    /**
     * @private
     * @param {'join' | 'change'} kind
     * @param {string[]} permissions
     * @param {GroupStatus} status
     */
    joined(kind, permissions, status) {
        const before = this.lastPermissions;
        let again = false;
        this.lastPermissions = permissions;
        // A lock that was opened is left out; the endpoint is only in `.status`.
        this.status = {...this.status, locked: false, ...status};
        if (kind === 'join') {
            this.connection.request(this.wanted);
            again = this.state === 'reconnecting';
            this.roster.begin();
            this.lobby = [];
            this.emit('lobby', this.lobby);
            this.setState('joined');
        }
        this.emit('permissions', permissions, kind === 'join' && !again ? null : before);
        this.emit('status', this.status);
    }

    /** @private @type {string[]} */
    lastPermissions = [];

    /** Which streams are asked for, by label. @private @type {Record<string, MediaRequest[]>} */
    wanted = {'': ['audio', 'video']};

    /** @param {Record<string, MediaRequest[]>} what Which streams we want, by label. */
    request(what) {
        this.wanted = what;
        if (this.state === 'joined')
            this.connection.request(what);
    }

    /** @private @param {number} code @param {string} reason */
    closed(code, reason) {
        const wasJoined = this.isIn;
        const wasIdle = this.state === 'idle';
        this.setState('idle');
        if (this.leaving) {
            if (!wasIdle)
                this.emit('ended', text('end.left'), true);
            return;
        }
        this.emit('ended', ending(this.kick, code, reason, wasJoined), false);
    }

    get handRaised() {
        return !!this.connection.userdata['raisehand'];
    }

    /** @param {boolean} raised */
    raiseHand(raised) {
        this.connection.userAction('setdata', this.connection.id, {raisehand: raised || null});
    }

    /** Somebody records: the server's recorder is a client of the group. */
    get isRecording() {
        return Object.values(this.connection.users)
            .some(({permissions}) => permissions.includes('system'));
    }

    leave() {
        this.leaving = true;
        this.ownIds.clear();
        this.connection.leave(this.status.name);
        this.connection.close();
    }

    /**
     * @param {string} id A client id.
     * @returns {string} A name to show.
     */
    nameOf(id) {
        return displayName(this.connection.users[id]?.username);
    }
}
