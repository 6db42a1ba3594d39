#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use std::os::unix::fs::PermissionsExt;

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn writes_whole_and_for_the_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("var/g.json");
    let first = write(&path, Expected::Absent, b"one").unwrap();
    assert_eq!(read(&path).unwrap().unwrap(), (b"one".to_vec(), first));
    write(&path, Expected::Present, b"two").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"two");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    assert_eq!(names(path.parent().unwrap()), ["g.json"], "nothing is left");
}

#[test]
fn a_change_by_someone_else_is_a_conflict() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("g.json");
    let seen = write(&path, Expected::Any, b"one").unwrap();
    // An editor, which knows nothing of us: same length.
    fs::write(&path, b"two").unwrap();
    let now = Version::of(b"two");
    for expected in [
        Expected::OneOf(std::slice::from_ref(&seen)),
        Expected::NoneOf(std::slice::from_ref(&now)),
        Expected::Absent,
    ] {
        let refused = write(&path, expected, b"mine").unwrap_err();
        assert!(
            matches!(&refused, DiskError::Conflict(Some(version)) if *version == now),
            "{expected:?}: {refused:?}"
        );
        assert!(remove(&path, expected).is_err());
    }
    assert_eq!(fs::read(&path).unwrap(), b"two");
    write(&path, Expected::OneOf(&[seen, now]), b"mine").unwrap();
    remove(&path, Expected::Present).unwrap();
    assert!(read(&path).unwrap().is_none());
    let gone = write(&path, Expected::Present, b"mine").unwrap_err();
    assert!(matches!(gone, DiskError::Conflict(None)), "{gone:?}");
    assert!(matches!(
        remove(&path, Expected::Any),
        Err(DiskError::Io(error)) if error.kind() == io::ErrorKind::NotFound
    ));
}

#[test]
fn concurrent_changes_are_all_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("count");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..25 {
                    change::<DiskError>(&path, Expected::Any, |old| {
                        let count: u32 = std::str::from_utf8(old.unwrap_or(b"0"))
                            .unwrap()
                            .parse()
                            .unwrap();
                        Ok(Some((count + 1).to_string().into_bytes()))
                    })
                    .unwrap();
                }
            });
        }
    });
    assert_eq!(fs::read(&path).unwrap(), b"200");
}

/// `flock` is what `util-linux` makes of the same lock.
#[test]
fn another_process_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("g.json");
    let mut other = std::process::Command::new("flock")
        .arg(folder.path())
        .args(["sh", "-c", "echo locked; read line; printf theirs > g.json"])
        .current_dir(folder.path())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = [0; 7];
    other.stdout.take().unwrap().read_exact(&mut said).unwrap();
    let writer = {
        let path = path.clone();
        std::thread::spawn(move || write(&path, Expected::Absent, b"ours"))
    };
    other.stdin.take().unwrap().write_all(b"go\n").unwrap();
    assert!(other.wait().unwrap().success());
    let refused = writer.join().unwrap().unwrap_err();
    assert!(
        matches!(refused, DiskError::Conflict(Some(_))),
        "{refused:?}"
    );
    assert_eq!(fs::read(&path).unwrap(), b"theirs");
}

#[test]
fn what_a_killed_process_left_is_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("g.json");
    fs::write(
        folder.path().join(".g.json.tmp"),
        "half of a file, and more",
    )
    .unwrap();
    write(&path, Expected::Any, b"whole").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"whole");
    assert_eq!(names(folder.path()), ["g.json"]);
}

#[test]
fn a_link_stays_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("real.json");
    let link = folder.path().join("link.json");
    fs::write(&target, "old").unwrap();
    std::os::unix::fs::symlink("real.json", &link).unwrap();
    write(&link, Expected::Any, b"new").unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read(&target).unwrap(), b"new");
}

#[test]
fn the_old_content_stays_when_writing_fails() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("g.json");
    fs::write(&path, "old").unwrap();
    // In the way of the temporary file, and not to be removed.
    fs::create_dir(folder.path().join(".g.json.tmp")).unwrap();
    assert!(write(&path, Expected::Any, b"new").is_err());
    assert_eq!(fs::read(&path).unwrap(), b"old");
}
