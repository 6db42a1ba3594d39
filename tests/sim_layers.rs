//! Encodings and layers over bad lines, in virtual time: whatever is switched, and why, each
//! decoder sees one stream that it can follow.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod sim_support;

use perikon::media::Codec;
use perikon::media::layer::View;
use perikon::shard::Command;
use perikon::sim::layers::{LayersConfig, LayersReport};
use perikon::sim::{ClientId, HostId, LinkConfig, ReceiverConfig, SenderConfig};
use sim_support::*;
use std::collections::BTreeSet;
use std::time::Duration;

/// Loses, delays, reorders and duplicates.
const BAD: LinkConfig = LinkConfig {
    delay: Duration::from_millis(20),
    jitter: Duration::from_millis(5),
    loss: 0.02,
    reordering: 0.03,
    reordering_delay: Duration::from_millis(12),
    duplication: 0.02,
    ..LinkConfig::PERFECT
};

/// Who receives, and why it is sent something else now and then.
struct Watcher {
    host: HostId,
    receiver: ClientId,
}

struct Scene {
    world: Seeded,
    config: LayersConfig,
    watchers: Vec<Watcher>,
}

impl Scene {
    /// One publisher, and watchers who see all that there is.
    fn new(number: u64, config: LayersConfig, watchers: usize) -> Self {
        let mut world = world(number);
        let host = world.add_host(BAD, BAD);
        let sender = SenderConfig {
            layers: Some(config),
            transport_cc: true,
            ..SenderConfig::default()
        };
        let publisher = world.publish(host, 0, sender).unwrap();
        let watchers = (0..watchers)
            .map(|_| {
                let host = world.add_host(BAD, BAD);
                let config = ReceiverConfig {
                    age: secs(4),
                    ..receiver(BAD)
                };
                let receiver = world.subscribe(host, publisher, config).unwrap();
                Watcher { host, receiver }
            })
            .collect();
        world.run_for(secs(6)).unwrap();
        Self {
            world,
            config,
            watchers,
        }
    }

    fn show(&mut self, watcher: usize, view: View) {
        let peer = self.world.peer(self.watchers[watcher].receiver).unwrap();
        self.world.command(0, Command::ShowDown { peer, view });
    }

    fn window(&mut self, watcher: usize, level: u8) {
        let window = Some((320 << level, 180 << level));
        let view = View {
            window,
            ..View::default()
        };
        self.show(watcher, view);
    }

    fn run(&mut self, seconds: u64) {
        self.world.run_for(secs(seconds)).unwrap();
    }

    fn seen(&self, watcher: usize) -> LayersReport {
        let report = self.world.client(self.watchers[watcher].receiver);
        let video = report.tracks.last().unwrap();
        for (what, count) in [("forged", video.forged), ("jumps", video.jumps)] {
            assert_eq!(count, 0, "{what}");
        }
        video.layers.clone().unwrap()
    }

    /// The encodings, or the spatial layers, and the highest temporal layer of the last second.
    fn levels(&self, watcher: usize) -> (BTreeSet<u8>, u8) {
        let now = self.world.elapsed();
        let seen = self.seen(watcher);
        let late = seen.shown.iter().filter(|one| one.at + secs(1) > now);
        let levels = late.clone().map(|one| one.encoding + one.sid).collect();
        (levels, late.map(|one| one.tid).max().unwrap())
    }

    /// The same, of a second without a change.
    fn level(&self, watcher: usize) -> (u8, u8) {
        let (levels, tid) = self.levels(watcher);
        assert_eq!(levels.len(), 1, "{:?}, {watcher}: {levels:?}", self.config);
        (*levels.first().unwrap(), tid)
    }

    /// Lets it try now and then whether there is room for more.
    fn settle(&mut self, watcher: usize) {
        for _ in 0..5 {
            if self.levels(watcher).0.len() > 1 {
                self.run(1);
            }
        }
    }

    /// What must be so of each watcher at the end, whatever happened.
    fn assert_followed(&self) {
        for watcher in 0..self.watchers.len() {
            let seen = self.seen(watcher);
            let who = format!("{:?}, watcher {watcher}", self.config);
            assert_eq!(seen.wrong, [] as [String; 0], "{who}");
            // What was lost both ways again and again.
            assert!(seen.breaks <= 2, "{who}: {} breaks", seen.breaks);
            assert!(seen.drift <= 20_000, "{who}: {} µs", seen.drift);
            let gap = |pair: &[perikon::sim::layers::Picture]| pair[1].at - pair[0].at;
            let longest = seen.shown.windows(2).map(gap).max().unwrap();
            assert!(longest < millis(1_500), "{who} froze for {longest:?}");
        }
    }
}

/// Every kind of stream that browsers send.
fn kinds() -> Vec<LayersConfig> {
    let simulcast = |codec, encodings, by_rid, temporal| LayersConfig {
        encodings,
        by_rid,
        temporal,
        ..LayersConfig::of(codec)
    };
    let layered = |codec, key_only| LayersConfig {
        spatial: 3,
        temporal: 3,
        key_only,
        ..LayersConfig::of(codec)
    };
    vec![
        simulcast(Codec::Vp8, 3, true, 3),
        simulcast(Codec::Vp8, 3, false, 3),
        simulcast(Codec::Vp8, 2, true, 1),
        simulcast(Codec::H264, 3, true, 1),
        simulcast(Codec::Vp9, 3, true, 3),
        simulcast(Codec::Av1, 2, true, 3),
        layered(Codec::Vp9, false),
        layered(Codec::Vp9, true),
        layered(Codec::Av1, false),
        layered(Codec::Av1, true),
    ]
}

fn highest(config: &LayersConfig) -> u8 {
    config.encodings + config.spatial - 2
}

#[test]
fn windows_and_requests_are_followed_up_and_down() {
    for (number, config) in (700..).zip(kinds()) {
        let mut scene = Scene::new(number, config, 3);
        let top = highest(&config);
        let tid = config.temporal - 1;
        assert_eq!(scene.level(0), (top, tid), "{config:?}: all there is");
        for level in [0, top, top / 2, 0, top] {
            scene.window(0, level);
            let view = View {
                low: level == 0,
                ..View::default()
            };
            scene.show(1, view);
            scene.run(4);
            assert_eq!(scene.level(0).0, level, "{config:?}");
            let requested = if level == 0 { 0 } else { top };
            assert_eq!(scene.level(1).0, requested, "{config:?}");
            assert_eq!(scene.level(2), (top, tid), "the third is not concerned");
        }
        scene.assert_followed();
    }
}

#[test]
fn hidden_pictures_cost_little_and_come_back() {
    for (number, config) in (720..).zip(kinds()) {
        let mut scene = Scene::new(number, config, 1);
        for _ in 0..3 {
            let view = View {
                window: Some((0, 0)),
                ..View::default()
            };
            scene.show(0, view);
            scene.run(4);
            assert_eq!(scene.level(0), (0, 0), "{config:?}");
            scene.show(0, View::default());
            scene.run(6);
            let all = (highest(&config), config.temporal - 1);
            assert_eq!(scene.level(0), all, "{config:?}");
        }
        scene.assert_followed();
    }
}

#[test]
fn windows_that_change_all_the_time_mislead_no_decoder() {
    for (number, config) in (740..).zip(kinds()) {
        let mut scene = Scene::new(number, config, 2);
        for round in 0..60_u64 {
            scene.window(0, (round % 7 % 3) as u8);
            scene.window(1, (round % 5 % 3) as u8);
            scene.world.run_for(millis(170 + round * 37 % 400)).unwrap();
        }
        scene.run(4);
        scene.assert_followed();
    }
}

#[test]
fn a_path_that_narrows_and_widens_is_followed() {
    for (number, config) in (760..).zip(kinds()) {
        let mut scene = Scene::new(number, config, 2);
        let top = highest(&config);
        let narrow = LinkConfig {
            rate: Some(if top == 1 { 250_000 } else { 500_000 }),
            queue_bytes: Some(40_000),
            ..BAD
        };
        let wide = LinkConfig {
            rate: Some(8_000_000),
            ..narrow
        };
        let host = scene.watchers[0].host;
        scene.world.set_links(host, BAD, narrow);
        scene.run(25);
        scene.settle(0);
        let level = scene.level(0);
        assert!(level < (top, config.temporal - 1), "{config:?}: {level:?}");
        let other = scene.level(1);
        assert_eq!(other, (top, config.temporal - 1), "the other is unaffected");
        scene.world.set_links(host, BAD, wide);
        scene.run(25);
        assert_eq!(scene.level(0).0, top, "{config:?}: all there is again");
        for watcher in 0..2 {
            let seen = scene.seen(watcher);
            assert_eq!(seen.wrong, [] as [String; 0], "{config:?}, {watcher}");
        }
    }
}
