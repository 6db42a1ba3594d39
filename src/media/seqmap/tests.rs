use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

fn run(source: u16, timestamp: u32) -> Run {
    Run {
        timestamp,
        ..Run::new(source, 96 + source as u8)
    }
}

#[test]
fn a_change_of_source_leaves_no_gap() {
    let mut map = SeqMap::new(100);
    map.begin(5_000, run(0, 0));
    assert_eq!(map.map(0, 5_000), Some((100, run(0, 0))));
    assert_eq!(map.map(0, 5_002).unwrap().0, 102);
    assert_eq!(map.map(0, 5_001).unwrap().0, 101, "late: its own number");
    assert_eq!(map.map(0, 4_999), None);
    map.begin(77, run(1, 9_000));
    assert_eq!(map.map(0, 5_003), None);
    assert_eq!(map.map(1, 77), Some((103, run(1, 9_000))));
    let origin = |up, run| Some(Origin { up, run });
    assert_eq!(map.unmap(102), origin(5_002, run(0, 0)));
    assert_eq!(map.unmap(103), origin(77, run(1, 9_000)));
    assert_eq!(map.unmap(104), None);
    assert_eq!(map.unmap(99), None);
}

#[test]
fn what_is_left_out_leaves_no_gap_and_what_is_missing_does() {
    let mut map = SeqMap::new(100);
    map.reserve_layers();
    let run = run(0, 0);
    map.begin(10, run);
    let number = |map: &mut SeqMap, up| map.map(0, up).map(|(down, _)| down);
    assert_eq!(number(&mut map, 10), Some(100));
    // 11 is missing.
    map.leave_out(12, run);
    map.leave_out(13, run);
    assert_eq!(number(&mut map, 14), Some(102));
    assert_eq!(number(&mut map, 12), None);
    assert_eq!(number(&mut map, 13), None);
    assert_eq!(number(&mut map, 11), Some(101), "its number was kept free");
    assert_eq!(map.unmap(101).unwrap().up, 11);
    assert_eq!(map.unmap(102).unwrap().up, 14);
    // 15 is missing, and 16 left out: 15's number stays free.
    map.leave_out(16, run);
    map.leave_out(15, run);
    assert_eq!(number(&mut map, 17), Some(104));
    assert_eq!(map.unmap(103).unwrap().up, 15);
}

/// A source's packets: sent, left out, or not there.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Sent,
    LeftOut,
    Late,
}

proptest! {
    #[test]
    fn every_number_leads_back_to_its_packet(
        runs in proptest::collection::vec((0_u16..3, 70_000_u64..80_000, 1_u64..200), 1..7),
        first: u16,
    ) {
        let mut map = SeqMap::new(first);
        let mut sent = Vec::new();
        for (source, first_up, len) in runs {
            let run = run(source, u32::from(source));
            map.begin(first_up, run);
            for up in first_up..first_up + len {
                let (down, run) = map.map(source, up).unwrap();
                sent.push((down, Origin { up, run }));
            }
        }
        for (down, origin) in &sent {
            prop_assert_eq!(map.extend(*down as u16), *down);
            prop_assert_eq!(map.unmap(*down), Some(*origin));
        }
        prop_assert!(sent.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0));
    }

    #[test]
    fn numbers_have_gaps_only_for_what_is_missing(
        fates in proptest::collection::vec(
            prop_oneof![Just(Fate::Sent), Just(Fate::LeftOut), Just(Fate::Late)], 1..120),
        layered: bool,
    ) {
        let mut map = SeqMap::new(7);
        if layered {
            map.reserve_layers();
        }
        let run = run(0, 0);
        map.begin(1_000, run);
        let mut numbers = HashMap::new();
        let mut all = Vec::new();
        for (up, fate) in (1_000..).zip(&fates) {
            match fate {
                Fate::Sent => {
                    let (down, _) = map.map(0, up).unwrap();
                    prop_assert!(numbers.insert(down, up).is_none());
                    all.push((down, up));
                }
                Fate::LeftOut => map.leave_out(up, run),
                Fate::Late => {}
            }
        }
        for (up, fate) in (1_000..).zip(&fates) {
            // The last may be behind all that was sent.
            if *fate == Fate::Late
                && let Some((down, _)) = map.map(0, up)
            {
                prop_assert!(numbers.insert(down, up).is_none(), "{down} twice");
                all.push((down, up));
            }
            if *fate == Fate::LeftOut {
                prop_assert!(map.map(0, up).is_none());
            }
        }
        if layered {
            // What is late at the end takes numbers of its own, all others had theirs kept.
            let count = fates.iter().filter(|fate| **fate != Fate::LeftOut).count();
            prop_assert_eq!(all.len(), count);
            all.sort_unstable();
            prop_assert!(all.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0), "{all:?}");
            prop_assert!(all.windows(2).all(|pair| pair[0].1 < pair[1].1), "{all:?}");
        }
        for (down, up) in all.iter().rev().take(5) {
            prop_assert_eq!(map.unmap(*down).map(|origin| origin.up), Some(*up));
        }
    }
}
