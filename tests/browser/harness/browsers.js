/** The browsers of Debian, driven without a driver program. */

import {existsSync} from 'node:fs';
import puppeteer from 'puppeteer-core';
import {observe} from './observe.js';

/** @typedef {'chromium' | 'firefox'} BrowserName */

/** @type {Record<BrowserName, {path: string, variable: string, debianPackage: string}>} */
const programs = {
    chromium: {path: '/usr/bin/chromium', variable: 'CHROMIUM', debianPackage: 'chromium'},
    firefox: {path: '/usr/bin/firefox-esr', variable: 'FIREFOX', debianPackage: 'firefox-esr'},
};

const CHROMIUM_FLAGS = [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
    '--ignore-certificate-errors', '--autoplay-policy=user-gesture-required',
    '--use-fake-device-for-media-stream=fps=15', '--use-fake-ui-for-media-stream',
    '--allow-loopback-in-peer-connection',
    // Two pages on one machine without multicast: addresses are named, not hidden behind mDNS.
    '--disable-features=WebRtcHideLocalIpsWithMdns',
];

const FIREFOX_PREFERENCES = {
    'media.navigator.streams.fake': true,
    'media.navigator.permission.disabled': true,
    'media.getusermedia.insecure.enabled': true,
    'media.peerconnection.ice.loopback': true,
    'media.peerconnection.ice.obfuscate_host_addresses': false,
    'media.autoplay.default': 0,
    // Chromium is told page by page, which it can do.
    'permissions.default.desktop-notification': 1,
    // Nothing but the server under test is talked to.
    'app.normandy.enabled': false,
    'browser.safebrowsing.downloads.enabled': false,
    'datareporting.policy.dataSubmissionEnabled': false,
    'media.gmp-manager.updateEnabled': false,
    'network.captive-portal-service.enabled': false,
    'network.connectivity-service.enabled': false,
};

/**
 * Starts a browser with a profile of its own.
 *
 * @param {BrowserName} name
 * @param {string[]} [flags] More of Chromium's.
 * @returns {Promise<import('puppeteer-core').Browser>}
 */
export async function launch(name, flags = []) {
    const {path, variable, debianPackage} = programs[name];
    const executablePath = process.env[variable] ?? path;
    if (!existsSync(executablePath)) {
        throw new Error(`there is no ${executablePath}: install the package ${debianPackage}, `
            + `or name the program in ${variable}`);
    }
    const browser = await puppeteer.launch({
        browser: name === 'chromium' ? 'chrome' : 'firefox',
        executablePath, headless: true, acceptInsecureCerts: true,
        args: name === 'chromium' ? [...CHROMIUM_FLAGS, ...flags] : [],
        extraPrefsFirefox: FIREFOX_PREFERENCES,
        protocolTimeout: 180_000,
    });
    // Puppeteer reads no further once the browser is up; WebRTC logs until the pipe is full, and
    // then its threads wait for ever, and with them the page.
    browser.process()?.stderr?.resume();
    return browser;
}

/**
 * A new window whose media can be observed; errors of the page are gathered in `problems`.
 *
 * @param {import('puppeteer-core').Browser} browser
 */
export async function newPage(browser) {
    const context = await browser.createBrowserContext();
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    await page.setViewport({width: 1280, height: 800});
    /** @type {string[]} */
    const problems = [];
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('console', (message) => {
        if (message.type() === 'error')
            problems.push(message.text());
    });
    await page.evaluateOnNewDocument(observe);
    return {page, problems};
}
