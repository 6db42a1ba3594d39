use super::{is_legal_name, is_legal_username};

#[test]
fn names_of_groups() {
    for good in [
        "city-watch",
        "teaching/networking",
        "a b",
        "żółw",
        "a.b",
        "a..",
        "x/y/z",
    ] {
        assert!(is_legal_name(good), "{good:?}");
    }
    for bad in [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "../a",
        "a/../b",
        "a/./b",
        ".hidden",
        "a/.status",
        "a\\b",
        "a\0b",
        "a\nb",
    ] {
        assert!(!is_legal_name(bad), "{bad:?}");
    }
    assert!(
        !is_legal_name(&"a".repeat(251)),
        "longer than a file name can be"
    );
}

#[test]
fn names_of_users() {
    for good in ["", "vimes", "a/b", "Sam Vimes", ".vimes", "a.."] {
        assert!(is_legal_username(good), "{good:?}");
    }
    for bad in ["/x", "../x", "a//b", "a\\b", ".", "..", "x/", "a/./b"] {
        assert!(!is_legal_username(bad), "{bad:?}");
    }
}
