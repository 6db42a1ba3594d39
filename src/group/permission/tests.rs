use super::{Permissions, Role, RoleOrList};
use crate::group::Description;

fn of(role: Role, description: &Description) -> Vec<String> {
    role.permissions(description)
        .iter()
        .map(str::to_owned)
        .collect()
}

#[test]
fn roles_as_galene_has_them() {
    let plain = Description::default();
    assert_eq!(
        of(Role::Op, &plain),
        ["op", "present", "message", "caption", "token"]
    );
    assert_eq!(of(Role::Present, &plain), ["present", "message"]);
    assert_eq!(of(Role::Message, &plain), ["message"]);
    assert_eq!(of(Role::Observe, &plain), Vec::<String>::new());
    assert_eq!(of(Role::Caption, &plain), ["caption"]);
    assert_eq!(of(Role::Admin, &plain), ["admin"]);
    let rich = Description {
        allow_recording: true,
        unrestricted_tokens: true,
        ..Description::default()
    };
    assert_eq!(
        of(Role::Op, &rich),
        ["record", "op", "present", "message", "caption", "token"]
    );
    assert_eq!(of(Role::Present, &rich), ["token", "present", "message"]);
    assert_eq!(of(Role::Message, &rich), ["message"]);
}

#[test]
fn arrays_pass_as_they_are() {
    let list: RoleOrList = serde_json::from_str(r#"["present", "x", "op"]"#).unwrap();
    let rich = Description {
        allow_recording: true,
        ..Description::default()
    };
    assert_eq!(
        list.permissions(&rich),
        Permissions::new(["present", "x", "op"])
    );
    assert_eq!(
        serde_json::to_string(&list).unwrap(),
        r#"["present","x","op"]"#
    );
}

#[test]
fn an_unknown_role_is_named() {
    let error = serde_json::from_str::<RoleOrList>(r#""king""#).unwrap_err();
    assert!(
        error.to_string().contains("unknown role \"king\""),
        "{error}"
    );
    assert!(serde_json::from_str::<RoleOrList>("3").is_err());
}

#[test]
fn changes_keep_the_order() {
    let mut permissions = Permissions::new(["op", "present"]);
    assert!(!permissions.add("op"));
    assert!(permissions.remove("op"));
    assert!(!permissions.remove("op"));
    assert!(permissions.add("op"));
    assert_eq!(permissions, Permissions::new(["present", "op"]));
}

#[test]
fn a_new_role_gives_and_takes_the_difference() {
    let new = |names: &str| Permissions::new(names.split_whitespace());
    // As it is; the role before and after; what comes of it.
    for (own, before, after, expected) in [
        ("op present", "op present", "message", "message"),
        ("present", "op present", "op present", "present"),
        (
            "present",
            "op present",
            "record op present",
            "present record",
        ),
        (
            "message op",
            "message",
            "present message",
            "message op present",
        ),
        ("message op", "message", "op message", "message op"),
        ("op", "op present", "", ""),
        ("x", "", "", "x"),
    ] {
        assert_eq!(
            new(own).follow(&new(before), &new(after)),
            new(expected),
            "{own}: {before} -> {after}"
        );
    }
}
