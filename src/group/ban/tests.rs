use super::{Ban, Bans, LIMIT, Network};
use crate::group::GroupError;
use jiff::Timestamp;
use std::fs;

fn ban(id: usize) -> Ban {
    Ban {
        id: id.to_string(),
        group: "g".to_owned(),
        username: Some(format!("user {id}")),
        address: None,
        message: None,
        by: "op".to_owned(),
        issued_at: Timestamp::UNIX_EPOCH,
        expires: None,
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[test]
fn networks() {
    for (address, network) in [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::/64", "2001:db8:1:2::/64"),
    ] {
        let parsed: Network = address.parse().unwrap();
        assert_eq!(parsed.to_string(), network);
        assert_eq!(network.parse::<Network>().unwrap(), parsed);
    }
    assert!("example.org".parse::<Network>().is_err());
}

#[test]
fn it_holds_by_name_or_by_address_and_ends() {
    let bans = Bans::default();
    let network: Network = "2001:db8:1:2:3::".parse().unwrap();
    let entry = Ban {
        address: Some(network),
        expires: Some(at(100)),
        ..ban(1)
    };
    bans.add(entry, at(0)).unwrap();
    let near = "2001:db8:1:2:ffff::1".parse().ok();
    let far = "2001:db8:1:3::1".parse().ok();
    let text = "you are banned from this group until 1970-01-01 00:01 UTC".to_owned();
    let banned = Err(GroupError::Banned(text));
    assert_eq!(bans.check("g", "user 1", far, true, at(99)), banned);
    assert_eq!(bans.check("g", "x", near, false, at(99)), banned);
    assert_eq!(
        bans.check("g", "x", near, true, at(99)),
        Ok(()),
        "operators"
    );
    assert_eq!(bans.check("g", "x", far, false, at(99)), Ok(()));
    assert_eq!(bans.check("g", "x", None, false, at(99)), Ok(()));
    assert_eq!(bans.check("h", "user 1", near, false, at(99)), Ok(()));
    assert_eq!(bans.check("g", "user 1", near, false, at(100)), Ok(()));
    assert_eq!(bans.list("g", at(100)), []);
}

#[test]
fn so_many_and_no_more() {
    let bans = Bans::default();
    let old = Ban {
        expires: Some(at(10)),
        ..ban(0)
    };
    bans.add(old, at(0)).unwrap();
    for n in 1..=LIMIT {
        bans.add(ban(n), at(10)).unwrap();
    }
    assert_eq!(bans.add(ban(0), at(10)), Err(GroupError::TooManyBans));
    assert_eq!(
        bans.lift("g", "0"),
        Err(GroupError::NoSuchBan),
        "it was over"
    );
    bans.lift("g", "7").unwrap();
    bans.add(ban(0), at(10)).unwrap();
}

#[test]
fn a_restart_forgets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("var/bans.jsonl");
    let open = || {
        let bans = Bans::default();
        bans.keep_in(path.clone());
        bans
    };
    let bans = open();
    let full = Ban {
        address: Some("192.0.2.7".parse().unwrap()),
        message: Some("say \"sorry\"".to_owned()),
        expires: Some(at(1000)),
        ..ban(1)
    };
    bans.add(full.clone(), at(0)).unwrap();
    bans.add(ban(2), at(0)).unwrap();
    bans.save(at(0));
    assert_eq!(open().list("g", at(0)), [full.clone(), ban(2)]);
    // A bad line spoils no other, and is not lost.
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("not JSON\n{text}")).unwrap();
    let bans = open();
    bans.lift("g", "2").unwrap();
    bans.save(at(0));
    assert_eq!(open().list("g", at(0)), [full]);
    assert!(fs::read_to_string(&path).unwrap().contains("not JSON\n"));
    // What is over is not kept.
    bans.save(at(1000));
    assert_eq!(fs::read_to_string(&path).unwrap(), "not JSON\n");
}
