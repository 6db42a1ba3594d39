/** Somebody in front of a browser: does what people do, sees what people see. */

/** @import {Page} from 'puppeteer-core' */

import {until} from './poll.js';
import {launch, newPage} from './browsers.js';

export class Person {
    /**
     * @private
     * @param {string} name
     * @param {Page} page
     * @param {string[]} problems
     */
    constructor(name, page, problems) {
        this.name = name;
        this.page = page;
        this.problems = problems;
    }

    /**
     * @param {string} name
     * @param {import('puppeteer-core').Browser} browser
     */
    static async at(name, browser) {
        const {page, problems} = await newPage(browser);
        return new Person(name, page, problems);
    }

    /**
     * Opens the page of a group, fills in the form and sends it.
     *
     * @param {string} url
     * @param {{password?: string, microphone?: boolean, camera?: boolean, name?: string}} [how]
     */
    async tryToJoin(url, {password = '', microphone = true, camera = true, name = this.name} = {}) {
        if (this.page.url() !== url) {
            await this.page.goto(url);
            await this.page.waitForSelector('#join:not([aria-busy])');
        }
        await this.fill('#join-username', name);
        if (password)
            await this.fill('#join-password', password);
        await this.toggle('#join-mic', microphone);
        await this.toggle('#join-cam', camera);
        await this.page.click('#join-button');
    }

    /** @param {string} url @param {Parameters<Person['tryToJoin']>[1]} [how] */
    async join(url, how) {
        await this.tryToJoin(url, how);
        await this.page.waitForSelector('#meeting:not([hidden])');
    }

    /** @param {string} selector @param {string} value */
    async fill(selector, value) {
        await this.page.$eval(selector, (field) => {
            /** @type {HTMLInputElement} */ (field).value = '';
        });
        await this.page.type(selector, value);
    }

    /** @private @param {string} selector @param {boolean} on */
    async toggle(selector, on) {
        const pressed = await this.page.$eval(selector, (b) => b.getAttribute('aria-pressed'));
        if (pressed !== String(on))
            await this.page.click(selector);
    }

    /** @param {string} name Which panel is opened, if it is not yet. */
    async openPanel(name) {
        if (await this.page.$eval(`#panel-${name}`, (panel) => panel.hasAttribute('hidden')))
            await this.page.click(`#control-${name}`);
    }

    /** @param {string} message */
    async say(message) {
        await this.openPanel('chat');
        await this.page.type('#chat-input', message);
        await this.page.keyboard.press('Enter');
    }

    /**
     * Chooses from a menu.
     *
     * @param {string} button A selector.
     * @param {string} item What it says, or begins with.
     */
    async choose(button, item) {
        await this.page.waitForSelector(button);
        await this.page.$eval(button, (element) =>
            element.scrollIntoView({block: 'nearest', behavior: 'instant'}));
        await this.page.click(button);
        const entry = await this.page.waitForSelector(
            `::-p-xpath(//*[starts-with(@role, "menuitem")][starts-with(normalize-space(.), "${item}")])`);
        await entry?.click();
    }

    /** @param {string} who @param {string} item Of the menu of somebody in the list of people. */
    async act(who, item) {
        await this.openPanel('people');
        await this.choose(`button[aria-label="Actions for ${who}"]`, item);
    }

    /** @param {string} item Of the menu “More”. */
    async more(item) {
        await this.choose('#control-more', item);
    }

    /** @param {string} label Of the tile. @param {string} item Of its menu. */
    async tileMenu(label, item) {
        await this.page.hover(`.tile[aria-label="${label}"]`);
        await this.choose(`.tile[aria-label="${label}"] .tile-menu`, item);
    }

    /**
     * Chooses a file when the page asks for one.
     *
     * @param {string} path
     * @param {() => Promise<void>} act What makes the page ask.
     */
    async giveFile(path, act) {
        const {page} = this;
        if (!/firefox/i.test(await page.browser().version())) {
            const chooser = page.waitForFileChooser();
            await act();
            await (await chooser).accept([path]);
            return;
        }
        // Of the windows for files that Firefox opens, puppeteer hears of the first only.
        await page.$eval('#file-input', (input) => {
            /** @type {HTMLInputElement} */ (input).click = () => {};
        });
        await act();
        const input = await page.$('#file-input');
        await /** @type {import('puppeteer-core').ElementHandle<HTMLInputElement>} */ (input)
            .uploadFile(path);
    }

    /** @param {string} command Typed into the chat. */
    async type(command) {
        await this.openPanel('chat');
        await this.fill('#chat-input', command);
        await this.page.keyboard.press('Enter');
    }

    /** Closes the window that is open over the page. */
    async closeDialog() {
        await this.page.keyboard.press('Escape');
        await this.page.waitForFunction(() => !document.querySelector('dialog[open]'));
    }

    /** @returns {Promise<string[]>} The messages that are shown. */
    messages() {
        return this.page.$$eval('.message-text', (all) => all.map((one) => one.textContent ?? ''));
    }

    /** @returns {Promise<string[]>} The notices that are shown. */
    notices() {
        return this.page.$$eval('.notice p', (all) => all.map((one) => one.textContent ?? ''));
    }

    /**
     * It is there, or was there for a while and has not been looked for yet.
     *
     * @param {RegExp} pattern
     */
    async sees(pattern) {
        return until(`${pattern} on the page of ${this.name}`, () =>
            this.page.evaluate((source, flags) => {
                const words = new RegExp(source, flags);
                /** @type {{gone: Element[], seen: Set<Element>}} */
                const {gone, seen} = /** @type {any} */ (window).observed;
                const passing = [...document.querySelectorAll(
                    '#notices > *, #transfers > *, #captions > *'), ...gone];
                const found = passing.filter((one) => !seen.has(one) && words.test(one.textContent ?? ''));
                for (const one of found)
                    seen.add(one);
                return found.length > 0 || words.test(document.body.innerText);
            }, pattern.source, pattern.flags));
    }

    /** @returns {Promise<string[]>} Whom or what the tiles show. */
    tiles() {
        return this.page.$$eval('.tile', (all) =>
            all.map((tile) => tile.getAttribute('aria-label') ?? ''));
    }

    /**
     * Looks at a tile: the size of its picture, and its colours at 16 by 9 places.
     *
     * @param {string} label
     */
    look(label) {
        return this.page.evaluate((wanted) => {
            const tile = [...document.querySelectorAll('.tile')]
                .find((one) => one.getAttribute('aria-label') === wanted);
            const video = tile?.querySelector('video');
            if (!tile?.classList.contains('has-video') || !video?.videoWidth)
                return null;
            const canvas = document.createElement('canvas');
            canvas.width = 64;
            canvas.height = 36;
            const context = canvas.getContext('2d');
            if (!context)
                throw new Error('no canvas');
            context.drawImage(video, 0, 0, canvas.width, canvas.height);
            return {
                width: video.videoWidth, height: video.videoHeight,
                pixels: [...context.getImageData(0, 0, canvas.width, canvas.height).data],
                visible: getComputedStyle(video).visibility === 'visible',
                silent: video.muted || video.paused,
            };
        }, label);
    }

    /**
     * What arrives, over all peer connections of this page.
     *
     * @returns {Promise<{frames: number, height: number, audioEnergy: number}>}
     */
    received() {
        return this.page.evaluate(async () => {
            const sum = {frames: 0, height: 0, audioEnergy: 0};
            for (const peer of /** @type {any} */ (window).observed.peers) {
                if (peer.connectionState === 'closed')
                    continue;
                for (const entry of (await peer.getStats()).values()) {
                    if (entry.type !== 'inbound-rtp')
                        continue;
                    sum.frames += entry.framesDecoded ?? 0;
                    sum.height = Math.max(sum.height, entry.frameHeight ?? 0);
                    sum.audioEnergy += entry.totalAudioEnergy ?? 0;
                }
            }
            return sum;
        });
    }

    /**
     * How long the picture of somebody took, from our answer to the stream, ms.
     *
     * @param {string} label
     */
    pictureTook(label) {
        return this.page.evaluate((wanted) => {
            const {offers, answers, pictures} = /** @type {any} */ (window).observed;
            const first = pictures.find((/** @type {any} */ one) => one.label === wanted);
            const id = Object.keys(answers).find((one) => offers[one] === wanted);
            return first && id ? first.at - answers[id] : null;
        }, label);
    }

    /** Times of answers and pictures are taken anew, as for another meeting. */
    forgetTimes() {
        return this.page.evaluate(() => {
            const {observed} = /** @type {any} */ (window);
            observed.answers = {};
            observed.pictures = [];
        });
    }

    async leave() {
        await this.page.click('#control-leave');
        await this.page.waitForSelector('#join:not([hidden])');
    }

    async close() {
        await this.page.browserContext().close();
    }
}

export {launch};
