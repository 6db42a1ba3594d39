use super::{ChatMessage, Clear, History};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;

fn message(id: usize, source: &str, time: Timestamp, weight: usize) -> Arc<ChatMessage> {
    Arc::new(ChatMessage {
        id: Some(id.to_string()),
        source: Some(source.into()),
        username: Some(source.into()),
        dest: None,
        kind: None,
        privileged: false,
        noecho: false,
        time,
        value: "x".into(),
        weight,
    })
}

fn ids(history: &History) -> Vec<usize> {
    history
        .iter()
        .map(|m| m.id.as_ref().unwrap().parse().unwrap())
        .collect()
}

#[test]
fn the_last_fifty_are_kept() {
    let mut history = History::default();
    for id in 0..70 {
        history.push(message(id, "a", Timestamp::UNIX_EPOCH, 1));
    }
    assert_eq!(ids(&history), (20..70).collect::<Vec<_>>());
}

#[test]
fn large_messages_do_not_pile_up() {
    let mut history = History::default();
    for id in 0..20 {
        history.push(message(id, "a", Timestamp::UNIX_EPOCH, 1 << 20));
    }
    assert_eq!(ids(&history), (12..20).collect::<Vec<_>>());
    history.push(message(20, "a", Timestamp::UNIX_EPOCH, 9 << 20));
    assert_eq!(ids(&history), [20]);
}

#[test]
fn old_ones_expire() {
    let start = Timestamp::UNIX_EPOCH;
    let mut history = History::default();
    for id in 0..10 {
        let time = start + SignedDuration::from_secs(i64::try_from(id).unwrap());
        history.push(message(id, "a", time, 1));
    }
    history.expire(start + SignedDuration::from_secs(9), Duration::from_secs(4));
    assert_eq!(ids(&history), [5, 6, 7, 8, 9]);
    history.expire(start + SignedDuration::from_secs(9), Duration::MAX);
    assert_eq!(ids(&history), [5, 6, 7, 8, 9]);
}

#[test]
fn operators_clear() {
    let mut history = History::default();
    for id in 0..6 {
        history.push(message(id, ["a", "b"][id % 2], Timestamp::UNIX_EPOCH, 1));
    }
    history.clear(&Clear::Message {
        id: "2".into(),
        user: "b".into(),
    });
    assert_eq!(ids(&history), [0, 1, 2, 3, 4, 5], "2 is not b's");
    history.clear(&Clear::Message {
        id: "2".into(),
        user: "a".into(),
    });
    assert_eq!(ids(&history), [0, 1, 3, 4, 5]);
    history.clear(&Clear::User("b".into()));
    assert_eq!(ids(&history), [0, 4]);
    history.clear(&Clear::All);
    assert!(history.is_empty());
}
