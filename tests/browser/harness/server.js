/** The server under test: the real program, on loopback, with folders of its own. */

import {execFileSync, spawn} from 'node:child_process';
import {createSocket} from 'node:dgram';
import {existsSync} from 'node:fs';
import {mkdir, mkdtemp, rm, writeFile} from 'node:fs/promises';
import {request} from 'node:https';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {dirname, join, resolve} from 'node:path';
import {once} from 'node:events';
import {fileURLToPath} from 'node:url';
import {until} from './poll.js';

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');

/** @returns {string} The path of the program, which is built if it is not there. */
function binary() {
    const given = process.env['PERIKON_BIN'];
    if (given) {
        if (!existsSync(given))
            throw new Error(`PERIKON_BIN names ${given}, which does not exist`);
        return resolve(given);
    }
    const target = process.env['CARGO_TARGET_DIR'] ?? join(ROOT, 'target');
    const path = join(target, 'debug/perikon');
    if (!existsSync(path))
        execFileSync('cargo', ['build', '--bin', 'perikon'], {cwd: ROOT, stdio: 'inherit'});
    return path;
}

/** @returns {Promise<number>} A TCP port of loopback that nobody uses now. */
async function freeTcpPort() {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const {port} = /** @type {import('node:net').AddressInfo} */ (server.address());
    server.close();
    await once(server, 'close');
    return port;
}

/** @returns {Promise<number>} A UDP port of loopback that nobody uses now. */
async function freeUdpPort() {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const {port} = socket.address();
    socket.close();
    await once(socket, 'close');
    return port;
}

export class Server {
    /**
     * @private
     * @param {string} program
     * @param {string} folder
     * @param {number} port
     * @param {number} udpPort
     */
    constructor(program, folder, port, udpPort) {
        this.program = program;
        this.folder = folder;
        this.port = port;
        this.udpPort = udpPort;
        this.url = `https://127.0.0.1:${port}`;
        this.log = join(folder, 'log');
    }

    /**
     * Starts the program and waits until it answers.
     *
     * @param {Record<string, object>} groups The group files, by name.
     * @param {object} [config] What `data/config.json` says.
     */
    static async start(groups, config) {
        const program = binary();
        const folder = await mkdtemp(join(tmpdir(), 'perikon-test-'));
        await Promise.all(['groups', 'data', 'recordings'].map((name) => mkdir(join(folder, name))));
        for (const [name, description] of Object.entries(groups))
            await writeFile(join(folder, 'groups', `${name}.json`), JSON.stringify(description));
        if (config)
            await writeFile(join(folder, 'data/config.json'), JSON.stringify(config));
        const server = new Server(program, folder, await freeTcpPort(), await freeUdpPort());
        await server.run();
        return server;
    }

    /** Runs the program, for the first time or again. */
    async run() {
        const {folder, port} = this;
        const child = this.child = spawn(this.program, [
            '-http', `127.0.0.1:${port}`, '-groups', join(folder, 'groups'),
            '-data', join(folder, 'data'), '-recordings', join(folder, 'recordings'),
            '-udp-range', String(this.udpPort), '--media-address', '127.0.0.1',
            // For work on the client: a folder instead of what is built into the program.
            ...process.env['PERIKON_STATIC'] ? ['-static', process.env['PERIKON_STATIC']] : [],
        ], {stdio: ['ignore', 'pipe', 'pipe'], env: {...process.env, NO_COLOR: '1'}});
        /** @type {Buffer[]} */
        const output = [];
        child.stdout?.on('data', (data) => output.push(data));
        child.stderr?.on('data', (data) => output.push(data));
        this.output = () => Buffer.concat(output).toString();
        try {
            await until('answer of the server', async () => {
                if (child.exitCode !== null)
                    return true;
                return await this.status('/public-groups.json') === 200;
            });
            if (child.exitCode !== null)
                throw new Error(`the server ended with ${child.exitCode}`);
        } catch (error) {
            const said = this.output();
            await this.stop();
            throw new Error(`the server did not start; it said:\n${said}`, {cause: error});
        }
    }

    /** Ends the program as a power cut does: no goodbye. Its folders stay. */
    async crash() {
        const ended = once(this.child, 'exit');
        this.child.kill('SIGKILL');
        await ended;
    }

    /** @type {import('node:child_process').ChildProcess} */
    child = /** @type {any} */ (null);

    /** @type {() => string} What the program wrote so far. */
    output = () => '';

    /**
     * @param {string} path
     * @returns {Promise<number>} The HTTP status of a GET.
     */
    async status(path) {
        const response = await this.#get(path);
        response.resume();
        return response.statusCode ?? 0;
    }

    /** @param {string} path @returns {Promise<string>} What is there. */
    async text(path) {
        let all = '';
        for await (const part of (await this.#get(path)).setEncoding('utf8'))
            all += part;
        return all;
    }

    /**
     * @param {string} path
     * @returns {Promise<import('node:http').IncomingMessage>}
     */
    async #get(path) {
        const asked = request(this.url + path, {rejectUnauthorized: false}).end();
        const [response] = await once(asked, 'response');
        return response;
    }

    /** @param {string} group */
    page(group) {
        return `${this.url}/group/${group}/`;
    }

    /** @param {string} group Its file is removed. */
    async removeGroup(group) {
        await rm(join(this.folder, 'groups', `${group}.json`));
    }

    /** Ends the program as an administrator does, and removes its folders. */
    async stop() {
        if (this.child.exitCode === null && this.child.signalCode === null) {
            const ended = once(this.child, 'exit');
            this.child.kill('SIGTERM');
            const patience = setTimeout(() => this.child.kill('SIGKILL'), 10_000);
            await ended;
            clearTimeout(patience);
        }
        await rm(this.folder, {recursive: true, force: true});
    }
}

/** The groups of the tests. @type {Record<string, object>} */
export const GROUPS = {
    lounge: {
        displayName: 'The Lounge', public: true,
        description: 'Drop in for a chat. Coffee is on, and somebody is usually around.',
        users: {
            olga: {password: 'op-secret', permissions: 'op'},
            walter: {password: 'walter-secret', permissions: 'message'},
        },
        'wildcard-user': {password: {type: 'wildcard'}, permissions: 'present'},
    },
    seminar: {
        displayName: 'Thursday seminar', public: true,
        description: 'Every Thursday at 16:00, with time for questions afterwards.',
        users: {olga: {password: 'op-secret', permissions: 'op'}},
        'wildcard-user': {password: {type: 'wildcard'}, permissions: 'present'},
    },
    tiny: {
        public: true, 'max-clients': 1,
        'wildcard-user': {password: {type: 'wildcard'}, permissions: 'present'},
    },
    passing: {'wildcard-user': {password: {type: 'wildcard'}, permissions: 'present'}},
};

